/**
 * What to provide next: urgent keys, then those that were never provided, then renewals as they fall due. Pure.
 *
 * Invariants
 * 1. A key is queued, running, or resting until its renewal; never two of these, never twice in one.
 * 2. A renewal is due well before its record ends; a key that failed waits, and longer each time.
 */
export interface ProvideScheduleOptions {
  /** A record is renewed after so long, give or take the jitter. */
  readonly renewMs: number
  readonly retryMs: number
  readonly retryMsMax: number
  /** In [0, 1). */
  readonly jitter: () => number
}

interface Entry {
  urgent: boolean
  state: 'queued' | 'running' | 'resting'
  dueMs: number
  failures: number
}

/** Somebody waits: a few more tries, at once, before it rests like any other. */
const urgentTriesMax = 3

export class ProvideSchedule {
  readonly #options: ProvideScheduleOptions
  readonly #entries = new Map<string, Entry>()
  readonly #urgent = new Set<string>()
  readonly #fresh = new Set<string>()
  /** By due time, latest first, so that the next is popped from the end. */
  readonly #resting: { key: string; dueMs: number }[] = []
  #runningCount = 0

  constructor(options: ProvideScheduleOptions) {
    this.#options = options
  }

  /** Whether its record is still to come: false where it was provided before and rests. */
  add(key: string, urgent: boolean): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#entries.set(key, { urgent, state: 'queued', dueMs: 0, failures: 0 })
      ;(urgent ? this.#urgent : this.#fresh).add(key)
      return true
    }
    if (urgent && entry.state === 'queued') {
      entry.urgent = true
      this.#fresh.delete(key)
      this.#urgent.add(key)
    }
    return entry.state !== 'resting' || entry.failures > 0
  }

  /** Whether the key was known. */
  remove(key: string): boolean {
    this.#urgent.delete(key)
    this.#fresh.delete(key)
    if (this.#entries.get(key)?.state === 'running') this.#runningCount--
    // Its place among the resting is skipped when its time comes.
    return this.#entries.delete(key)
  }

  /** Takes the next key that is due. */
  take(nowMs: number): string | undefined {
    const key = this.#pop(nowMs)
    const entry = key === undefined ? undefined : this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.state = 'running'
    this.#runningCount++
    return key
  }

  done(key: string, nowMs: number): void {
    const { renewMs, jitter } = this.#options
    this.#rest(key, nowMs + renewMs * (0.8 + jitter() * 0.2), 0)
  }

  failed(key: string, nowMs: number): void {
    const { retryMs, retryMsMax, jitter } = this.#options
    const entry = this.#entries.get(key)
    const failures = (entry?.failures ?? 0) + 1
    if (entry?.state === 'running' && entry.urgent && failures <= urgentTriesMax) {
      this.#runningCount--
      Object.assign(entry, { state: 'queued', failures })
      this.#urgent.add(key)
      return
    }
    const pauseMs = Math.min(retryMsMax, retryMs * 2 ** Math.min(20, failures - 1))
    this.#rest(key, nowMs + pauseMs * (0.75 + jitter() / 2), failures)
  }

  /** Is somebody waiting for a record? */
  hasUrgent(): boolean {
    return this.#urgent.size > 0
  }

  /** When `take` may have something, as things are. Undefined: never. */
  nextMs(): number | undefined {
    if (this.#urgent.size > 0 || this.#fresh.size > 0) return 0
    this.#dropStale()
    return this.#resting.at(-1)?.dueMs
  }

  /** Waiting or running for the first time, or again after a failure. */
  queued(): number {
    let failing = 0
    for (const { key, dueMs } of this.#resting) {
      const entry = this.#entries.get(key)
      if (entry?.state === 'resting' && entry.dueMs === dueMs && entry.failures > 0) failing++
    }
    return this.#urgent.size + this.#fresh.size + this.#runningCount + failing
  }

  size(): number {
    return this.#entries.size
  }

  #pop(nowMs: number): string | undefined {
    const urgent = takeFirst(this.#urgent)
    if (urgent !== undefined) return urgent
    // Before the fresh: thousands of these, at a slow pace, must not let a record lapse that others rely on.
    this.#dropStale()
    const next = this.#resting.at(-1)
    if (next === undefined || next.dueMs > nowMs) return takeFirst(this.#fresh)
    this.#resting.pop()
    return next.key
  }

  #rest(key: string, dueMs: number, failures: number): void {
    const entry = this.#entries.get(key)
    if (entry?.state !== 'running') return
    this.#runningCount--
    Object.assign(entry, { state: 'resting', dueMs, failures })
    let low = 0
    let high = this.#resting.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#resting[middle]?.dueMs ?? 0) > dueMs) low = middle + 1
      else high = middle
    }
    this.#resting.splice(low, 0, { key, dueMs })
  }

  /** Places of keys that were removed, or removed and added again. */
  #dropStale(): void {
    for (let next = this.#resting.at(-1); next !== undefined; next = this.#resting.at(-1)) {
      const entry = this.#entries.get(next.key)
      if (entry?.state === 'resting' && entry.dueMs === next.dueMs) return
      this.#resting.pop()
    }
  }
}

function takeFirst(queue: Set<string>): string | undefined {
  for (const key of queue) {
    queue.delete(key)
    return key
  }
  return undefined
}
