import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { checkChain, unpackChain, type ReplicaSetChain } from '../../protocol/placement/chain.ts'
import { compareReplicaSets } from '../../protocol/placement/replica-set.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { mayPlace } from '../../protocol/placement/may-place.ts'
import type { Store } from '../../storage/types.ts'
import type { Identities } from '../identities.ts'
import type { NodeId } from '../net/rpc.ts'

const kind = 'replica-set'
/** Decoded chains kept in memory: those of the shards held here and of the people followed from here. */
const chainsMax = 32_768
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
  readonly #chains = new Map<string, Known>()
  /** Thousands of shards have the same few members: one text for each of these. */
  readonly #nodes = new Map<NodeId, NodeId>()
  readonly #listeners = new Set<ReplicaSetListener>()

  constructor(store: Store, crypto: CryptoProvider, identities: Identities) {
    this.#store = store
    this.#crypto = crypto
    this.#identities = identities
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
    const bytes = this.#store.documents.get(kind, owner)
    return bytes === undefined ? undefined : this.#remember(name, unpackChain(this.#crypto, bytes))
  }

  /**
   * Keeps the chain if it is newer than the one known. Throws UNKNOWN_IDENTITY (its owner's log must
   * come first) or FORBIDDEN when a signature that it needs is missing.
   */
  async accept(chain: ReplicaSetChain): Promise<{ chain: ReplicaSetChain; isNews: boolean }> {
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

    const isNews = await this.#store.write((batch) => {
      const stored = this.#store.documents.getIn(batch, kind, owner)
      // Another may have come in while this one was checked.
      if (stored !== undefined && !isNewer(chain, unpackChain(this.#crypto, stored))) return false
      this.#store.documents.putIn(batch, kind, owner, chain.bytes)
      return true
    })
    if (!isNews) return { chain: this.get(owner) ?? chain, isNews }
    this.#remember(toHex(owner), chain)
    for (const listener of this.#listeners) listener(chain, known)
    return { chain, isNews }
  }

  onChanged(listener: ReplicaSetListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #remember(name: string, chain: ReplicaSetChain): Known {
    const members = chain.newest.members.map(({ node }) => this.#intern(toHex(node)))
    const known = { chain, members }
    this.#chains.delete(name)
    this.#chains.set(name, known)
    if (this.#chains.size > chainsMax) this.#chains.delete(this.#chains.keys().next().value as string)
    return known
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
