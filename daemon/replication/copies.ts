import { toHex } from '../../protocol/bytes.ts'
import { nameOf } from '../../protocol/id-name.ts'
import type { IdentityId, RecordId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Arrival } from '../ingest.ts'
import type { NodeId } from '../net/rpc.ts'
import { findRefs } from './find-refs.ts'
import type { Holders } from './holders.ts'
import type { Receipts } from './receipts.ts'

export interface CopiesParts {
  readonly store: Store
  readonly holders: Holders
  readonly receipts: Receipts
}

/** Arrivals whose place in the log is remembered. */
const positionsMax = 65_536
/** (holder, shard) pairs that were found equal. */
const equalsMax = 131_072
/** So far back a stranger's question is looked up; to go through a million records takes seconds. */
const latelyMax = 4_096

/**
 * How many nodes have a record on disk, as apps are told. Only two things count for another node: its receipt for
 * that record, or a comparison that found it equal after the record had come in. A push cursor does not: it moves
 * over what others brought, which that node may still lack.
 */
export class Copies {
  readonly #parts: CopiesParts
  /** Place in its shard's arrival log, by record id. */
  readonly #positions = new Map<string, number>()
  /** The record at the head of each shard's log. */
  readonly #newest = new Map<string, { id: RecordId; position: number }>()
  /** Up to which place of the arrival log a holder was found equal. */
  readonly #equal = new Map<string, number>()
  /** The last receipt when a holder said that it holds nothing: what it confirmed before counts no more. */
  readonly #lost = new Map<string, number>()

  constructor(parts: CopiesParts) {
    this.#parts = parts
  }

  stored(arrivals: readonly Arrival[]): void {
    for (const { record, put } of arrivals) {
      if (put.position === undefined) continue
      remember(this.#positions, toHex(record.id), put.position, positionsMax)
      const newest = { id: record.id, position: put.position }
      remember(this.#newest, nameOf(record.header.owner), newest, equalsMax)
    }
  }

  /** In its shard's arrival log, of a record that came lately. */
  positionOf(id: RecordId): number | undefined {
    return this.#positions.get(toHex(id))
  }

  /** Is the node known to have everything that is here now? */
  isCurrent(node: NodeId, owner: IdentityId): boolean {
    const head = this.#parts.store.records.logHead(owner)
    if (this.hasAll(node, owner, head)) return true
    const newest = this.#newest.get(toHex(owner))
    return newest?.position === head && this.#hasConfirmed(node, owner, newest.id)
  }

  /** Was it found equal since this place of the log was written? */
  hasAll(node: NodeId, owner: IdentityId, position: number): boolean {
    return (this.#equal.get(pair(node, owner)) ?? -1) >= position
  }

  /** A comparison found the node to have everything up to this place. */
  foundEqual(node: NodeId, owner: IdentityId, logHead: number): void {
    remember(this.#equal, pair(node, owner), logHead, equalsMax)
    this.#lost.delete(pair(node, owner))
  }

  /** It does not hold the shard, whatever it confirmed: its disk is another one. */
  foundLost(node: NodeId, owner: IdentityId): void {
    this.#equal.delete(pair(node, owner))
    remember(this.#lost, pair(node, owner), this.#parts.receipts.last, equalsMax)
  }

  #hasConfirmed(node: NodeId, owner: IdentityId, id: RecordId): boolean {
    return this.#parts.receipts.has(id, node, this.#lost.get(pair(node, owner)))
  }

  /**
   * This node among them; 0 for a record that it does not hold. For `lately`, as strangers may ask for what is not there, also for one that
   * came long ago.
   */
  async count(
    owner: IdentityId,
    ids: readonly RecordId[],
    { lately = false }: { readonly lately?: boolean } = {},
  ): Promise<number[]> {
    const unknown = ids.filter((id) => !this.#positions.has(toHex(id))).map(toHex)
    const { records } = this.#parts.store
    const find = (): Promise<{ has(name: string): boolean }> =>
      lately ? this.#lately(owner) : findRefs(records, owner, new Set(unknown))
    const older = unknown.length > 0 ? await find() : new Set<string>()
    const head = this.#parts.store.records.logHead(owner)
    return ids.map((id) => {
      const name = toHex(id)
      const position = this.#positions.get(name) ?? (older.has(name) ? head : undefined)
      if (position === undefined) return 0
      const others = this.#parts.holders
        .others(owner)
        .filter((node) => this.#hasConfirmed(node, owner, id) || this.hasAll(node, owner, position))
      return 1 + others.length
    })
  }

  async #lately(owner: IdentityId): Promise<ReadonlySet<string>> {
    const { records } = this.#parts.store
    const entries = await records.log(owner, Math.max(0, records.logHead(owner) - latelyMax), latelyMax)
    return new Set(entries.map(({ ref }) => toHex(ref.id)))
  }
}

function pair(node: NodeId, owner: IdentityId): string {
  return `${node} ${toHex(owner)}`
}

function remember<T>(map: Map<string, T>, name: string, value: T, max: number): void {
  map.delete(name)
  map.set(name, value)
  if (map.size > max) map.delete(map.keys().next().value as string)
}
