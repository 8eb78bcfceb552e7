import type { ReplyOf } from '../protocol/api/operations.ts'
import { emptyBytes, equalBytes, toHex } from '../protocol/bytes.ts'
import { asOnehopError, isErrorCode, OnehopError } from '../protocol/errors.ts'
import type { Clock, Log } from '../protocol/ports.ts'
import type { DeviceSecrets } from '../protocol/identity/types.ts'
import type { IdentityId, RecordHeader } from '../protocol/record/types.ts'
import { abortReason, withSignal } from './deadline.ts'
import { keyNames } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import { clientLimits } from './limits.ts'
import { requireOwnKey } from './identity/own-key.ts'
import type { Written } from './writer.ts'

export interface OutboxParts {
  readonly keys: KeyStore
  readonly clock: Clock
  /** Of the node that takes what is written in a shard; in one's own where none is named. */
  readonly addressOf: (owner?: IdentityId) => string
  /** To a node that holds the shard. */
  readonly send: (owner: IdentityId, records: readonly Uint8Array[], signal: AbortSignal) => Promise<Reply>
  readonly headerOf: (record: Uint8Array) => Pick<RecordHeader, 'owner' | 'device'>
  readonly device: Pick<DeviceSecrets, 'seed' | 'key'>
  readonly log: Log
  /** Sends the identity log or the schema, or looks for another node: what a refusal said is missing. */
  readonly supply: (lacking: Lacking, owner: IdentityId) => Promise<void>
}

const suppliable = ['UNKNOWN_IDENTITY', 'UNKNOWN_SCHEMA', 'NOT_HOSTED'] as const
export type Lacking = (typeof suppliable)[number]

/** A node that still lacks it then is not the one for these records. */
const suppliesMax = 3

type Reply = ReplyOf<'record.put'>
type Result = Reply['results'][number]

interface Entry {
  readonly bytes: Uint8Array
  readonly owner: IdentityId
  readonly device: Uint8Array
}

/** Records of one shard, each by its name in the store. */
interface Batch {
  readonly owner: IdentityId
  readonly records: readonly (readonly [name: string, bytes: Uint8Array])[]
}

interface Waiter {
  readonly resolve: (accepted: { readonly address: string }) => void
  readonly reject: (error: OnehopError) => void
}

/**
 * Records that no node is known to have. What is in it was signed and kept by the writer; an entry leaves when a
 * node has it on disk, or refuses it for good. Sent in the order written, again after every failure, and after a
 * restart; to send one twice does no harm.
 */
export class Outbox {
  readonly #parts: OutboxParts
  readonly #closed = new AbortController()
  readonly #waiters = new Map<string, Waiter>()
  /** Undefined: kept by an earlier run, not read yet. */
  readonly #queue = new Map<string, Entry | undefined>()
  /** Shards whose nodes cannot be reached now, in hex; the others go on. */
  readonly #waiting = new Set<string>()
  /** Refused for the key of this device alone: they stay where they are kept, for its next key to sign. */
  readonly #held = new Set<string>()
  #running: Promise<void> | undefined
  #refused: OnehopError | undefined
  #keyRefusal: OnehopError | undefined
  #supplied = 0
  #wake = (_isOver?: boolean): void => {}

  private constructor(parts: OutboxParts) {
    this.#parts = parts
  }

  /** With what an earlier run left, which is sent at once. */
  static async open(parts: OutboxParts): Promise<Outbox> {
    const outbox = new Outbox(parts)
    for (const name of await parts.keys.list(keyNames.outbox)) outbox.#queue.set(name, undefined)
    outbox.#run()
    return outbox
  }

  /** Records that wait, for a node or for another key. */
  get size(): number {
    return this.#queue.size + this.#held.size
  }

  /** Records wait for another key of this device: `renewDevice`. */
  get isKeyRefused(): boolean {
    return this.#keyRefusal !== undefined
  }

