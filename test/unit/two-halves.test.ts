import { expect, it } from 'vitest'
import { TwoHalves } from '../../storage/two-halves.ts'

it('keeps the newest half at least, and never more than its bound', () => {
  const halves = new TwoHalves<number>(8)
  const written = Array.from({ length: 100 }, (_, i) => i)
  for (const i of written) {
    halves.set(`${i}`, i)
    const kept = written.filter((j) => halves.get(`${j}`) === j)
    expect(kept.length).toBeLessThanOrEqual(8)
    expect(kept).toEqual(written.slice(i + 1 - kept.length, i + 1))
    expect(kept.length).toBeGreaterThanOrEqual(Math.min(i + 1, 4))
  }
})

it('shows what was set last, and nothing that was deleted, in whichever half it lay', () => {
  const halves = new TwoHalves<string>(4)
  halves.set('a', 'old')
  halves.set('b', 'b')
  halves.set('c', 'c')
  halves.set('a', 'new')
  expect([halves.get('a'), halves.get('b')]).toEqual(['new', 'b'])
  halves.delete('a')
  expect(halves.get('a')).toBeUndefined()
  halves.clear()
  expect([halves.get('b'), halves.get('c')]).toEqual([undefined, undefined])
})
