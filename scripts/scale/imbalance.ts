import type { ReplicaSet } from '../../protocol/placement/replica-set.ts'
import { boxOf } from './box.ts'

/**
 * Standard deviation over mean of how many copies of others each node holds, as everybody's shard was placed. Where only some shards
 * are watched, each copy was seen with that chance: what chance adds to the variance is taken off again.
 */
export function imbalanceOf(sets: readonly ReplicaSet[], nodes: number): number {
  const loads = new Map<number, number>()
  for (const { members } of sets)
    for (const seat of members.slice(1)) {
      const { slot } = boxOf(seat)
      loads.set(slot, (loads.get(slot) ?? 0) + 1)
    }
  let [sum, squares] = [0, 0]
  for (const load of loads.values()) {
    sum += load
    squares += load * load
  }
  const mean = sum / nodes
  const seen = sets.length / nodes
  const excess = (squares / nodes - mean * mean) / mean - 1
  const variance = 1 + excess / seen
  return Math.sqrt(Math.max(0, variance) / (mean / seen))
}
