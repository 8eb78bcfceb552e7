/** Moving in: a node of this machine hosts this command line's person, and neighbours keep copies. */
import { connect } from '../client/connect.ts'
import { httpTransport } from '../client/http.ts'
import type { Identity } from '../client/identity/identity.ts'
import { microblog } from '../client/microblog.ts'
import { toHex } from '../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Call, Context } from './command.ts'
import type { Daemon } from './daemon.ts'
import { requireNodeIn, requireOwnKeyIn } from './shut-out.ts'
import { counted } from './units.ts'

/** Kept until a node can be given the profile. */
const nameEntry = 'cli/name'

export async function keepName(context: Context, name: string): Promise<void> {
  await context.keys().write(new Map([[nameEntry, Buffer.from(name)]]))
}

/** Undefined where the person was made elsewhere. */
export async function keptName(context: Context): Promise<string | undefined> {
  const known = await context.keys().get(nameEntry)
  return known === undefined ? undefined : Buffer.from(known).toString('utf8')
}

export interface MoveInOptions {
  /** The command to repeat when something did not work. */
  readonly again?: string
  /** Where others hold the shard already: makes this node its home, or throws. Answers who holds it then. */
  readonly place?: (() => Promise<readonly Uint8Array[]>) | undefined
}

export interface MovedIn {
  readonly members: number | undefined
  /** Of what comes after hosting, which stands by itself. */
  readonly problem: OnehopError | undefined
}

/** The node is admitted, hosts the person, and gets their profile; every step is left out that was done before. */
export async function moveIn(
  { context, output }: Pick<Call, 'context' | 'output'>,
  daemon: Daemon,
  identity: Identity,
  { again = 'onehop init', place }: MoveInOptions = {},
): Promise<MovedIn> {
  const { signal } = context
  const { call } = daemon
  const keys = context.keys()
  const name = (await keptName(context)) ?? ''
  const { node, box, possession } = await call('admin.prove', { identity: identity.id }, { signal })
  requireOwnKeyIn(context, identity)
  requireNodeIn(identity, node)
  const log = await identity.withDevice({ key: node, boxKey: box, possession, role: 'node' })
  const { results } = await call('admin.host.add', { hosts: [{ log, label: name }] }, { signal })
  const [result] = results
  if (result === undefined || result.code !== null)
    throw new OnehopError(
      'FORBIDDEN',
      `the node does not host you: ${result?.message ?? 'it gave no answer'}`,
    )
  // Kept when the node took it: what was refused is not to be told with what comes next.
  await identity.learn(log)
  // What the node has heard, and this command line perhaps not: as somebody who was shut out nobody lives anywhere.
  await identity.learn((await call('identity.get', { identity: identity.id }, { signal })).log)
  requireOwnKeyIn(context, identity)
  requireNodeIn(identity, node)
  if (!output.json) output.words(`This node hosts you now, as ${toHex(node).slice(0, 12)}.`)
  try {
    const crypto = await context.crypto()
    await using app = await connect({
      schema: microblog,
      // This node and no nearer one: it is the one that is to be the home.
      transport: httpTransport({ address: daemon.runtime.http }),
      keys,
      crypto,
      identity,
      signal,
    })
    if (place !== undefined) await app.publish()
    const members = place === undefined ? (await app.place()).members : await place()
    const profile = app.collection('profile')
    if (name !== '' && (await profile.get()) === undefined) await (await profile.put({ name })).accepted
    if (!output.json) output.words(`${counted(members.length, 'node')} will keep your records.`)
    return { members: members.length, problem: undefined }
  } catch (error) {
    if (place !== undefined) throw error
    const problem = asOnehopError(error)
    if (!output.json)
      output.words(output.yellow(`Not all is done: ${problem.message}. Run ${again} again later.`))
    return { members: undefined, problem }
  }
}
