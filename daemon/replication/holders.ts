import { toHex } from '../../protocol/bytes.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId } from '../net/rpc.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'

/** Which shards this node holds together with which other node. Kept in step with the replica sets. */
export class Holders {
  readonly #self: NodeId
  readonly #hosting: Hosting
  readonly #replicaSets: ReplicaSets
  readonly #shared = new Map<NodeId, Map<string, IdentityId>>()

  constructor(self: NodeId, hosting: Hosting, replicaSets: ReplicaSets) {
    this.#self = self
    this.#hosting = hosting
    this.#replicaSets = replicaSets
    for (const { owner } of hosting.list()) this.refresh(owner)
    replicaSets.onChanged((chain) => this.refresh(chain.newest.owner))
  }

  /** Other holders of a shard, in the set's order. */
  others(owner: IdentityId): readonly NodeId[] {
    return this.#replicaSets.members(owner).filter((node) => node !== this.#self)
  }

  /** Shards held in common with a node. */
  shared(node: NodeId): readonly IdentityId[] {
    return [...(this.#shared.get(node)?.values() ?? [])]
  }

  isShared(node: NodeId, owner: IdentityId): boolean {
    return this.#shared.get(node)?.has(toHex(owner)) === true
  }

  /** It has a seat now, beside this node: not only one that it lost. */
  isSeated(node: NodeId, owner: IdentityId): boolean {
    return this.isShared(node, owner) && this.#replicaSets.members(owner).includes(node)
  }

  /** Had a seat, and says that it holds nothing any more. */
  left(node: NodeId, owner: IdentityId): void {
    if (this.isSeated(node, owner)) return
    const owners = this.#shared.get(node)
    owners?.delete(toHex(owner))
    if (owners?.size === 0) this.#shared.delete(node)
  }

  nodes(): readonly NodeId[] {
    return [...this.#shared.keys()]
  }

  /** After the set changed, or this node began or ceased to hold the shard. */
  refresh(owner: IdentityId): void {
    const name = toHex(owner)
    const others = this.#hosting.has(owner) ? new Set(this.others(owner)) : new Set<NodeId>()
    // Those who lost their seat stay for one comparison more: they may hold what nobody else has.
    for (const node of this.#former(owner)) if (this.#hosting.has(owner)) others.add(node)
    for (const [node, owners] of this.#shared) {
      if (others.has(node)) continue
      owners.delete(name)
      if (owners.size === 0) this.#shared.delete(node)
    }
    for (const node of others) {
      const owners = this.#shared.get(node) ?? new Map<string, IdentityId>()
      this.#shared.set(node, owners.set(name, owner))
    }
  }

  /** May this node be told and tell about the shard: it has, or in this epoch had, a seat. */
  isHolder(owner: IdentityId, node: NodeId): boolean {
    return this.#replicaSets.members(owner).includes(node) || this.#former(owner).includes(node)
  }

  #former(owner: IdentityId): readonly NodeId[] {
    const sets = this.#replicaSets.get(owner)?.sets ?? []
    const seats = sets.slice(0, -1).flatMap((set) => set.members.map((member) => toHex(member.node)))
    return [...new Set(seats)].filter((node) => node !== this.#self)
  }
}
