import { expect, test } from 'vitest'
import { Visitors } from '../../daemon/visitors.ts'

test('the longest unused go first, and together they are never larger than allowed', () => {
  const visitors = new Visitors<string>(100)
  visitors.set('ada', 'a', 40)
  visitors.set('ben', 'b', 40)
  expect(visitors.get('ada')).toBe('a')
  expect(visitors.set('cleo', 'c', 40)).toEqual(['ben'])
  expect(['ada', 'ben', 'cleo'].map((name) => visitors.get(name))).toEqual(['a', undefined, 'c'])
  // Grown, it counts once.
  expect(visitors.set('ada', 'aa', 60)).toEqual([])
  expect(visitors.set('dan', 'd', 1)).toEqual(['cleo'])
})

test('one that is larger than all may be is not kept, and leaves no room behind', () => {
  const visitors = new Visitors<string>(100)
  expect(visitors.set('ada', 'a', 101)).toEqual(['ada'])
  expect(visitors.get('ada')).toBeUndefined()
  expect(visitors.set('ben', 'b', 100)).toEqual([])
})
