import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { checkChain, unpackChain, type ReplicaSetChain } from '../../protocol/placement/chain.ts'
import { limits } from '../../protocol/limits.ts'
import { compareReplicaSets, epochMax } from '../../protocol/placement/replica-set.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { mayPlace } from '../../protocol/placement/may-place.ts'
import type { Store } from '../../storage/types.ts'
import type { Identities } from '../identities.ts'
import type { NodeId } from '../net/rpc.ts'
import { Visitors } from '../visitors.ts'

export const replicaSetKind = 'replica-set'
/** Decoded chains kept in memory: those of the shards held here and of the people followed from here. */
const chainsMax = 32_768
/** Sets of people who were only looked up: those of some thousand, about 2 KB each. */
const visitorBytesMax = 8 * 2 ** 20
/** Four times the neighbours that a node remembers. */
const nodesMax = 4_096

/** Member ids are spelt out once for each set: every heartbeat looks at those of thousands. */
interface Known {
  readonly chain: ReplicaSetChain
  readonly members: readonly NodeId[]
}

export type ReplicaSetListener = (chain: ReplicaSetChain, before: ReplicaSetChain | undefined) => void

/** The newest replica set of every shard that this node heard of. Whoever brings one, it is checked here. */
export class ReplicaSets {
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #identities: Identities
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #chains = new Map<string, Known>()
  /** Of people whose logs are not kept: strangers may have us look up anybody. */
  readonly #visitors = new Visitors<Known>(visitorBytesMax)
  /** Thousands of shards have the same few members: one text for each of these. */
  readonly #nodes = new Map<NodeId, NodeId>()
  readonly #listeners = new Set<ReplicaSetListener>()

  constructor(store: Store, crypto: CryptoProvider, identities: Identities, clock: Pick<Clock, 'nowMs'>) {
    this.#store = store
    this.#crypto = crypto
    this.#identities = identities
    this.#clock = clock
    identities.onKept((owner) => this.#keep(owner))
  }

  get(owner: IdentityId): ReplicaSetChain | undefined {
    return this.#known(owner)?.chain
  }

  /** Nodes that hold the shard, in their order; empty when its set is not known. */
  members(owner: IdentityId): readonly NodeId[] {
    return this.#known(owner)?.members ?? []
  }

  #known(owner: IdentityId): Known | undefined {
    const name = toHex(owner)
    const known = this.#chains.get(name)
    if (known !== undefined) return known
    const visitor = this.#visitors.get(name)
    if (visitor !== undefined) return visitor
    const bytes = this.#store.documents.get(replicaSetKind, owner)
    return bytes === undefined ? undefined : this.#remember(name, unpackChain(this.#crypto, bytes))
  }

  /**
   * Keeps the chain if it is newer than the one known. Throws UNKNOWN_IDENTITY (its owner's log must
   * come first) or FORBIDDEN when a signature that it needs is missing. `before` is waited for once it is known to stand, and is not
   * on the disk yet.
   */
  async accept(
    chain: ReplicaSetChain,
    before: () => Promise<void> = async () => undefined,
  ): Promise<{ chain: ReplicaSetChain; isNews: boolean }> {
    const owner = chain.newest.owner
    const known = this.get(owner)
    if (known !== undefined && compareReplicaSets(chain.newest, known.newest) >= 0) {
      return { chain: known, isNews: false }
    }
    const state = this.#identities.get(owner)
    if (state === undefined)
      throw new OnehopError('UNKNOWN_IDENTITY', `no identity log of ${toHex(owner)} here`)
    const problem = checkChain(this.#crypto, chain, owner, (key) =>
      mayPlace(state, key, (id) => this.#identities.get(id)),
    )
    if (problem !== undefined)
      throw new OnehopError('FORBIDDEN', `replica set of ${toHex(owner)}: ${problem}`)
    if (chain.newest.epoch > epochMax(this.#clock.nowMs() + limits.clockAheadMsMax))
      throw new OnehopError('FORBIDDEN', `replica set of ${toHex(owner)}: its epoch is out of reach`)

    if (this.#identities.isKept(owner)) {
      await before()
      if (!(await this.#put(owner, chain))) return { chain: this.get(owner) ?? chain, isNews: false }
    } else {
      this.#visitors.set(toHex(owner), this.#spelt(chain), chain.bytes.length)
    }
    for (const listener of this.#listeners) listener(chain, known)
    return { chain, isNews: true }
  }

  /** False where another, newer one came in while this one was checked. */
  async #put(owner: IdentityId, chain: ReplicaSetChain): Promise<boolean> {
    const isNews = await this.#store.write((batch) => {
      const stored = this.#store.documents.getIn(batch, replicaSetKind, owner)
      if (stored !== undefined && !isNewer(chain, unpackChain(this.#crypto, stored))) return false
      this.#store.documents.putIn(batch, replicaSetKind, owner, chain.bytes)
      return true
    })
    if (isNews) this.#remember(toHex(owner), chain)
    return isNews
  }

  /** Somebody lives here now, or is followed from here, who was only looked up before. */
  async #keep(owner: IdentityId): Promise<void> {
    const name = toHex(owner)
    const visitor = this.#visitors.get(name)
    if (visitor !== undefined) await this.#put(owner, visitor.chain)
    this.#visitors.delete(name)
  }

  onChanged(listener: ReplicaSetListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #remember(name: string, chain: ReplicaSetChain): Known {
    const known = this.#spelt(chain)
    this.#chains.delete(name)
    this.#chains.set(name, known)
    if (this.#chains.size > chainsMax) this.#chains.delete(this.#chains.keys().next().value as string)
    return known
  }

  #spelt(chain: ReplicaSetChain): Known {
    return { chain, members: chain.newest.members.map(({ node }) => this.#intern(toHex(node))) }
  }

  #intern(node: NodeId): NodeId {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known
    if (this.#nodes.size >= nodesMax) this.#nodes.clear()
    this.#nodes.set(node, node)
    return node
  }
}

function isNewer(a: ReplicaSetChain, b: ReplicaSetChain): boolean {
  return compareReplicaSets(a.newest, b.newest) < 0
}
