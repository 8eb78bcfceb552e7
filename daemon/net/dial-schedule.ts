/** Which peers to dial when, so that wanted ones come back soon and dead ones cost little. Pure. */
export interface DialScheduleOptions {
  /** Pause after the first failure; doubled by each further one. */
  readonly firstPauseMs: number
  /** Longest pause while this node has peers, and while it has none. */
  readonly longestPauseMs: number
  readonly longestAlonePauseMs: number
  /** In [0, 1): nodes that lost their peers together must not come back in one breath. */
  readonly jitter: () => number
}

interface Target {
  failures: number
  dueMs: number
}

export class DialSchedule {
  readonly #options: DialScheduleOptions
  readonly #targets = new Map<string, Target>()

  constructor(options: DialScheduleOptions) {
    this.#options = options
  }

  /** Replaces the targets; those already known keep their pauses. */
  want(names: Iterable<string>): void {
    const wanted = new Set(names)
    for (const name of this.#targets.keys()) if (!wanted.has(name)) this.#targets.delete(name)
    for (const name of wanted)
      if (!this.#targets.has(name)) this.#targets.set(name, { failures: 0, dueMs: 0 })
  }

  /** All pauses end: the network has changed. */
  reset(): void {
    for (const target of this.#targets.values()) Object.assign(target, { failures: 0, dueMs: 0 })
  }

  due(nowMs: number, isConnected: (name: string) => boolean): string[] {
    const names: string[] = []
    for (const [name, target] of this.#targets) {
      if (isConnected(name)) Object.assign(target, { failures: 0, dueMs: 0 })
      else if (target.dueMs <= nowMs) names.push(name)
    }
    return names
  }

  /** To be called after every attempt that failed. */
  failed(name: string, nowMs: number, alone: boolean): void {
    const target = this.#targets.get(name)
    if (target === undefined) return
    const longest = alone ? this.#options.longestAlonePauseMs : this.#options.longestPauseMs
    const pauseMs = Math.min(longest, this.#options.firstPauseMs * 2 ** Math.min(20, target.failures))
    target.failures++
    target.dueMs = nowMs + pauseMs * (0.75 + this.#options.jitter() / 2)
  }
}
