import type { SeededRandom } from '../support/seeded-random.ts'

/** What a seed decides, in words. */
export interface Draw {
  /** In [from, to). */
  between(from: number, to: number): number
  chance(share: number): boolean
  pick<T>(from: readonly T[]): T
  shuffled<T>(list: readonly T[]): T[]
}

export function createDraw(random: SeededRandom): Draw {
  const between = (from: number, to: number): number => from + random.next() * (to - from)
  return {
    between,
    chance: (share) => random.next() < share,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new Error('nothing to pick from')
      return from[Math.floor(random.next() * from.length)] as T
    },
    shuffled<T>(list: readonly T[]): T[] {
      const left = [...list]
      const result: T[] = []
      while (left.length > 0) result.push(...left.splice(Math.floor(random.next() * left.length), 1))
      return result
    },
  }
}
