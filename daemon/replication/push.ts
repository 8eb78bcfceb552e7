import { fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId, RecordId } from '../../protocol/record/types.ts'
import {
  decodeReceipts,
  encodePush,
  pushRecordsMax,
  type Receipt,
} from '../../protocol/replication/messages.ts'
import type { Store } from '../../storage/types.ts'
import type { Arrival } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Holders } from './holders.ts'
import type { Receipts } from './receipts.ts'

export interface PushParts {
  readonly rpc: Rpc
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly holders: Holders
  readonly receipts: Receipts
  /** The member that fills a newcomer from the start; the others leave old records to it. */
  readonly leads: (owner: IdentityId) => boolean
  /** The peer has yet to be told of the newest set or log of the shard: its records wait until it was. */
  readonly isWaiting: (node: NodeId, owner: IdentityId) => boolean
  /** The peer lacks the identity log or the replica set of a shard: tell it. */
  readonly announceTo: (node: NodeId, owner: IdentityId) => void
}

const cursorKind = 'push'
/** A newcomer is sent a shard of no more records, many shards in a message; a larger one it fetches itself (`snapshots.ts`). */
const fillRecordsMax = 256
const pushBytesMax = limits.frameBytesMax - 16_384
const retryMs = 1_000
/** A record that is dated ahead is answered `later` until its time has come. */
const retryMsMax = 16_000

/** Records whose origin is remembered, so that what a peer brought is not sent around once more. */
const originsMax = 131_072

/** The peer answered `later`: it is told what it may lack, and asked again after a pause that grows. */
interface Rest {
  readonly pauseMs: number
  readonly cancel: () => void
}

interface Portion {
  readonly owner: IdentityId
  readonly from: number
  readonly position: number
  readonly records: readonly { readonly id: RecordId; readonly bytes: Uint8Array }[]
}

/**
 * Every record that enters here goes to every other holder at once. The shard's arrival log is the outbox: for each
 * (holder, shard) a durable cursor says up to where the holder confirmed. One sender per holder, many shards in a
 * message.
 */
export class Push {
  readonly #parts: PushParts
  readonly #dirty = new Map<NodeId, Map<string, IdentityId>>()
  /** Shards of the message that is being gathered or waits for its answer. */
  readonly #underWay = new Map<NodeId, Set<string>>()
  readonly #senders = new Map<NodeId, Promise<void>>()
  /** By holder and shard. */
  readonly #rests = new Map<string, Rest>()
  readonly #fromPeers = new Set<string>()
  #signal: AbortSignal | undefined

  constructor(parts: PushParts) {
    this.#parts = parts
  }

