import { toHex, utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { sweepCutMs } from '../../protocol/record/ends.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { boolean, decodeAs, struct, uint } from '../../protocol/shape.ts'
import type { Store } from '../../storage/types.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import { ClockTrust } from './clock-trust.ts'
import type { LooseFiles } from './loose-files.ts'

export interface SweepParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly neighbours: Pick<Neighbours, 'clocksMs'>
  readonly files: Pick<LooseFiles, 'noteSwept' | 'collect'>
}

/** Once others were heard, and when nobody waits for the node. */
const firstMs = 10 * 60_000
/** A cut is one a day; what came too late for it is met soon enough. */
const everyMs = 6 * 3_600_000
/** Between two steps of some milliseconds: whoever writes goes first. */
const pauseMs = 50
const shardsAtOnce = 500
/** Less is given back as the database gets to it. */
const reclaimBytes = 1024 * 1024

const kind = 'swept'
const key = utf8('clock')
const trustShape = struct({ lookMs: uint(), evenMs: uint(), isTrusted: boolean })

/**
 * Takes away what is over, in every shard that is kept here for whatever reason: bytes of records, in small steps, and files that
 * only those named. By the rule of protocol/record/ends.ts, and only as long as this node's clock is believed.
 */
export class Sweep {
  readonly #parts: SweepParts
  #doubted = false

  constructor(parts: SweepParts) {
    this.#parts = parts
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    // As of the start: what comes from now on may be taken by a wrong clock.
    const isNew = await this.#isNew().catch(() => false)
    let trust: ClockTrust | undefined
    for (let waitMs = firstMs; ; waitMs = everyMs) {
      try {
        await clock.sleep(waitMs, signal)
        trust ??= this.#kept(isNew)
        await this.#look(trust, signal)
      } catch (cause) {
        if (signal.aborted) return
        // A disk that takes no writes now: what is left is met the next time.
        log.warn('sweep.ended', { code: asOnehopError(cause).code, error: String(cause) })
      }
    }
  }

  async #isNew(): Promise<boolean> {
    const { documents, shards } = this.#parts.store
    return documents.get(kind, key) === undefined && (await shards.list({ limit: 1 })).length === 0
  }

  #kept(isNew: boolean): ClockTrust {
    const noted = this.#parts.store.documents.get(kind, key)
    return new ClockTrust(noted && decodeAs(trustShape, noted, kind), isNew)
  }

  async #look(trust: ClockTrust, signal: AbortSignal): Promise<void> {
    const { clock, log, neighbours, store } = this.#parts
    const nowMs = Math.max(0, Math.floor(clock.nowMs()))
    const monotonicMs = Math.floor(clock.monotonicMs())
    const othersMs = neighbours.clocksMs()
    const { lookMs, evenMs, isTrusted } = trust.look({ nowMs, monotonicMs, othersMs })
    const cutMs = isTrusted ? Math.max(0, sweepCutMs(nowMs)) : undefined
    store.records.expireUpTo(cutMs)
    if (!isTrusted && !this.#doubted) log.warn('sweep.clock-doubted', { nowMs })
    this.#doubted = !isTrusted
    await store.documents.put(kind, key, encode([lookMs, evenMs, isTrusted]))
    if (cutMs !== undefined) await this.#sweepAll(cutMs, signal)
  }

  async #sweepAll(cutMs: number, signal: AbortSignal): Promise<void> {
    const { shards } = this.#parts.store
    let after: IdentityId | undefined
    for (;;) {
      const page = await shards.list({ limit: shardsAtOnce, ...(after && { after }) })
      for (const { shard } of page) await this.#sweepShard(shard, cutMs, signal)
      after = page.at(-1)?.shard
      if (after === undefined || page.length < shardsAtOnce) return
    }
  }

  async #sweepShard(owner: IdentityId, cutMs: number, signal: AbortSignal): Promise<void> {
    const { clock, files, log, store } = this.#parts
    const also = files.noteSwept(owner, cutMs)
    let [records, bytes] = [0, 0]
    for (;;) {
      signal.throwIfAborted()
      const swept = await store.records.sweep(owner, cutMs, also)
      records += swept.records
      bytes += swept.bytes
      if (!swept.more) break
      await clock.sleep(pauseMs, signal)
    }
    await files.collect(owner, cutMs, signal)
    if (records > 0) log.info('sweep.done', { owner: toHex(owner), records, bytes })
    if (bytes >= reclaimBytes) await store.records.reclaim(owner)
  }
}
