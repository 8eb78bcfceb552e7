/** Pairing as the person at the node sees it: the QR, the countdown, the six digits, how it ended. */
import { createInterface } from 'node:readline/promises'
import { stripVTControlCharacters } from 'node:util'
import type { Identity } from '../client/identity/identity.ts'
import type { Transport } from '../client/transport.ts'
import type { PairingStatus } from '../protocol/api/messages.ts'
import { toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Capability } from '../protocol/identity/types.ts'
import type { Clock } from '../protocol/ports.ts'
import { spacedCode } from '../protocol/pairing/typed-code.ts'
import type { Context } from './command.ts'
import { NeedsAction } from './failure.ts'
import { safeText } from './output.ts'
import type { Output } from './output.ts'
import { formatCountdown } from './units.ts'

export interface PairingScreen {
  readonly call: Transport['call']
  readonly output: Output
  readonly stdin: Context['stdin']
  /** Whether somebody can type here. */
  readonly asks: boolean
  readonly signal: AbortSignal
  readonly clock: Clock
  /** This command line's identity, which admits phones that ask for less than everything. */
  readonly identity: Identity | undefined
  /** What such a phone may do. */
  readonly capabilities: readonly Capability[]
  /** Of another code, which is shown at a terminal where nobody came in time; what the node says when not given. */
  readonly lifetimeS?: number | undefined
}

const pollMs = 400

/** Goes along with a pairing that is open. Resolves when it is paired; throws PAIRING_BURNT, PAIRING_LOCKED. */
export async function followPairing(screen: PairingScreen): Promise<PairingStatus> {
  const { call, output, signal, clock } = screen
  let shown: PairingStatus['state'] | undefined
  let asked = false
  let prompt: Prompt | undefined
  try {
    while (true) {
      const { pairing, qr } = await call('admin.pair.show', { qr: 'terminal' }, { signal })
      if (output.json && pairing.state !== shown) output.line({ pairing })
      if (pairing.state === 'waiting') {
        if (shown !== 'waiting') showInvitation(screen, pairing, qr)
        showCountdown(output, pairing)
      } else if (shown === 'waiting' && output.watched && !output.json) output.raw('\r\u001b[K')
      if (pairing.state === 'code' && !asked) {
        asked = true
        requireOwner(screen, pairing)
        if (screen.asks) prompt = askForDigits(screen, pairing)
        else if (!output.json) output.words('A phone shows six digits. Type them with: onehop pair')
      }
      // They may be typed on the dashboard as well.
      if (pairing.state !== 'code') prompt?.close()
      const digits = prompt?.taken()
      if (digits !== undefined) {
        prompt?.close()
        prompt = undefined
        await sendDigits(screen, pairing, digits)
        continue
      }
      if (pairing.state === 'awaiting-admission') await admit(screen, pairing)
      if (pairing.state === 'confirmed' && shown !== 'confirmed' && !output.json)
        output.words('The digits are right. Go on at the phone ...')
      if (pairing.state === 'paired') return pairing
      if (pairing.state === 'burnt' && pairing.reason === 'expired' && isWatched(screen)) {
        if (await renew(screen)) {
          shown = undefined
          continue
        }
      }
      throwIfOver(pairing)
      shown = pairing.state
      await clock.sleep(pollMs, signal)
    }
  } finally {
    prompt?.close()
  }
}

/** Somebody sits there who can say whether a phone is still to come. */
function isWatched({ output, stdin, asks }: PairingScreen): boolean {
  return asks && output.watched && !output.json && stdin.isTTY === true
}

/** False where nobody wants another: the terminal was closed, or sent its end (Ctrl-D). */
async function renew({ call, output, stdin, signal, lifetimeS }: PairingScreen): Promise<boolean> {
  const lines = createInterface({ input: stdin, output: process.stderr, terminal: true })
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const gone = new AbortController()
  lines.once('close', () => gone.abort())
  try {
    const options = { signal: AbortSignal.any([signal, gone.signal]) }
    const question = `\n${output.bold('Nobody came in time.')} Enter shows another code, Ctrl-C ends this. `
    await lines.question(question, options)
  } catch (error) {
    if (gone.signal.aborted && !signal.aborted) return false
    throw error
  } finally {
    lines.close()
  }
  // The dashboard may show one by now.
  const { pairing } = await call('admin.pair.show', {}, { signal })
  if (pairing.state === 'burnt')
    await call('admin.pair.open', lifetimeS === undefined ? {} : { lifetimeS }, { signal })
  return true
}

/** The QR on standard error; the link, which is the same for a program, stays with --json. */
function showInvitation(
  { output, asks }: PairingScreen,
  { link, typedCode }: PairingStatus,
  qr: string | null,
): void {
  if (output.json || link === null) return
  if (qr !== null) output.words(`\n${output.painted ? qr : plainQr(qr)}`)
  output.words(`\n${link}\n`)
  output.words(output.bold('Pair a phone with this node:'))
  output.words('  1. On a phone in the same network, scan the QR code, or open the link above.')
  output.words(`  2. The phone shows six digits. Type them ${asks ? 'here' : 'with: onehop pair'}.`)
  if (typedCode !== null)
    output.words(
      `Without a camera: open ${link.split('#')[0]} on the phone and type ${output.bold(spacedCode(typedCode))}`,
    )
}

