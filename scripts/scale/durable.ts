import type { ReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { Draw } from '../trial/data/draw.ts'
import { boxOf } from './box.ts'
import type { Latencies } from './latencies.ts'
import type { Population } from './population.ts'

/** Until a write at the home has come to a second holder, and to all that are on: one round trip to the nearest, and to the farthest. */
export function durableTimes(
  sets: readonly ReplicaSet[],
  { country }: Population,
  latencies: Latencies,
  availability: number,
  draw: Draw,
  count: number,
): { readonly second: readonly number[]; readonly all: readonly number[] } {
  const second: number[] = []
  const all: number[] = []
  for (let i = 0; i < count; i++) {
    const [home, ...others] = draw.of(sets).members.map((seat) => country[boxOf(seat).slot] as number)
    const times = others
      .filter(() => draw.fraction() < availability)
      .map((other) => latencies.drawMs(home as number, other, draw))
    if (times.length === 0) continue
    second.push(Math.min(...times))
    all.push(Math.max(...times))
  }
  return { second, all }
}
