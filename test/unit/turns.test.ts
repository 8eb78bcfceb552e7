import { expect, test } from 'vitest'
import { Turns } from '../../daemon/net/turns.ts'

/** Time passes with the work alone. */
function create() {
  let nowMs = 0
  const done: string[] = []
  const turns = new Turns({ monotonicMs: () => nowMs }, 5)
  const ask = (peer: string, name: string, ms: number) =>
    turns.take(peer, () => {
      nowMs += ms
      done.push(name)
    })
  return { done, ask, turns }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('work is done at once while there is time in the turn', () => {
  const { done, ask } = create()
  expect([ask('a', 'a1', 2), ask('a', 'a2', 2), ask('b', 'b1', 2)]).toEqual([undefined, undefined, undefined])
  expect(done).toEqual(['a1', 'a2', 'b1'])
})

test('then everything else has its turn, and peers go on one by one', async () => {
  const { done, ask } = create()
  void ask('a', 'a1', 6)
  const waiting = [ask('a', 'a2', 3), ask('a', 'a3', 3), ask('a', 'a4', 3), ask('b', 'b1', 3)]
  expect(done).toEqual(['a1'])
  await turn()
  expect(done).toEqual(['a1', 'a2', 'b1'])
  // Who comes meanwhile stands behind those who wait.
  const late = ask('b', 'b2', 1)
  await turn()
  await Promise.all([...waiting, late])
  expect(done).toEqual(['a1', 'a2', 'b1', 'a3', 'b2', 'a4'])
})

test('work that throws at once says so, and its time counts', async () => {
  const { done, ask, turns } = create()
  expect(() =>
    turns.take('a', () => {
      void ask('a', 'a1', 6)
      throw new Error('broken')
    }),
  ).toThrow('broken')
  const later = ask('b', 'b1', 1)
  expect(done).toEqual(['a1'])
  await later
  expect(done).toEqual(['a1', 'b1'])
})

test('whoever comes after those who waited used their turn up is served in the next one', async () => {
  const { done, ask } = create()
  void ask('a', 'a1', 6)
  await ask('a', 'a2', 6)
  await ask('b', 'b1', 1)
  expect(done).toEqual(['a1', 'a2', 'b1'])
})
