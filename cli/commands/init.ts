import { mkdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { connect } from '../../client/connect.ts'
import { makeIdentity, openIdentity } from '../../client/identity.ts'
import type { Identity } from '../../client/identity.ts'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Call, Command, Context } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { cliDevicePath } from '../key-store.ts'
import { counted } from '../units.ts'

const nameLengthMax = 60

export const init: Command = {
  name: 'init',
  summary: 'write a config file; with --user make an identity for this command line',
  operands: [],
  options: {
    user: { type: 'string', value: 'NAME', help: 'make the identity of a person with this name' },
  },
  examples: [
    ['onehop init', 'a config file to edit'],
    ['onehop init --user Ada', 'you, with this command line as your first device'],
  ],
  notes: [
    'Nothing is ever overwritten: run it again when a node has been started, and that node is admitted and hosts you.',
    'The key file (onehop paths shows where) is you. Keep a copy of it: this release has no recovery words yet.',
  ].join('\n'),
  async run(call) {
    const { flags, context, output } = call
    const user = flags.text('user')?.trim()
    if (user !== undefined && (user === '' || Buffer.byteLength(user) > nameLengthMax))
      throw new UsageError(`--user takes a name of 1 to ${nameLengthMax} bytes`)
    const madeConfig = await writeConfig(context.configPath)
    if (!output.json)
      output.words(
        madeConfig ? `Wrote ${context.configPath}` : `Config file ${context.configPath} stays as it is.`,
      )
    const crypto = await context.crypto()
    const ports = { keys: context.keys(), crypto }
    const before = await openIdentity(ports)
    if (user === undefined && before === undefined) {
      if (output.json) output.line({ config: context.configPath, madeConfig, identity: null })
      else
        output.words('Next: onehop start, or onehop init --user NAME for an identity of this command line.')
      return exitCodes.ok
    }
    const identity = before ?? (await makeIdentity(ports))
    if (before === undefined && user !== undefined) await keepName(context, user)
    const id = toHex(identity.id)
    if (!output.json) await sayIdentity(call, id, before === undefined, user)
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
        hosted: daemon?.runtime.node ?? null,
        copies: hosted?.members ?? null,
        problem: hosted?.problem?.message ?? null,
      })
    } else if (daemon === undefined)
      output.words('No node runs here. Next: onehop start, then onehop init again.')
    return exitCodes.ok
  },
}

/** Kept until a node can be given the profile. */
const nameEntry = 'cli/name'

async function keepName(context: Context, name: string): Promise<void> {
  await context.keys().write(new Map([[nameEntry, Buffer.from(name)]]))
}

async function sayIdentity({ context, output }: Call, id: string, made: boolean, user: string | undefined) {
  if (made) {
    output.words(`${output.green('You are')} ${output.bold(user ?? '')}`)
    output.words(`Your key is in ${cliDevicePath(context.environment)}. Keep a copy of it.`)
  } else if (user !== undefined) {
    const known = await context.keys().get('cli/name')
    const who = known === undefined ? 'somebody' : Buffer.from(known).toString('utf8')
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

interface MovedIn {
  readonly members: number | undefined
  /** Of what comes after hosting, which stands by itself. */
  readonly problem: OnehopError | undefined
}

/** The node is admitted, hosts the person, and gets their profile; every step is left out that was done before. */
async function moveIn({ context, output }: Call, daemon: Daemon, identity: Identity): Promise<MovedIn> {
  const { signal } = context
  const { call } = daemon
  const keys = context.keys()
  const known = await keys.get(nameEntry)
  const name = known === undefined ? '' : Buffer.from(known).toString('utf8')
  const { node, box, possession } = await call('admin.prove', { identity: identity.id }, { signal })
  await identity.admit({ key: node, boxKey: box, possession, role: 'node' })
  const { results } = await call(
    'admin.host.add',
    { hosts: [{ log: identity.log(), label: name }] },
    { signal },
  )
  const [result] = results
  if (result === undefined || result.code !== null)
    throw new OnehopError(
      'FORBIDDEN',
      `the node does not host you: ${result?.message ?? 'it gave no answer'}`,
    )
  if (!output.json) output.words(`This node hosts you now, as ${toHex(node).slice(0, 12)}.`)
  try {
    const crypto = await context.crypto()
    await using app = await connect({
      schema: microblog,
      node: daemon.runtime.http,
      keys,
      crypto,
      identity,
      signal,
    })
    const { members } = await app.place()
    const profile = app.collection('profile')
    if (name !== '' && (await profile.get()) === undefined) await (await profile.put({ name })).accepted
    if (!output.json) output.words(`${counted(members.length, 'node')} will keep your records.`)
    return { members: members.length, problem: undefined }
  } catch (error) {
    const problem = asOnehopError(error)
    if (!output.json)
      output.words(output.yellow(`Not all is done: ${problem.message}. Run onehop init again later.`))
    return { members: undefined, problem }
  }
}
