import { nameOf } from '../../protocol/id-name.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { NodeId } from '../net/rpc.ts'

/**
 * Shards that were written to and then no more for a while, by the other holders that may lack something of them. What one
 * holder brought to all is known to be at that one alone, and nobody else would say so before the next full comparison.
 */
export class QuietShards {
  readonly #quietMs: number
  /** When each was last written to; the oldest first. Monotonic. */
  readonly #written = new Map<string, { readonly owner: IdentityId; readonly atMs: number }>()
  readonly #toCompare = new Map<NodeId, Map<string, IdentityId>>()
  readonly #comparedMs = new Map<NodeId, number>()

  constructor(quietMs: number) {
    this.#quietMs = quietMs
  }

  written(owner: IdentityId, nowMs: number): void {
    const name = nameOf(owner)
    this.#written.delete(name)
    this.#written.set(name, { owner, atMs: nowMs })
  }

  /**
   * What is to be compared with each node now. Gathered: with a node one comparison of many shards in so long, and none
   * where nothing was written.
   */
  take(
    nowMs: number,
    othersOf: (owner: IdentityId) => readonly NodeId[],
    isReady: (node: NodeId) => boolean,
  ): ReadonlyMap<NodeId, readonly IdentityId[]> {
    for (const [name, { owner, atMs }] of this.#written) {
      if (nowMs - atMs < this.#quietMs) break
      this.#written.delete(name)
      for (const node of othersOf(owner)) {
        const owners = this.#toCompare.get(node) ?? new Map<string, IdentityId>()
        this.#toCompare.set(node, owners.set(name, owner))
      }
    }
    const due = new Map<NodeId, readonly IdentityId[]>()
    for (const [node, owners] of this.#toCompare) {
      if (nowMs - (this.#comparedMs.get(node) ?? -Infinity) < this.#quietMs || !isReady(node)) continue
      this.#toCompare.delete(node)
      this.#comparedMs.set(node, nowMs)
      due.set(node, [...owners.values()])
    }
    return due
  }

  /** All that is held in common is compared once the node is back. */
  gone(node: NodeId): void {
    this.#toCompare.delete(node)
    this.#comparedMs.delete(node)
  }
}