  /** Throws BUSY before something is written that would not fit, EQUIVOCATION where no node would take it, CLOSED. */
  checkRoom(records: number): void {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason
    if (this.#keyRefusal !== undefined) throw this.#keyRefusal
    if (this.size + records <= clientLimits.outboxRecordsMax) return
    throw new OnehopError('BUSY', `${this.size} records wait for a node already`, {
      help: 'Wait until a node can be reached.',
    })
  }

  /** Takes what the writer kept. One promise a record. */
  add(written: readonly Written[]): readonly Promise<{ readonly address: string }>[] {
    const accepted = written.map(({ name, bytes, record }) => {
      const { owner, device } = record.header
      this.#queue.set(name, { bytes, owner, device })
      if (!this.#waiting.has(toHex(owner))) this.#wake(false)
      const promise = new Promise<{ readonly address: string }>((resolve, reject) => {
        this.#waiters.set(name, { resolve, reject })
      })
      // Nobody has to wait for it; a refusal is then in the log and in the next flush.
      promise.catch(() => undefined)
      return promise
    })
    this.#run()
    return accepted
  }

  /** Resolves when nothing waits; rejects with the first refusal since the last flush, or that of the key. Waits while offline. */
  async flush(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw abortReason(signal)
    this.#wake()
    while (this.#queue.size > 0) {
      const running = this.#running
      if (running === undefined) throw new OnehopError('CLOSED', 'this outbox was closed')
      await withSignal(running, signal)
    }
    const refused = this.#refused ?? this.#keyRefusal
    this.#refused = undefined
    if (refused !== undefined) throw refused
  }

  /** What waits stays where it is kept. */
  async close(): Promise<void> {
    const closed = new OnehopError('CLOSED', 'this app was closed; what waits is sent when it opens again')
    this.#closed.abort(closed)
    this.#wake()
    await this.#running
    for (const waiter of this.#waiters.values()) waiter.reject(closed)
    this.#waiters.clear()
  }

  #run(): void {
    if (this.#running !== undefined || this.#queue.size === 0 || this.#closed.signal.aborted) return
    this.#running = this.#drain().finally(() => {
      this.#running = undefined
      this.#run()
    })
  }

  async #drain(): Promise<void> {
    let delayMs: number = clientLimits.retryFirstMs
    while (this.#queue.size > 0 && !this.#closed.signal.aborted) {
      if (await this.#hasMovedOn()) return
      const batch = await this.#nextBatch()
      if (batch.records.length > 0) {
        if (await this.#sendBatch(batch)) {
          delayMs = clientLimits.retryFirstMs
          continue
        }
        // The nodes of another shard may take theirs.
        this.#waiting.add(toHex(batch.owner))
        continue
      }
      if (this.#waiting.size === 0) continue
      if (!(await this.#pause(delayMs))) continue
      this.#waiting.clear()
      delayMs = Math.min(delayMs * 2, clientLimits.retryMaxMs)
    }
  }

  /** Another tab gave this install a new key, and what waited is there under that one. */
  async #hasMovedOn(): Promise<boolean> {
    const { keys, device, log } = this.#parts
    try {
      await requireOwnKey(keys, device.seed)
      return false
    } catch (cause) {
      const error = asOnehopError(cause)
      // It cannot be told now: what is here is sent.
      if (error.code !== 'STALE') return false
      log.warn('outbox-given-up', { code: error.code, message: error.message })
      this.#refused ??= error
      this.#queue.clear()
      this.#held.clear()
      for (const waiter of this.#waiters.values()) waiter.reject(error)
      this.#waiters.clear()
      return true
    }
  }

  /** Also ended by `flush` and `close`, and with false by a record of a shard that does not wait. */
  async #pause(delayMs: number): Promise<boolean> {
    const stop = Promise.withResolvers<boolean>()
    const cancel = this.#parts.clock.after(delayMs, () => stop.resolve(true))
    this.#wake = (isOver = true) => stop.resolve(isOver)
    if (this.#closed.signal.aborted) stop.resolve(true)
    const isOver = await stop.promise
    cancel()
    return isOver
  }

  /** True when an entry left; false when they have to wait. */
  async #sendBatch(batch: Batch): Promise<boolean> {
    try {
      return await this.#send(batch)
    } catch (cause) {
      if (this.#closed.signal.aborted) return true
      const { code } = asOnehopError(cause)
      this.#parts.log.info('outbox-waits', { code, records: this.#queue.size })
      return false
    }
  }

  async #send({ owner, records: batch }: Batch): Promise<boolean> {
    const { addressOf, send } = this.#parts
    const records = batch.map(([, bytes]) => bytes)
    const { results } = await send(owner, records, this.#closed.signal)
    const gone: string[] = []
    const lacking = new Map<Lacking, [name: string, error: OnehopError][]>()
    const refusals: [name: string, error: OnehopError][] = []
    for (const [i, [name]] of batch.entries()) {
      const result = results[i]
      if (result === undefined)
        throw new OnehopError('BAD_MESSAGE', 'the node answered fewer records than were sent')
      if (result.outcome !== 'refused') {
        gone.push(name)
        continue
      }
      const error = refusalOf(result)
      const what = suppliable.find((code) => code === error.code)
      if (what !== undefined && this.#supplied < suppliesMax)
        lacking.set(what, [...(lacking.get(what) ?? []), [name, error]])
      else if (what !== undefined || !error.retryable) refusals.push([name, error])
    }
    await this.#settle(gone, refusals, addressOf(owner))
    if (lacking.size > 0) this.#supplied++
    else this.#supplied = 0
    for (const [what, names] of lacking) await this.#supply(what, owner, names)
    return gone.length + refusals.length + lacking.size > 0
  }

  async #supply(
    what: Lacking,
    owner: IdentityId,
    names: readonly (readonly [string, OnehopError])[],
  ): Promise<void> {
    try {
      await this.#parts.supply(what, owner)
    } catch (cause) {
      const error = asOnehopError(cause)
      if (error.retryable) throw error
      await this.#settle(
        [],
        names.map(([name]) => [name, error]),
        this.#parts.addressOf(owner),
      )
    }
  }

  /** Of one shard, the oldest first, leaving out those whose nodes did not take theirs. Empty when none is left. */
  async #nextBatch(): Promise<Batch> {
    const records: (readonly [string, Uint8Array])[] = []
    let length = 0
    let owner: IdentityId | undefined
    for (const [name, known] of this.#queue) {
      if (records.length >= clientLimits.outboxBatchRecords) break
      const entry = known ?? (await this.#read(name))
      if (entry === undefined) {
        // Another tab has sent it.
        this.#queue.delete(name)
        this.#waiters.get(name)?.resolve({ address: this.#parts.addressOf() })
        continue
      }
      this.#queue.set(name, entry)
      const { bytes } = entry
      if (this.#waiting.has(toHex(entry.owner))) continue
      if (owner !== undefined && !equalBytes(owner, entry.owner)) continue
      length += bytes.length
      if (records.length > 0 && length > clientLimits.outboxBatchBytes) break
      owner = entry.owner
      records.push([name, bytes])
    }
    return { owner: owner ?? emptyBytes, records }
  }

  async #read(name: string): Promise<Entry | undefined> {
    const bytes = await this.#parts.keys.get(name)
    return bytes && { bytes, ...this.#parts.headerOf(bytes) }
  }

  async #settle(
    gone: readonly string[],
    refusals: readonly (readonly [string, OnehopError])[],
    address: string,
  ): Promise<void> {
    if (gone.length + refusals.length === 0) return
    const held = refusals.filter(([name, { code }]) => code === 'EQUIVOCATION' && this.#isOwn(name))
    for (const [name, error] of held) {
      this.#held.add(name)
      this.#keyRefusal ??= error
    }
    const over = refusals.filter(([name]) => !this.#held.has(name))
    const names = [...gone, ...over.map(([name]) => name)]
    await this.#parts.keys.write(new Map(names.map((name) => [name, undefined])))
    for (const name of gone) {
      this.#queue.delete(name)
      this.#waiters.get(name)?.resolve({ address })
      this.#waiters.delete(name)
    }
    for (const [name, error] of refusals) {
      this.#queue.delete(name)
      this.#refused ??= error
      this.#parts.log.warn('record-refused', { code: error.code, message: error.message })
      this.#waiters.get(name)?.reject(error)
      this.#waiters.delete(name)
    }
  }

  /** A former key's may have been left by a device that was renewed or paired anew. */
  #isOwn(name: string): boolean {
    const device = this.#queue.get(name)?.device
    return device !== undefined && equalBytes(device, this.#parts.device.key)
  }
}

function refusalOf({ code, message }: Result): OnehopError {
  return new OnehopError(isErrorCode(code) ? code : 'INTERNAL', message ?? 'the node refused the record')
}
