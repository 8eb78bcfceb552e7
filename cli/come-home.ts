/** A shard that others hold comes to live at the node here: those who have the records keep a seat, or it does not come. */
import type { Identity } from '../client/identity/identity.ts'
import { commitSet, proposeSet } from '../client/placement.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Seat } from '../protocol/placement/replica-set.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Context } from './command.ts'
import type { Daemon } from './daemon.ts'
import { newestSet } from './seats.ts'
import { shortId } from './units.ts'

export interface Homecoming {
  /** A group that the person owns; their own shard when not given. */
  readonly owner?: IdentityId | undefined
  readonly copies?: number | undefined
  /** Nodes that are gone: they keep no seat, and nobody waits for them. */
  readonly except?: readonly Uint8Array[] | undefined
  /** Also where nobody who has the records answers. */
  readonly startsEmpty?: boolean | undefined
}

/**
 * Answers who holds it from then on. A set that names nobody who held the shard would leave its records behind, and what is
 * here, none, would count as all there is: UNREACHABLE then, and nothing is signed.
 */
export async function comeHome(
  context: Context,
  { call, runtime }: Pick<Daemon, 'call' | 'runtime'>,
  identity: Identity,
  { owner = identity.id, copies, except = [], startsEmpty = false }: Homecoming = {},
): Promise<readonly Uint8Array[]> {
  const { signal } = context
  const before = await newestSet(context, { call }, owner)
  const members = before?.members ?? []
  const isHere = ({ node }: Seat): boolean => toHex(node) === runtime.node
  if (members[0] !== undefined && isHere(members[0])) return members.map(({ node }) => node)
  const isIn = (list: readonly Uint8Array[], node: Uint8Array): boolean =>
    list.some((one) => equalBytes(one, node))
  const former = members.filter((seat) => !isHere(seat) && !isIn(except, seat.node))
  const crypto = await context.crypto()
  const proposed = await proposeSet({ call }, identity, crypto, { owner, copies, except, signal })
  const seated = proposed.set.members.map(({ node }) => node)
  const isLeftBehind =
    before === undefined ? livedElsewhere(identity, owner, runtime.node) : former.length > 0
  if (isLeftBehind && !startsEmpty && !former.some(({ node }) => isIn(seated, node)))
    throw new OnehopError('UNREACHABLE', nobody(owner, identity, former), {
      help: 'Run it again when one of them runs. If none ever will, begin without what they had: --start-empty.',
    })
  return (await commitSet({ call }, identity, crypto, proposed, { signal })).members
}

/** Then somebody has a set of theirs, though nobody was found who knows it. */
function livedElsewhere(identity: Identity, owner: IdentityId, here: string): boolean {
  if (!equalBytes(owner, identity.id)) return true
  return [...identity.state.devices.values()].some(({ role, key }) => role === 'node' && toHex(key) !== here)
}

function nobody(owner: IdentityId, identity: Identity, former: readonly Seat[]): string {
  const what = equalBytes(owner, identity.id) ? 'your records' : `the group ${shortId(owner)}`
  const names = former.map(({ node }) => toHex(node).slice(0, 12)).join(', ')
  return `nobody who has ${what} answers${names === '' ? ', or is known' : `: ${names}`}`
}

/** Another node that came to be the home at the same time may have left this one without a seat; then it takes one again. */
export async function keepSeat(
  context: Context,
  daemon: Pick<Daemon, 'call' | 'runtime'>,
  identity: Identity,
  options: Homecoming & { readonly owner: IdentityId },
): Promise<void> {
  const set = await newestSet(context, daemon, options.owner)
  if (set === undefined || set.members.some(({ node }) => toHex(node) === daemon.runtime.node)) return
  await comeHome(context, daemon, identity, { ...options, copies: set.copies })
}
