import { fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import {
  decodeMaybe,
  decodeReceipts,
  encodeBlobOffer,
  encodePush,
} from '../../protocol/replication/messages.ts'
import type { CursorName, Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'

const kind = 'handed-over'
const portionRecords = 512
const portionBytes = limits.frameBytesMax - 65_536

export interface HandOverParts {
  readonly rpc: Rpc
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly heartbeatMs: number
  readonly hosting: Hosting
  readonly replicaSets: Pick<ReplicaSets, 'members'>
  readonly neighbours: Pick<Neighbours, 'awayMs'>
  /** Files that are whole here. */
  readonly filesOf: (owner: IdentityId) => Promise<readonly Uint8Array[]>
  /** That member may not have heard what is needed to take the records. */
  readonly announceTo: (node: NodeId, owner: IdentityId) => void
}

/**
 * A node that lost its seat may hold what nobody else has: it was cut off as it took a record, and the owner signed another set
 * meanwhile. Nobody with a seat asks it, and it may ask nobody; so it hands all of its log to a member, once, and its files to the
 * member that had asked it to keep the shard.
 */
export class HandOver {
  readonly #parts: HandOverParts
  /** Shards whose files a member has, all of them; told again after a restart. */
  readonly #filed = new Set<string>()

  constructor(parts: HandOverParts) {
    this.#parts = parts
  }

  /** Everything that is here was handed to a holder. */
  isDone(owner: IdentityId): boolean {
    return this.#areRecordsDone(owner) && this.#filed.has(toHex(owner))
  }

  #areRecordsDone(owner: IdentityId): boolean {
    return this.#position(owner) >= this.#parts.store.records.logHead(owner)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, heartbeatMs, log } = this.#parts
    while (!signal.aborted) {
      await clock.sleep(heartbeatMs, signal)
      try {
        await this.#round(signal)
      } catch (error) {
        if (!signal.aborted) log.info('hand-over.failed', { error: String(error) })
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { hosting, log, neighbours, replicaSets, rpc } = this.#parts
    for (const { owner } of [...hosting.list()]) {
      const members = replicaSets.members(owner)
      if (members.length === 0 || members.includes(rpc.self) || this.isDone(owner)) continue
      const member = members.find((node) => neighbours.awayMs(node) === 0)
      if (member === undefined) continue
      try {
        await this.#hand(member, owner, signal)
        if (this.#areRecordsDone(owner)) await this.#handFiles(members, owner, signal)
      } catch (error) {
        signal.throwIfAborted()
        log.debug('hand-over.cut', { member, code: asOnehopError(error).code })
      }
    }
  }

  /** Until the end of the log, or the member wants to hear something else first. */
  async #hand(member: NodeId, owner: IdentityId, signal: AbortSignal): Promise<void> {
    const { announceTo, rpc, store } = this.#parts
    while (!this.#areRecordsDone(owner)) {
      const { position, records } = await this.#portion(owner)
      if (records.length > 0) {
        const body = encodePush(records)
        const reply = await rpc.request(member, 'shard/push', body, { signal, timeoutMs: 30_000 })
        if (decodeReceipts(reply).includes('later')) return announceTo(member, owner)
      }
      await store.cursors.set(this.#name(owner), { epoch: 0, position })
    }
  }

  /** Each is offered until a member says that it has it. */
  async #handFiles(members: readonly NodeId[], owner: IdentityId, signal: AbortSignal): Promise<void> {
    const { filesOf, neighbours, rpc } = this.#parts
    let missing = 0
    for (const blob of await filesOf(owner)) {
      const body = encodeBlobOffer({ owner, blob })
      const offers = members
        .filter((node) => neighbours.awayMs(node) === 0)
        .map(async (node) => decodeMaybe(await rpc.request(node, 'shard/blob-offer', body, { signal })))
      // Those who never asked this node refuse.
      const answers = await Promise.allSettled(offers)
      signal.throwIfAborted()
      if (!answers.some((answer) => answer.status === 'fulfilled' && answer.value !== undefined)) missing++
    }
    if (missing === 0) this.#filed.add(toHex(owner))
  }

  async #portion(owner: IdentityId): Promise<{ position: number; records: Uint8Array[] }> {
    const { records } = this.#parts.store
    const entries = await records.log(owner, this.#position(owner), portionRecords)
    const stored = await records.getMany(
      owner,
      entries.map(({ ref }) => ref),
    )
    const portion: Uint8Array[] = []
    let position = this.#position(owner)
    let bytes = 0
    for (const [i, entry] of entries.entries()) {
      const record = stored[i]?.bytes
      if (record !== undefined) {
        bytes += record.length + 5
        if (bytes > portionBytes && portion.length > 0) break
        portion.push(record)
      }
      position = entry.position
    }
    // Places of the log whose pages are empty.
    if (entries.length === 0) position = records.logHead(owner)
    return { position, records: portion }
  }

  #position(owner: IdentityId): number {
    return this.#parts.store.cursors.get(this.#name(owner))?.position ?? 0
  }

  #name(owner: IdentityId): CursorName {
    return { kind, peer: fromHex(this.#parts.rpc.self, 32) as Uint8Array, shard: owner }
  }
}