/** Without colours: light modules drawn, as most terminals are dark. */
function plainQr(qr: string): string {
  const inverse: Readonly<Record<string, string>> = { ' ': '█', '█': ' ', '▀': '▄', '▄': '▀' }
  const rows = stripVTControlCharacters(qr)
    .split('\n')
    .filter((row) => row.trim() !== '')
  // The last row is the quiet zone, half a row high, drawn with the colours that were taken out.
  return rows
    .map((row, i) =>
      i === rows.length - 1 ? row : Array.from(row, (cell) => inverse[cell] ?? cell).join(''),
    )
    .join('\n')
}

function showCountdown(output: Output, { remainingMs }: PairingStatus): void {
  if (!output.watched || output.json || remainingMs === null) return
  output.raw(`\r\u001b[K${output.dim(`The code is good for ${formatCountdown(remainingMs)}.`)} `)
}

/** A phone whose page came over plain http holds no owner's key. Somebody else who lives here may admit it. */
function requireOwner({ identity }: PairingScreen, { role }: PairingStatus): void {
  if (role !== 'app' || identity?.role === 'owner') return
  throw new NeedsAction(
    'FORBIDDEN',
    'this phone asks for the rights of an app, and this command line is no owner who could give them',
    { help: 'Type the digits on the dashboard (onehop status shows it), which asks whose phone it is.' },
  )
}

interface Prompt {
  taken(): string | undefined
  close(): void
}

/** Asks beside the polling, so that a phone that goes away ends the question. */
function askForDigits({ output, stdin, signal }: PairingScreen, { label }: PairingStatus): Prompt {
  const closing = new AbortController()
  let taken: string | undefined
  const lines = createInterface({ input: stdin, output: process.stderr, terminal: stdin.isTTY === true })
  // In raw mode the terminal hands Ctrl-C over as a key.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const who = label === null || label === '' ? 'The phone' : `${safeText(label)}`
  const question = `${output.bold(`${who} shows six digits.`)} Type them here: `
  const ask = async (): Promise<void> => {
    while (taken === undefined) {
      const options = { signal: AbortSignal.any([signal, closing.signal]) }
      const text = (await lines.question(output.json ? '' : question, options)).replaceAll(/[\s-]/g, '')
      // A slip of the finger must not burn the code; six wrong digits do.
      if (/^\d{6}$/.test(text)) taken = text
      else output.words('Six digits, please.')
    }
  }
  ask().catch(() => undefined) // closed or interrupted: the polling says what happened
  return {
    taken: () => taken,
    close() {
      closing.abort()
      lines.close()
    },
  }
}

async function sendDigits(
  { call, identity, signal }: PairingScreen,
  { role }: PairingStatus,
  code: string,
): Promise<void> {
  const admitting = role === 'app' && identity !== undefined ? { identity: identity.id } : {}
  await call('admin.pair.code', { code, ...admitting }, { signal })
}

async function admit(
  { call, identity, capabilities, signal, output }: PairingScreen,
  pairing: PairingStatus,
): Promise<void> {
  const { pending } = pairing
  if (pending === null || pending.possession === null || identity === undefined) return
  const { device, box, possession } = pending
  // Entries that other devices made meanwhile come first.
  const { log } = await call('identity.get', { identity: identity.id }, { signal })
  await identity.learn(log)
  const admission = { key: device, boxKey: box, possession, role: 'app', capabilities } as const
  const longer = await identity.withDevice(admission)
  await call('admin.pair.admit', { log: longer }, { signal })
  // Kept when the node took it: what was refused is not to be told with what comes next.
  await identity.learn(longer)
  if (!output.json) output.words(`Admitted the phone (${toHex(device).slice(0, 12)}) as an app.`)
}

function throwIfOver({ state, reason }: PairingStatus): void {
  if (state === 'locked')
    throw new OnehopError('PAIRING_LOCKED', 'pairing is locked after three failed attempts')
  if (state === 'burnt' && reason === 'no-owner')
    throw new NeedsAction('PAIRING_BURNT', 'nobody lives on this node yet who could admit the phone', {
      help: 'First: onehop init --user NAME. Then show a new code: onehop pair',
    })
  if (state === 'burnt')
    throw new OnehopError('PAIRING_BURNT', `${burntBecause[reason ?? ''] ?? 'pairing ended'}`)
  if (state === 'closed') throw new OnehopError('PAIRING_BURNT', 'pairing was closed')
}

const burntBecause: Readonly<Record<string, string>> = {
  'wrong-code': 'the digits were wrong, so the QR code is good no more',
  'second-scan': 'a second phone scanned the QR code, so it is good no more',
  expired: 'nobody scanned the QR code in time',
  cancelled: 'pairing was cancelled',
  'broken-exchange': 'the phone sent something else than pairing expects',
  'phone-gone': 'the phone went away before the end: its page was closed or its connection broke',
}
