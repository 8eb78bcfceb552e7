import type { NodeId } from '../../daemon/net/rpc.ts'

/** A storm goes on as fast as the line allows; what there is to do comes in bursts. */
const windowMs = 10_000
/** All that two nodes have to say to each other in a busy story is a third of it. */
const requestsMax = 200

/** Counts what nodes ask each other: something that is asked again at once, for ever, converges all the same and eats a box. */
export class Storms {
  /** By pair of nodes, then by method. */
  readonly #counts = new Map<string, Map<string, number>>()
  #startedMs = 0

  /** What is wrong, if this request is one too many. */
  asked(nowMs: number, from: NodeId, to: NodeId, method: string): string | undefined {
    if (nowMs - this.#startedMs >= windowMs) {
      this.#counts.clear()
      this.#startedMs = nowMs
    }
    const pair = `${from} ${to}`
    const counts = this.#counts.get(pair) ?? new Map<string, number>()
    this.#counts.set(pair, counts.set(method, (counts.get(method) ?? 0) + 1))
    let sum = 0
    for (const count of counts.values()) sum += count
    if (sum !== requestsMax + 1) return undefined
    const [most = '', times = 0] = [...counts].toSorted(([, a], [, b]) => b - a)[0] ?? []
    return `${nowMs.toFixed(0)} ms: ${from.slice(0, 8)} asks ${to.slice(0, 8)} more than ${requestsMax} times in ${windowMs / 1_000} s, ${times} of them ${most}`
  }
}
