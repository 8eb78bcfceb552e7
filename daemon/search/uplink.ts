import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { encodeAppend } from '../../protocol/search/exchange.ts'
import {
  decodeAcknowledgement,
  encodeLogBatch,
  encodeRegistration,
  type LogCursor,
  type LogEntry,
  type SourceKind,
} from '../../protocol/search/log.ts'
import type { NodeId, RpcCallOptions } from '../net/rpc.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts, Target } from './parts.ts'

/** A piece of a source's log, with what is to be noted once the aggregator has it on disk. */
export interface Portion {
  readonly entries: readonly LogEntry[]
  readonly through: number
  /** Whose identity logs the records need. */
  readonly identities: readonly IdentityId[]
  /** `acknowledged`: where the source now stands at the aggregator. */
  readonly commit: (acknowledged: LogCursor) => Promise<void>
}

/** Where a log comes from: the shards that this node speaks for, or what it accepted as an aggregator. */
export interface LogSource {
  readonly kind: SourceKind
  /** Where it stands: at or below the target's scope. */
  scope(): string
  head(): LogCursor
  /** Where to go on after what the aggregator says that it has; undefined: register again, with a new head. */
  resume(acknowledged: LogCursor): Promise<LogCursor | undefined>
  /** Undefined when there is nothing to send. */
  gather(after: LogCursor): Promise<Portion | undefined>
}

/** Requests to any node, this one included: a box may well be its own people's aggregator. */
export type Send = (
  to: NodeId,
  method: 'search/register' | 'search/append' | 'search/query' | 'search/statistics' | 'search/identities',
  body: Uint8Array,
  options: RpcCallOptions,
) => Promise<Uint8Array>

export interface UplinkParts extends Pick<SearchParts, 'clock' | 'log' | 'identities' | 'config'> {
  readonly heartbeatMs: number
  readonly send: Send
}

/**
 * Keeps one source registered with one aggregator and sends its log. Registering again is the heartbeat; after any
 * failure both sides compare cursors, so that nothing is lost and little is sent twice.
 */
export class Uplink {
  readonly target: Target
  readonly source: LogSource
  readonly #parts: UplinkParts
  readonly #sentLogBytes = new Map<string, number>()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  #dirty = true
  #failingSinceMs: number | undefined
  #cursor: LogCursor = { epoch: 0, position: 0 }
  #idle = false

  constructor(parts: UplinkParts, target: Target, source: LogSource) {
    this.#parts = parts
    this.target = target
    this.source = source
  }

  start(): void {
    this.#running ??= this.#run(this.#stopping.signal)
  }

  /** There may be something to send. */
  wake(): void {
    this.#dirty = true
    this.#wake?.()
  }

  /** For how long nothing could be said to the aggregator. */
  get failingMs(): number {
    if (this.#failingSinceMs === undefined) return 0
    return this.#parts.clock.monotonicMs() - this.#failingSinceMs
  }

  /** Registered, and everything sent. */
  get isIdle(): boolean {
    return this.#idle && !this.#dirty
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new OnehopError('CLOSED', 'no longer registered there'))
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    let pauseMs: number = searchNodeLimits.retryMs
    while (!signal.aborted) {
      try {
        await this.#register(signal)
        this.#failingSinceMs = undefined
        pauseMs = searchNodeLimits.retryMs
        await this.#stream(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#idle = false
        this.#failingSinceMs ??= clock.monotonicMs()
        log.debug('search.uplink-failed', {
          ...this.target,
          code: asOnehopError(error).code,
          error: String(error),
        })
        await clock.sleep(pauseMs, signal).catch(() => {})
        pauseMs = Math.min(pauseMs * 2, searchNodeLimits.retryMsMax)
      }
    }
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { app, parent, node } = this.target
    const { source } = this
    // The second time with a log that began anew, should the aggregator have lost what it had.
    for (let attempt = 0; attempt < 2; attempt++) {
      const body = encodeRegistration({
        app,
        parent,
        scope: source.scope(),
        kind: source.kind,
        head: source.head(),
      })
      const reply = await this.#parts.send(node, 'search/register', body, { signal, timeoutMs: 5_000 })
      const cursor = await source.resume(decodeAcknowledgement(reply).cursor)
      if (cursor === undefined) continue
      this.#cursor = cursor
      return
    }
    throw new OnehopError('STALE', 'the aggregator keeps no cursor')
  }

  /** Until the next heartbeat is due. */
  async #stream(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    const untilMs = clock.monotonicMs() + this.#parts.heartbeatMs
    while (!signal.aborted) {
      this.#dirty = false
      const portion = await this.source.gather(this.#cursor)
      if (portion !== undefined) {
        if (portion.entries.length > 0) await this.#append(portion, signal)
        await portion.commit(this.#cursor)
        this.#dirty = true
        continue
      }
      this.#idle = true
      const restMs = untilMs - clock.monotonicMs()
      if (restMs <= 0) return
      if (!this.#dirty) await this.#sleep(restMs, signal)
      // Others that come within this time go in the same message.
      if (this.#dirty) await clock.sleep(this.#parts.config.batchMs, signal)
    }
  }

  async #append(portion: Portion, signal: AbortSignal): Promise<void> {
    const { app, parent, node } = this.target
    const { epoch, position: after } = this.#cursor
    const { entries, through } = portion
    const batch = encodeLogBatch({ app, parent, epoch, after, through, entries })
    const send = async (): Promise<Uint8Array> => {
      const { logs, sent } = this.#logsFor(portion.identities)
      const body = encodeAppend({ kind: this.source.kind, logs, batch })
      const timeoutMs = searchNodeLimits.appendTimeoutMs
      const reply = await this.#parts.send(node, 'search/append', body, { signal, timeoutMs })
      for (const [name, length] of sent) this.#sentLogBytes.set(name, length)
      return reply
    }
    const reply = await send().catch((error: unknown) => {
      if (asOnehopError(error).code !== 'UNKNOWN_IDENTITY' || this.#sentLogBytes.size === 0) throw error
      this.#sentLogBytes.clear()
      return send()
    })
    const { cursor } = decodeAcknowledgement(reply)
    if (cursor.epoch !== epoch || cursor.position !== through) {
      throw new OnehopError('STALE', 'the aggregator stands elsewhere')
    }
    this.#cursor = cursor
  }

  /** Those that the aggregator was not sent yet, or that have grown since. */
  #logsFor(identities: readonly IdentityId[]): { logs: Uint8Array[]; sent: Map<string, number> } {
    const logs: Uint8Array[] = []
    const sent = new Map<string, number>()
    for (const id of identities) {
      const name = toHex(id)
      const log = sent.has(name) ? undefined : this.#parts.identities.log(id)
      if (log === undefined || this.#sentLogBytes.get(name) === log.length) continue
      logs.push(log)
      sent.set(name, log.length)
    }
    return { logs, sent }
  }

  async #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const cancel = this.#parts.clock.after(delayMs, resolve)
    const onAbort = (): void => resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    await promise
    signal.removeEventListener('abort', onAbort)
    cancel()
    this.#wake = undefined
  }
}
