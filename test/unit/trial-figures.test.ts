import { expect, it } from 'vitest'
import { type Figures, judge } from '../../scripts/trial/figures.ts'

const page: Figures['page'] = {
  pages: 240,
  p50Ms: 1,
  p99Ms: 7,
  requests: 1,
  requestsBetweenNodes: 0,
  imageRequestsBetweenNodes: 0,
  pictures: 9_000,
  picturesMissing: 0,
  feedMismatches: 0,
}
const ofPages = (changes: Partial<typeof page>): string[] =>
  judge({ page: { ...page, ...changes } }).filter((failure) => failure.startsWith('page.'))

it('finds nothing wrong with pages as they must be', () => expect(ofPages({})).toEqual([]))

it.each(
  Object.entries({
    pages: 0,
    requests: 1.01,
    requestsBetweenNodes: 1,
    imageRequestsBetweenNodes: 1,
    pictures: 0,
    picturesMissing: 1,
    feedMismatches: 1,
  }),
)('names page.%s when it is %d, and no other', (name, found) => {
  expect(ofPages({ [name]: found })).toEqual([`page.${name} is ${found}`])
})

it('names what was not measured', () => expect(judge({})).toContain('page was not measured'))
