/**
 * Whoever was made before there were neighbours has a set of one node, and nobody in waiting: as only a device of the owner's
 * signs who holds what, the node can add nobody by itself. So such a device has it look again now and then.
 */
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { equalBytes } from '../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import { unpackChain } from '../protocol/placement/chain.ts'
import type { ReplicaSet, Seat } from '../protocol/placement/replica-set.ts'
import { hasEmptySeats, hasSurplus, type IsGone, isMore, isTrimmed } from '../protocol/placement/seating.ts'
import type { Clock, Log } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { withDeadline } from './deadline.ts'
import { formerHome } from './home.ts'
import type { Identity } from './identity/identity.ts'
import { keyNames } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import { clientLimits } from './limits.ts'
import { commitSet, proposeSet } from './placement.ts'
import type { PlaceOptions } from './placement.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface FillParts {
  /** To the home of the shard, by the administrator or a session of an owner's device. */
  readonly call: Transport['call']
  readonly identity: Identity
  readonly crypto: CryptoProvider
}

/** How many hold a shard now, the home included, and how many should. */
export interface Filled {
  readonly members: number
  readonly wanted: number
}

/** Asks the neighbours for as many copies as the node's config says, and signs what they promise where it is no less than there is. */
export async function fillShard(
  parts: FillParts,
  owner: IdentityId,
  options: CallOptions = {},
): Promise<Filled> {
  const known = (await knownSet(parts, owner, options))?.set
  const least = known?.members.length ?? 0
  return fill(parts, owner, known, ({ members }) => members.length >= least, options)
}

/** The groups that the person owns and that live at the home. */
export async function ownedGroups(
  { call, identity }: Pick<FillParts, 'call' | 'identity'>,
  options: CallOptions = {},
): Promise<readonly { readonly group: IdentityId; readonly label: string }[]> {
  const { groups } = await call('identity.groups', { owner: identity.id }, options)
  return groups.filter(({ role, held }) => role === 'owner' && held)
}

/** While an app is connected. */
export class Seats {
  readonly #parts: FillParts & { readonly clock: Clock; readonly keys: KeyStore; readonly log: Log }
  #looking: Promise<void> | undefined
  #lookedMs = -Infinity

  constructor(parts: FillParts & { readonly clock: Clock; readonly keys: KeyStore; readonly log: Log }) {
    this.#parts = parts
  }

  /** In the background, once a minute at most: when an app connects, and with what it writes. No timer, which would keep a process alive. */
  keepFilled(signal: AbortSignal): void {
    const { clock, log } = this.#parts
    const nowMs = clock.monotonicMs()
    if (signal.aborted || nowMs - this.#lookedMs < clientLimits.seatsLookMs) return
    this.#lookedMs = nowMs
    this.#looking = this.#look(signal).catch((cause: unknown) => {
      if (!signal.aborted) log.info('seats-not-filled', { code: asOnehopError(cause).code })
    })
  }

  /** A look that has begun: a command is over before it would be, and would never get there. */
  async settled(): Promise<void> {
    const looking = this.#looking
    if (looking === undefined) return
    await withDeadline(this.#parts.clock, clientLimits.seatsCloseMs, undefined, () => looking).catch(
      () => undefined,
    )
  }

  async #look(signal: AbortSignal): Promise<void> {
    if (!(await this.#isTime())) return
    const { identity } = this.#parts
    const groups = await ownedGroups(this.#parts, { signal })
    const owners = [identity.id, ...groups.slice(0, clientLimits.seatsGroupsMax).map(({ group }) => group)]
    for (const owner of owners) {
      const known = await knownSet(this.#parts, owner, { signal })
      if (known === undefined) continue
      const { set, isGone, former } = known
      if (!hasEmptySeats(set, isGone) && !hasSurplus(set)) continue
      const isWelcome = (proposed: ReplicaSet): boolean =>
        (isMore(proposed, set, isGone) || isTrimmed(proposed, set)) && isHomeAgain(proposed, former)
      await fill(this.#parts, owner, set, isWelcome, {
        copies: set.copies,
        signal,
      })
    }
  }

  /** Commands come one after another: what the last one looked at the next need not. */
  async #isTime(): Promise<boolean> {
    const { clock, keys } = this.#parts
    const nowMs = clock.nowMs()
    const kept = await keys.get(keyNames.seats)
    const lastMs = kept === undefined ? Number.NaN : Number(new TextDecoder().decode(kept))
    // A clock that was set back is no reason to wait.
    if (Math.abs(nowMs - lastMs) < clientLimits.seatsLookMs) return false
    await keys.write(new Map([[keyNames.seats, new TextEncoder().encode(String(nowMs))]]))
    return true
  }
}

async function fill(
  parts: FillParts,
  owner: IdentityId,
  known: ReplicaSet | undefined,
  isWelcome: (proposed: ReplicaSet) => boolean,
  { copies, signal, timeoutMs }: PlaceOptions,
): Promise<Filled> {
  const { identity, crypto } = parts
  const options = { owner, copies, except: expelled(identity), signal, timeoutMs }
  const proposed = await proposeSet(parts, identity, crypto, options)
  if (!isWelcome(proposed.set))
    return { members: known?.members.length ?? 0, wanted: proposed.set.copies + 1 }
  const { members } = await commitSet(parts, identity, crypto, proposed, options)
  return { members: members.length, wanted: proposed.set.copies + 1 }
}

/** A seat that others took goes back to the node that had it, and to no other. */
function isHomeAgain({ members }: ReplicaSet, former: Seat | undefined): boolean {
  const [home] = members
  return former === undefined || (home !== undefined && equalBytes(home.node, former.node))
}

/** Nodes that the person has put out: a box that was stolen. */
function expelled({ state }: Identity): readonly Uint8Array[] {
  return [...state.devices.values()]
    .filter(({ role, revoked }) => role === 'node' && revoked !== undefined)
    .map(({ key }) => key)
}

interface KnownSet {
  readonly set: ReplicaSet
  /** As the home sees it. */
  readonly isGone: IsGone
  /** The home, where others have taken its seat. */
  readonly former: Seat | undefined
}

/** Undefined where nobody has signed one yet. */
async function knownSet(
  { call, crypto }: FillParts,
  owner: IdentityId,
  options: CallOptions,
): Promise<KnownSet | undefined> {
  try {
    const { replicaSet, gone } = await call('replica-set.get', { owner }, options)
    const isGone: IsGone = ({ node }) => gone.some((one) => equalBytes(one, node))
    const chain = unpackChain(crypto, replicaSet)
    return { set: chain.newest, isGone, former: formerHome(chain) }
  } catch (error) {
    if (error instanceof OnehopError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
