import { expect, test } from 'vitest'
import { recordNumbers } from '../../client/identity/record-numbers.ts'
import type { Transport } from '../../client/transport.ts'
import { clockOf } from '../../protocol/record/clock.ts'

const of = { owner: new Uint8Array(32).fill(1), device: new Uint8Array(32).fill(2) }

interface Page {
  readonly numbers: readonly number[]
  readonly more: boolean
}

/** What is made of pages that a node gives, the last of them for ever; and after which number each was asked for. */
async function listed(...pages: readonly Page[]) {
  const asked: (number | undefined)[] = []
  const call = (async (_: string, { after }: { readonly after?: number }) => {
    const { numbers, more } = pages[Math.min(asked.length, pages.length - 1)] as Page
    asked.push(after)
    if (asked.length > 5) throw new Error('asked for ever')
    const id = new Uint8Array(32)
    return { numbers: numbers.map((number) => ({ number, id, clock: clockOf(number) })), more }
  }) as unknown as Transport['call']
  const list = await recordNumbers({ call }, of)
  return { numbers: list.map(({ number }) => number), asked }
}

test('pages are put together', async () => {
  expect(await listed({ numbers: [1, 2], more: true }, { numbers: [5, 9], more: false })).toEqual({
    numbers: [1, 2, 5, 9],
    asked: [0, 2],
  })
  expect((await listed({ numbers: [], more: false })).numbers).toEqual([])
})

test.for<[string, readonly Page[]]>([
  ['repeats a page', [{ numbers: [1, 2], more: true }]],
  [
    'repeats its last page',
    [
      { numbers: [1, 2], more: true },
      { numbers: [1, 2], more: false },
    ],
  ],
  ['goes back', [{ numbers: [3, 2], more: false }]],
  ['names a number twice', [{ numbers: [3, 3], more: false }]],
  ['begins before what was asked for', [{ numbers: [0], more: false }]],
  [
    'says that there is more and gives nothing',
    [
      { numbers: [1], more: true },
      { numbers: [], more: true },
    ],
  ],
])('a node that %s is refused', async ([_, pages]) => {
  await expect(listed(...pages)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
})
