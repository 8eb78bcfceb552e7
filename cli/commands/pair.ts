import { microblog } from '../../client/microblog.ts'
import { openIdentity } from '../../client/identity/identity.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { Capability } from '../../protocol/identity/types.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { welcomeFirstPerson } from '../first-person.ts'
import { followPairing } from '../pairing-screen.ts'

const appDaysDefault = 30
const appDaysMax = 3_650

export const pair: Command = {
  name: 'pair',
  summary: 'pair a phone: show a QR code, then type the digits that the phone shows',
  operands: [],
  options: {
    unlock: { type: 'boolean', help: 'allow pairing again after three failed attempts' },
    lifetime: { type: 'string', value: 'SECONDS', help: 'how long the QR code is good (300)' },
    app: {
      type: 'string',
      value: 'APP',
      help: `what a phone without owner rights may use (${microblog.id})`,
    },
    days: { type: 'string', value: 'DAYS', help: `for how long (${appDaysDefault}, at most ${appDaysMax})` },
  },
  examples: [
    ['onehop pair', 'show the QR code and wait for the phone'],
    ['onehop pair --unlock', 'after three failed attempts'],
  ],
  async run(given) {
    const { flags, context, output } = given
    const { signal, stdin, clock } = context
    const lifetimeS = flags.count('lifetime')
    if (lifetimeS !== undefined && (lifetimeS < 1 || lifetimeS > 3600))
      throw new UsageError('--lifetime takes 1 to 3600 seconds')
    const days = flags.count('days') ?? appDaysDefault
    if (days < 1 || days > appDaysMax) throw new UsageError(`--days is 1 to ${appDaysMax}`)
    const { call } = await context.daemon()
    if (flags.on('unlock')) {
      const { pairing } = await call('admin.pair.unlock', {}, { signal })
      if (output.json) output.line({ unlocked: true, pairing })
      else output.words('Pairing is unlocked. Show a new QR code: onehop pair')
      return exitCodes.ok
    }
    // One that is open already, at `onehop start` or on the dashboard, is gone along with: another QR would burn it.
    const { pairing: before } = await call('admin.pair.show', {}, { signal })
    const open = ['waiting', 'exchanging', 'code', 'confirmed', 'awaiting-admission'].includes(before.state)
    if (!open && !output.json) await welcomeFirstPerson(given, { call })
    const identity = await openIdentity({ keys: context.keys(), crypto: await context.crypto() })
    if (!open) await call('admin.pair.open', lifetimeS === undefined ? {} : { lifetimeS }, { signal })
    else if (lifetimeS !== undefined && !output.json)
      output.words(
        'A QR code is open already and keeps its time: --lifetime is for one that is shown after it is over.',
      )
    const capabilities = capabilitiesOf(flags.text('app') ?? microblog.id, days, clock.nowMs())
    const paired = await followPairing({
      call,
      output,
      stdin,
      asks: true,
      signal,
      clock,
      identity,
      capabilities,
      lifetimeS,
    })
    if (!output.json) output.words(output.green(pairedWords(paired.identity)))
    return exitCodes.ok
  },
}

export function pairedWords(identity: Uint8Array | null): string {
  return `Paired.${identity === null ? '' : ` This node hosts ${toHex(identity)} now.`}`
}

export function capabilitiesOf(app: string, days: number, nowMs: number): readonly Capability[] {
  const expiresMs = nowMs + days * 86_400_000
  return [{ app, collection: undefined, access: 'write', expiresMs }]
}
