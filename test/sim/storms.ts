import type { NodeId } from '../../daemon/net/rpc.ts'

/** A storm goes on as fast as the line allows; what there is to do comes in bursts. */
const windowMs = 10_000
/** All that two nodes have to say to each other in a busy story is a third of it. */
const requestsMax = 200
/**
 * What a node has asked for and not heard yet, of all others together: it grows without end where what comes is not waited for. Four
 * times what a story of two minutes has at its busiest, which is 24.
 */
const underWayMax = 100

/** Counts what nodes ask each other: something that is asked again at once, for ever, converges all the same and eats a box. */
export class Storms {
  /** By pair of nodes, then by method. */
  readonly #counts = new Map<string, Map<string, number>>()
  #startedMs = 0
  /** By node. */
  readonly #underWay = new Map<NodeId, number>()

  /** What is wrong, if it waits for too much. */
  began(from: NodeId, method: string): string | undefined {
    const count = (this.#underWay.get(from) ?? 0) + 1
    this.#underWay.set(from, count)
    if (count !== underWayMax + 1) return undefined
    return `${from.slice(0, 8)} waits for more than ${underWayMax} answers, the last for ${method}`
  }

  ended(from: NodeId): void {
    this.#underWay.set(from, (this.#underWay.get(from) ?? 0) - 1)
  }

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
