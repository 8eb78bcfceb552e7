import { mkdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { makeIdentity, openIdentity } from '../../client/identity/identity.ts'
import type { Identity, IdentityPorts } from '../../client/identity/identity.ts'
import { idDigits, makeRecovery } from '../../client/identity/recovery.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Call, Command, Context } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { cliDevicePath } from '../key-store.ts'
import { keepName, keptName, moveIn } from '../move-in.ts'
import { requireOwnKeyIn } from '../shut-out.ts'
import { handOutWords, wordsFileOption } from '../recovery-screen.ts'

const nameLengthMax = 60

export const init: Command = {
  name: 'init',
  summary: 'write a config file; with --user make an identity for this command line',
  operands: [],
  options: {
    user: { type: 'string', value: 'NAME', help: 'make the identity of a person with this name' },
    'words-file': wordsFileOption,
    'no-recovery': { type: 'boolean', help: 'make no recovery words' },
  },
  examples: [
    ['onehop init', 'a config file to edit'],
    ['onehop init --user Ada', 'you, with this command line as your first device'],
    ['onehop init --user Ada --words-file ~/words.txt --json', 'in a script; then put the file away'],
  ],
  notes: [
    'Nothing is ever overwritten: run it again when a node has been started, and that node is admitted and hosts you.',
    'The key file (onehop paths shows where) is you. A copy of it is good only to put back on the same machine once it is',
    'gone: a key with which two places write nodes refuse (EQUIVOCATION), until onehop devices renew.',
    '24 recovery words are shown once and two of them asked back. From them alone everything comes back when all your',
    'devices and your node are gone (onehop recover). Who has them is you: they read what is private and shut out your',
    `devices. Write them on paper, and beside them the first ${idDigits} digits of your id; they are kept nowhere. They go to a`,
    'terminal or into --words-file (mode 0600), never to standard output and never into --json; without a terminal, name',
    'the file or say --no-recovery. They are shown on the second screen of the terminal, and its scrollback is cleared',
    'after it; one that has no second screen (the Linux console, screen without altscreen) may keep them all the same:',
    'close it afterwards.',
  ].join('\n'),
  async run(call) {
    const { flags, context, output } = call
    const user = flags.text('user')?.trim()
    if (user !== undefined && (user === '' || Buffer.byteLength(user) > nameLengthMax))
      throw new UsageError(`--user takes a name of 1 to ${nameLengthMax} bytes`)
    const crypto = await context.crypto()
    const ports = { keys: context.keys(), crypto }
    const before = await openIdentity(ports)
    if (before !== undefined && user !== undefined) await requireSameName(context, user)
    const madeConfig = await writeConfig(context.configPath)
    if (!output.json)
      output.words(
        madeConfig ? `Wrote ${context.configPath}` : `Config file ${context.configPath} stays as it is.`,
      )
    if (user === undefined && before === undefined) {
      if (output.json) output.line({ config: context.configPath, madeConfig, identity: null })
      else
        output.words('Next: onehop start, or onehop init --user NAME for an identity of this command line.')
      return exitCodes.ok
    }
    const { identity, hasRecovery } =
      before === undefined ? await makePerson(call, ports) : { identity: before, hasRecovery: false }
    if (before === undefined && user !== undefined) await keepName(context, user)
    const id = toHex(identity.id)
    requireOwnKeyIn(context, identity)
    if (!output.json) await sayIdentity(call, id, user, { isMade: before === undefined, hasRecovery })
    if (!output.json && hasRecovery)
      output.words(
        `Write its first ${idDigits} digits beside your recovery words: onehop recover asks for them.`,
      )
    const daemon = await context.findDaemon()
    const hosted = daemon === undefined ? undefined : await moveIn(call, daemon, identity)
    if (output.json) {
      output.line({
        config: context.configPath,
        madeConfig,
        identity: id,
        madeIdentity: before === undefined,
        device: toHex(identity.device.key),
        keyFile: cliDevicePath(context.environment),
        wordsFile: hasRecovery ? (flags.text('words-file') ?? null) : null,
        hosted: daemon?.runtime.node ?? null,
        copies: hosted?.members ?? null,
        problem: hosted?.problem?.message ?? null,
      })
    } else if (daemon === undefined)
      output.words('No node runs here. Next: onehop start, then onehop init again.')
    return exitCodes.ok
  },
}

/** The words come first: interrupted before they are written down, nobody was made. */
async function makePerson(
  call: Call,
  ports: IdentityPorts,
): Promise<{ readonly identity: Identity; readonly hasRecovery: boolean }> {
  const { flags } = call
  const file = flags.text('words-file')
  if (flags.on('no-recovery')) {
    if (file !== undefined) throw new UsageError('--words-file and --no-recovery contradict each other')
    return { identity: await makeIdentity(ports), hasRecovery: false }
  }
  const recovery = makeRecovery(ports.crypto)
  await handOutWords(call, recovery.words, file, ', or go without them (--no-recovery)')
  return { identity: await makeIdentity({ ...ports, recovery: recovery.keys }), hasRecovery: true }
}

/** With two in use, each signs another record of the same number, and nodes refuse the key from then on. */
const copyWords =
  'A copy of it is good only to put back here once it is gone: nodes refuse a key that is used in two places.'

/** Undefined where the person was made elsewhere: then nothing can be said about the name. */
async function requireSameName(context: Context, user: string): Promise<void> {
  const kept = await keptName(context)
  if (kept === undefined || kept === user) return
  throw new UsageError(
    `this command line belongs to ${kept} already, and stays theirs; nothing was changed`,
    `onehop init goes on as ${kept}. Somebody else takes another user of this machine, or another XDG_DATA_HOME.`,
  )
}

async function sayIdentity(
  { context, output }: Call,
  id: string,
  user: string | undefined,
  { isMade, hasRecovery }: { readonly isMade: boolean; readonly hasRecovery: boolean },
) {
  if (isMade) {
    output.words(`${output.green('You are')} ${output.bold(user ?? '')}`)
    output.words(`Your key is in ${cliDevicePath(context.environment)}. ${copyWords}`)
    output.words(
      hasRecovery
        ? 'Anywhere else the recovery words bring you back: keep those.'
        : 'Anywhere else only recovery words bring you back: onehop recovery new makes them.',
    )
  } else if (user !== undefined) {
    const who = (await keptName(context)) ?? 'somebody'
    output.words(`This command line belongs to ${who} already; nothing of that was changed.`)
  }
  output.data(id)
}

/** Only its first settings: the rest are defaults that releases may improve. False when there is one already. */
async function writeConfig(path: string): Promise<boolean> {
  const starter = { name: hostname().slice(0, 64), region: '/geo' }
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, `${JSON.stringify(starter, undefined, 2)}\n`, { flag: 'wx' })
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new OnehopError('BAD_CONFIG', `cannot write ${path}: ${(cause as Error).message}`, {
      cause,
      help: 'Name a file that this user may write: --config FILE.',
    })
  }
}