  /** Sends until the signal aborts, then waits for what is under way. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    for (const node of this.#dirty.keys()) this.#wake(node)
    const { promise, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
    await Promise.all(this.#senders.values())
    for (const { cancel } of this.#rests.values()) cancel()
    this.#rests.clear()
  }

  stored(arrivals: readonly Arrival[]): void {
    for (const { record, source } of arrivals) {
      if (source.from === 'peer') this.#remember(toHex(record.id))
      if (source.from === 'client') this.shard(record.header.owner)
    }
  }

  /** Looks whether any other holder of the shard lacks something. */
  shard(owner: IdentityId): void {
    for (const node of this.#parts.holders.others(owner)) this.to(node, owner)
  }

  to(node: NodeId, owner: IdentityId): void {
    const dirty = this.#dirty.get(node) ?? new Map<string, IdentityId>()
    this.#dirty.set(node, dirty.set(toHex(owner), owner))
    this.#wake(node)
  }

  /** Shards with records that some holder did not confirm yet. */
  get waiting(): number {
    let count = 0
    for (const owners of this.#dirty.values()) count += owners.size
    return count
  }

  /** True while the holder is yet to be sent something of the shard: comparing would only find what is on its way. */
  isComing(node: NodeId, owner: IdentityId): boolean {
    // Nothing of what there is will be sent where it begins at the end of the log, or all of it was.
    const from = this.#from(node, owner) ?? Infinity
    if (from >= this.#parts.store.records.logHead(owner)) return false
    const name = toHex(owner)
    return (
      this.#dirty.get(node)?.has(name) === true ||
      this.#underWay.get(node)?.has(name) === true ||
      this.#parts.isWaiting(node, owner)
    )
  }

  /** True when the holder confirmed everything up to this position. */
  confirmed(node: NodeId, owner: IdentityId, position: number): boolean {
    return (this.#cursor(node, owner)?.position ?? 0) >= position
  }

  #wake(node: NodeId): void {
    if (this.#signal === undefined || this.#senders.has(node)) return
    const sender = this.#send(node, this.#signal).finally(() => {
      this.#senders.delete(node)
      this.#underWay.delete(node)
      if (this.#dirty.has(node) && this.#signal?.aborted === false) this.#wake(node)
    })
    this.#senders.set(node, sender)
  }

  async #send(node: NodeId, signal: AbortSignal): Promise<void> {
    const { rpc, clock, log } = this.#parts
    while (!signal.aborted) {
      try {
        const portions = await this.#gather(node)
        if (portions.length === 0) return
        const records = portions.flatMap((portion) => portion.records)
        if (records.length > 0) {
          const body = encodePush(records.map(({ bytes }) => bytes))
          const reply = await rpc.request(node, 'shard/push', body, { signal, timeoutMs: 30_000 })
          await this.#settle(node, portions, decodeReceipts(reply))
        } else {
          await this.#settle(node, portions, [])
        }
      } catch (error) {
        if (signal.aborted) return
        log.debug('push.failed', { node, code: asOnehopError(error).code })
        const dirty = this.#dirty.get(node) ?? new Map<string, IdentityId>()
        this.#dirty.set(node, dirty)
        for (const name of this.#underWay.get(node) ?? []) dirty.set(name, fromHex(name, 32) as IdentityId)
        await clock.sleep(retryMs, signal).catch(() => {})
      }
    }
  }

  /** Takes shards off the dirty list until a message is full. What comes up meanwhile makes them dirty again. */
  async #gather(node: NodeId): Promise<Portion[]> {
    const portions: Portion[] = []
    const dirty = this.#dirty.get(node)
    const underWay = new Set<string>()
    this.#underWay.set(node, underWay)
    const begun: { readonly owner: IdentityId; readonly position: number }[] = []
    // Each shard once: where it goes on is known when this message is answered.
    const goesOn: IdentityId[] = []
    let records = 0
    let bytes = 0
    for (const [name, owner] of dirty ?? []) {
      if (records >= pushRecordsMax || bytes >= pushBytesMax) break
      if (this.#parts.isWaiting(node, owner)) {
        dirty?.delete(name) // comes back once the peer was told
        continue
      }
      dirty?.delete(name)
      underWay.add(name)
      const from = this.#from(node, owner)
      const head = this.#parts.store.records.logHead(owner)
      if (from === undefined) begun.push({ owner, position: head })
      if (from === undefined || from >= head) continue
      const portion = await this.#portion(node, owner, from, pushRecordsMax - records, pushBytesMax - bytes)
      if (portion.position < this.#parts.store.records.logHead(owner)) goesOn.push(owner)
      portions.push(portion)
      records += portion.records.length
      for (const record of portion.records) bytes += record.bytes.length + 5
      if (portion.position === portion.from) break // nothing more fits
    }
    for (const owner of goesOn) dirty?.set(toHex(owner), owner)
    if (dirty?.size === 0) this.#dirty.delete(node)
    // Together: one after the other, hundreds of them held up what there was to send for a minute.
    if (begun.length > 0) await this.#moveCursors(node, begun)
    return portions.filter(({ from, position }) => position > from)
  }

  /** Of a small shard a newcomer is filled by one member, whatever the origin; else (undefined) it begins where the log stands. */
  #from(node: NodeId, owner: IdentityId): number | undefined {
    const position = this.#cursor(node, owner)?.position
    if (position !== undefined) return position
    const isSmall = (this.#parts.store.shards.get(owner)?.records ?? 0) <= fillRecordsMax
    return isSmall && this.#parts.leads(owner) ? 0 : undefined
  }

  async #portion(
    node: NodeId,
    owner: IdentityId,
    from: number,
    recordsMax: number,
    bytesMax: number,
  ): Promise<Portion> {
    const { store } = this.#parts
    const isFill = this.#cursor(node, owner) === undefined
    const entries = await store.records.log(owner, from, recordsMax)
    const sent = entries.filter(({ ref }) => isFill || !this.#fromPeers.has(toHex(ref.id)))
    const stored = await store.records.getMany(
      owner,
      sent.map(({ ref }) => ref),
    )
    const bytesOf = new Map(sent.map(({ position }, i) => [position, stored[i]?.bytes]))
    const records: { id: RecordId; bytes: Uint8Array }[] = []
    let position = from
    let left = bytesMax
    for (const entry of entries) {
      const bytes = bytesOf.get(entry.position)
      if (bytes !== undefined) {
        if (bytes.length + 5 > left) break
        left -= bytes.length + 5
        records.push({ id: entry.ref.id, bytes })
      }
      position = entry.position
    }
    return { owner, from, position, records }
  }

  /** Cursors move over what is held or can never be; at the first `later` they stop, and the shard waits. */
  async #settle(node: NodeId, portions: readonly Portion[], receipts: readonly Receipt[]): Promise<void> {
    const { receipts: book, log } = this.#parts
    let next = 0
    const settled: Portion[] = []
    for (const portion of portions) {
      const answers = portion.records.map(() => receipts[next++] ?? 'later')
      for (const [i, answer] of answers.entries()) {
        const { id } = portion.records[i] as { id: RecordId }
        if (answer === 'held') book.confirm(id, node)
        if (answer === 'never') log.warn('push.refused', { node, record: toHex(id) })
      }
      if (!answers.includes('later')) {
        settled.push(portion)
        this.#endRest(node, portion.owner)
      } else this.#rest(node, portion.owner)
    }
    if (settled.length > 0) await this.#moveCursors(node, settled)
  }

  /**
   * The first time the peer is told at once, and pushed to as soon as it heard. If that was not what it lacked, the answer
   * is the same: telling it again at once would go round as fast as the line allows.
   */
  #rest(node: NodeId, owner: IdentityId): void {
    const { announceTo, clock } = this.#parts
    const name = `${node} ${toHex(owner)}`
    const before = this.#rests.get(name)
    before?.cancel()
    const pauseMs = before === undefined ? retryMs : Math.min(before.pauseMs * 2, retryMsMax)
    const cancel = clock.after(pauseMs, () => {
      if (before !== undefined) announceTo(node, owner)
      this.to(node, owner)
    })
    this.#rests.set(name, { pauseMs, cancel })
    if (before === undefined) announceTo(node, owner)
  }

  #endRest(node: NodeId, owner: IdentityId): void {
    const name = `${node} ${toHex(owner)}`
    this.#rests.get(name)?.cancel()
    this.#rests.delete(name)
  }

  async #moveCursors(
    node: NodeId,
    to: readonly { readonly owner: IdentityId; readonly position: number }[],
  ): Promise<void> {
    const { store } = this.#parts
    await store.write((batch) => {
      for (const { owner, position } of to)
        store.cursors.setIn(batch, this.#name(node, owner), { epoch: 0, position })
    })
  }

  #cursor(node: NodeId, owner: IdentityId): { position: number } | undefined {
    return this.#parts.store.cursors.get(this.#name(node, owner))
  }

  #name(node: NodeId, owner: IdentityId): { kind: string; peer: Uint8Array; shard: IdentityId } {
    return { kind: cursorKind, peer: fromHex(node, 32) as Uint8Array, shard: owner }
  }

  #remember(id: string): void {
    this.#fromPeers.add(id)
    if (this.#fromPeers.size > originsMax)
      this.#fromPeers.delete(this.#fromPeers.values().next().value as string)
  }
}
