/**
 * Tells the DHT which keys this node provides, slowly: a record costs 34 ms of CPU over eight nodes, and a box
 * with thousands of shards has pages to serve. Not kept on disk: who hosts shards adds them at every start.
 */
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import { withDeadline } from './deadline.ts'
import { ProvideSchedule } from './provide-schedule.ts'
import type { Routing } from './rpc.ts'

export interface ProvideQueue extends AsyncDisposable {
  /**
   * A 32-byte key. Urgent ones go first: a user was just made, or is looked for. Whether its record is still to come: false
   * where it was provided before.
   */
  add(key: Uint8Array, options?: { urgent?: boolean }): boolean
  remove(key: Uint8Array): void
  /** `queued` have no valid record yet; `provided` counts records sent since the start; `failed` attempts. */
  stats(): {
    readonly keys: number
    readonly queued: number
    readonly provided: number
    readonly failed: number
  }
}

export interface ProvideQueueOptions {
  readonly routing: Routing
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly perS: number
  /** Renewed within it, at two to two and a half fifths: a missed renewal leaves time for another. */
  readonly validityMs: number
  /** Records under way at once; each waits mostly for other nodes. */
  readonly concurrency?: number
}

const provideTimeoutMs = 30_000
const retryMs = 5_000
const retryMsMax = 10 * 60_000
const idleMs = 60_000
/** Overslept by so many times the pause: the machine is busy with something better. */
const lagFactor = 4
/** Timers of a machine at rest are late by a few milliseconds. */
const lagMsMin = 20
/** Without peers, or with enough under way. */
const notReadyMs = 200

export function createProvideQueue(options: ProvideQueueOptions): ProvideQueue {
  const { routing, clock, log } = options
  const concurrency = options.concurrency ?? 4
  const closing = new AbortController()
  const running = new Set<Promise<void>>()
  let provided = 0
  let failed = 0
  let wake: (() => void) | undefined
  const schedule = new ProvideSchedule({
    renewMs: options.validityMs / 2,
    retryMs,
    retryMsMax,
    jitter: () => (options.random.bytes(1)[0] ?? 0) / 256,
  })

  const provide = async (key: string): Promise<void> => {
    try {
      const bytes = fromHex(key) as Uint8Array
      await withDeadline(clock, provideTimeoutMs, closing.signal, (signal) => routing.provide(bytes, signal))
      provided++
      schedule.done(key, clock.monotonicMs())
    } catch (error) {
      if (closing.signal.aborted) return
      failed++
      schedule.failed(key, clock.monotonicMs())
      log.debug('provide.failed', { code: asOnehopError(error).code, error })
    }
  }

  const pause = async (ms: number): Promise<void> => {
    const waking = Promise.withResolvers<void>()
    wake = waking.resolve
    const stop = clock.after(ms, waking.resolve)
    await waking.promise
    stop()
    wake = undefined
  }

  /** When the next one that nobody waits for may go. */
  let nextMs = clock.monotonicMs()

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const nowMs = clock.monotonicMs()
      // Without peers every attempt would fail and wait; with the first peer all can start at once.
      const isReady = running.size < concurrency && routing.size() > 0
      const isUrgent = schedule.hasUrgent()
      const key = isReady && (isUrgent || nowMs >= nextMs) ? schedule.take(nowMs) : undefined
      if (key === undefined) {
        const dueMs = schedule.nextMs() ?? Infinity
        const waitMs = isReady ? Math.min(idleMs, Math.max(dueMs, nextMs) - nowMs) : notReadyMs
        await pause(Math.max(1, waitMs))
        const lagMs = clock.monotonicMs() - nowMs - waitMs
        if (lagMs > lagMsMin) nextMs = clock.monotonicMs() + Math.min(lagMs * lagFactor, 2_000)
        continue
      }
      const work = provide(key).finally(() => {
        running.delete(work)
        wake?.()
      })
      running.add(work)
      // Somebody waits for the urgent ones, and they are few: only `concurrency` paces them.
      if (!schedule.hasUrgent()) nextMs = nowMs + 1_000 / options.perS
    }
  }
  const looping = loop()

  return {
    add(key, { urgent = false } = {}) {
      if (key.length !== 32) throw new OnehopError('INTERNAL', 'a routing key is a SHA-256 hash')
      const isToCome = schedule.add(toHex(key), urgent)
      wake?.()
      return isToCome
    },
    remove(key) {
      if (!schedule.remove(toHex(key))) return
      routing.withdraw(key).catch((error: unknown) => log.warn('provide.withdraw-failed', { error }))
    },
    stats: () => ({ keys: schedule.size(), queued: schedule.queued(), provided, failed }),
    async [Symbol.asyncDispose]() {
      closing.abort(new OnehopError('CLOSED', 'the node is closing'))
      wake?.()
      await Promise.all([looping, ...running])
    },
  }
}
