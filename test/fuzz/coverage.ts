/**
 * Which blocks of the protocol and the daemon ran, as V8 counts them. Asking costs some milliseconds, so it is asked
 * once for a batch of inputs; where the batch reached something new, its halves are run again until the inputs are
 * found that did. V8 tells what did not run within a function that did: new is what shrinks that.
 */
import { Session } from 'node:inspector/promises'

interface Span {
  readonly start: number
  readonly end: number
}

export class Coverage {
  readonly #session: Session
  /** What never ran, for each function that ran at all. */
  readonly #unreached = new Map<string, readonly Span[]>()
  readonly #isOurs: (url: string) => boolean

  private constructor(session: Session, isOurs: (url: string) => boolean) {
    this.#session = session
    this.#isOurs = isOurs
  }

  static async start(isOurs: (url: string) => boolean): Promise<Coverage> {
    const session = new Session()
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    return new Coverage(session, isOurs)
  }

  /** Whether something ran since the last time that had not run before `keep` was last said. */
  async isNew(keep: boolean): Promise<boolean> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage')
    let found = false
    for (const { url, functions } of result) {
      if (!this.#isOurs(url)) continue
      for (const { ranges } of functions) {
        const [whole] = ranges
        if (whole === undefined || whole.count === 0) continue
        const name = `${url}:${whole.startOffset}:${whole.endOffset}`
        const missed = ranges
          .filter(({ count }) => count === 0)
          .map(({ startOffset, endOffset }) => ({ start: startOffset, end: endOffset }))
        const before = this.#unreached.get(name)
        const left = before === undefined ? missed : intersect(before, missed)
        if (before === undefined || lengthOf(left) < lengthOf(before)) {
          found = true
          if (!keep) return true
          this.#unreached.set(name, left)
        }
      }
    }
    return found
  }

  get functions(): number {
    return this.#unreached.size
  }

  async stop(): Promise<void> {
    await this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }
}

function intersect(a: readonly Span[], b: readonly Span[]): Span[] {
  return a.flatMap((one) =>
    b
      .map((other) => ({ start: Math.max(one.start, other.start), end: Math.min(one.end, other.end) }))
      .filter(({ start, end }) => start < end),
  )
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { start, end }) => sum + end - start, 0)
}
