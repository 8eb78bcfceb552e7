import { toHex } from '../../protocol/bytes.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { TwoHalves } from '../../storage/two-halves.ts'
import type { NodeId } from '../net/rpc.ts'

interface Rest {
  readonly untilMs: number
  readonly lastsMs: number
}

const firstMs = 4_000
/** Space that comes back is found soon enough. */
const longestMs = 5 * 60_000
const restsMax = 32_768

/**
 * A shard of which one side took nothing, as it has no room, is left alone for a while, ever longer: else all that does not fit would
 * cross the line at each comparison, for nothing.
 */
export class Rests {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #longestMs: number
  readonly #all = new TwoHalves<Rest>(restsMax)

  constructor(clock: Pick<Clock, 'monotonicMs'>, reconcileEveryMs: number) {
    this.#clock = clock
    this.#longestMs = Math.min(longestMs, reconcileEveryMs)
  }

  isResting(node: NodeId, owner: IdentityId): boolean {
    const rest = this.#all.get(nameOf(node, owner))
    return rest !== undefined && this.#clock.monotonicMs() < rest.untilMs
  }

  refused(node: NodeId, owner: IdentityId): void {
    const name = nameOf(node, owner)
    const before = this.#all.get(name)?.lastsMs
    const lastsMs = Math.min(before === undefined ? firstMs : before * 2, this.#longestMs)
    this.#all.set(name, { untilMs: this.#clock.monotonicMs() + lastsMs, lastsMs })
  }

  took(node: NodeId, owner: IdentityId): void {
    this.#all.delete(nameOf(node, owner))
  }
}

function nameOf(node: NodeId, owner: IdentityId): string {
  return `${node} ${toHex(owner)}`
}
