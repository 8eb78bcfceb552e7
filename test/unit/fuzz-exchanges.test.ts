import { describe, expect, it } from 'vitest'
import { kinds, playExchange } from '../fuzz/exchanges.ts'

const seeds = Array.from({ length: 20 }, (_, i) => i + 1)

describe('exchanges of two sides that compare', () => {
  it.each(kinds)('%s', { timeout: 60_000 }, (kind) => {
    const played = seeds.map((seed) => playExchange(seed, kind))
    // Worth its time: some compare what is not equal in more than one round.
    expect(played.some(({ differences, rounds }) => differences > 100 && rounds > 2)).toBe(true)
  })

  it('is the same again with the same seed', () => {
    expect(playExchange(8)).toEqual(playExchange(8))
  })
})
