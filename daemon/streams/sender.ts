import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { Batch, Pushed, StreamEntry } from '../../protocol/stream/messages.ts'
import { decodePushed, encodePush } from '../../protocol/stream/wire.ts'
import type { Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import { carriedBytes, readLog } from './log-reader.ts'
import type { Registration, Registrations } from './registrations.ts'
import { retryAfterMs, streamLimits } from './stream-limits.ts'
import { Wake } from '../wake.ts'

export interface SenderParts {
  readonly rpc: Rpc
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly hosting: Hosting
  readonly registrations: Registrations
  readonly source: Uint8Array
}

interface Portion {
  readonly registration: Registration
  readonly batch: Batch
}

interface Line {
  readonly dirty: Map<string, Set<Registration>>
  readonly wake: Wake
  /** While set, the node does not answer: nothing is queued for it, its cursors say what it lacks. */
  away: boolean
  sending: Promise<void> | undefined
}

/** An entry's share of a message beside its record. */
const entryBytes = 16
const batchBytes = 96

/**
 * Brings new records to each serving node once.
 *
 * 1. A node's line holds registrations that may have something new, never records: memory is bounded by them.
 * 2. `acked` moves on receipts alone, on disk before it counts; what a node has not confirmed is read again.
 * 3. One message at a time for each node, so that batches of an author come in order.
 */
export class Sender {
  readonly #parts: SenderParts
  readonly #lines = new Map<NodeId, Line>()
  #signal: AbortSignal | undefined

  constructor(parts: SenderParts) {
    this.#parts = parts
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const { rpc, registrations } = this.#parts
    const stop = rpc.onPeer((peer, state) => {
      if (state === 'connected') this.look(peer)
    })
    for (const node of registrations.nodes()) this.look(node)
    const { promise, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
    stop()
    await Promise.all([...this.#lines.values()].map((line) => line.sending))
  }

  /** A record of the author came in that this registration wants. */
  mark(registration: Registration): void {
    const line = this.#line(registration.node)
    if (line.away) return
    this.#add(line, registration)
    this.#start(registration.node, line)
  }

  /** The node is (back) here: whatever it has not confirmed goes out. */
  look(node: NodeId): void {
    this.#scan(node)
    const line = this.#lines.get(node)
    if (line === undefined) return
    line.wake.set()
    this.#start(node, line)
  }

  /** Leaves the wake alone: the sender itself looks after each pause, and must not cut the next one short. */
  #scan(node: NodeId): void {
    let line = this.#lines.get(node)
    for (const registration of this.#parts.registrations.ofNode(node)) {
      if (this.#parts.store.records.logHead(registration.author) <= registration.scanned) continue
      line ??= this.#line(node)
      this.#add(line, registration)
    }
    if (line !== undefined) line.away = false
  }

  /** Serving nodes that lack something and do not answer. */
  get away(): number {
    let count = 0
    for (const line of this.#lines.values()) if (line.away) count++
    return count
  }

  #line(node: NodeId): Line {
    const known = this.#lines.get(node)
    if (known !== undefined) return known
    const line: Line = { dirty: new Map(), wake: new Wake(), away: false, sending: undefined }
    this.#lines.set(node, line)
    return line
  }

  #add(line: Line, registration: Registration): void {
    const ofApp = line.dirty.get(registration.app) ?? new Set()
    line.dirty.set(registration.app, ofApp.add(registration))
  }

  #start(node: NodeId, line: Line): void {
    if (this.#signal === undefined || this.#signal.aborted || line.sending !== undefined) return
    line.sending = this.#send(node, line, this.#signal)
      .catch((error: unknown) => this.#parts.log.error('stream.sender-fault', { node, error: String(error) }))
      .finally(() => {
        line.sending = undefined
        if (line.dirty.size > 0) this.#start(node, line)
        else this.#lines.delete(node)
      })
  }

  async #send(node: NodeId, line: Line, signal: AbortSignal): Promise<void> {
    const { rpc, clock, log, source } = this.#parts
    let failures = 0
    while (!signal.aborted) {
      const [app] = line.dirty.keys()
      if (app === undefined) return
      const portions = await this.#gather(line, app)
      if (portions.length === 0) continue
      try {
        const body = encodePush({ source, app, batches: portions.map(({ batch }) => batch) })
        const timeoutMs = streamLimits.requestTimeoutMs
        const reply = await rpc.request(node, 'stream/push', body, { signal, timeoutMs })
        const isTaken = await this.#settle(line, portions, decodePushed(reply))
        failures = isTaken ? 0 : failures + 1
        if (!isTaken) await line.wake.wait(clock, signal, retryAfterMs(failures))
      } catch (error) {
        if (signal.aborted) return
        failures++
        line.away = true
        line.dirty.clear()
        log.debug('stream.push-failed', { node, code: asOnehopError(error).code })
        await line.wake.wait(clock, signal, retryAfterMs(failures))
        if (!signal.aborted) this.#scan(node)
      }
    }
  }

  /** Takes registrations off the line until a message is full; one with more to send stays. */
  async #gather(line: Line, app: string): Promise<Portion[]> {
    const dirty = line.dirty.get(app) ?? new Set<Registration>()
    const portions: Portion[] = []
    let room: number = streamLimits.messageBytesMax
    let places: number = limits.streamEntriesMax
    for (const registration of dirty) {
      if (room < batchBytes || places === 0 || portions.length >= limits.streamAuthorsMax) break
      // Off before reading: what arrives meanwhile puts it on again.
      dirty.delete(registration)
      if (!this.#parts.registrations.has(registration) || !this.#parts.hosting.has(registration.author))
        continue
      const batch = await this.#batch(registration, room - batchBytes, places)
      if (batch === 'full') {
        dirty.add(registration)
        break
      }
      if (batch === undefined) continue
      if (batch.through < batch.head) dirty.add(registration)
      portions.push({ registration, batch })
      places -= batch.entries.length
      room -= batchBytes
      for (const { record } of batch.entries) room -= record.length + entryBytes
    }
    if (dirty.size === 0 && line.dirty.get(app) === dirty) line.dirty.delete(app)
    return portions
  }

  /** Undefined when nothing that is wanted came since. */
  async #batch(
    registration: Registration,
    room: number,
    places: number,
  ): Promise<Batch | 'full' | undefined> {
    const { store } = this.#parts
    const { author, app, collections, epoch, acked } = registration
    const head = store.records.logHead(author)
    const entries: StreamEntry[] = []
    let through = Math.max(acked, registration.scanned)
    while (through < head && entries.length < places) {
      const page = await readLog(store, author, through, Math.min(streamLimits.logEntriesMax, places))
      for (const one of page.records) {
        const { header } = one.record
        if (header.app === app && collections.has(header.collection)) {
          const record = carriedBytes(one)
          room -= record.length + entryBytes
          if (room < 0) {
            if (entries.length === 0) return 'full'
            return { author, epoch, after: acked, through, head, entries }
          }
          entries.push({ position: one.position, record })
        }
        through = one.position
      }
      if (page.through === through && page.records.length === 0) break
      through = Math.max(through, page.through)
      if (entries.length > 0 && through >= head) break
    }
    if (entries.length === 0) {
      registration.scanned = Math.max(registration.scanned, through)
      return undefined
    }
    return { author, epoch, after: acked, through, head, entries }
  }

  /** True when the node took something; if not, asking again at once would be no use. */
  async #settle(line: Line, portions: readonly Portion[], { authors }: Pushed): Promise<boolean> {
    const { store, registrations, log } = this.#parts
    const receipts = new Map(authors.map(({ author, receipt }) => [toHex(author), receipt]))
    const moved: Registration[] = []
    const ended: Registration[] = []
    for (const { registration, batch } of portions) {
      // Replaced or stopped while the message was under way: the receipt is about the past.
      if (!registrations.has(registration)) continue
      const receipt = receipts.get(toHex(registration.author))
      if (receipt?.state === 'stop') {
        ended.push(registration)
        continue
      }
      const position = receipt?.epoch === batch.epoch ? receipt.position : registration.acked
      if (position > batch.head) log.warn('stream.bad-receipt', { node: registration.node })
      else if (position > registration.acked) {
        registration.acked = position
        moved.push(registration)
      }
      registration.scanned = registration.acked
      if (registration.acked < batch.through) this.#add(line, registration)
    }
    if (moved.length > 0 || ended.length > 0) {
      await store.write((batch) => {
        for (const registration of moved) {
          if (registrations.has(registration)) registrations.keepIn(batch, registration)
        }
        for (const registration of ended) {
          if (registrations.has(registration)) registrations.dropIn(batch, registration)
        }
      })
      for (const registration of ended) if (registrations.has(registration)) registrations.drop(registration)
    }
    return moved.length > 0 || ended.length > 0
  }
}
