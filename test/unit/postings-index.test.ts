/** The index on disk gives what the one in memory gives, whatever was added, deleted, written and merged in between. */
import { expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { analyse } from '../../protocol/search/analysis.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { MemoryIndex } from '../../storage/search/memory-index.ts'
import { PostingsIndex } from '../../storage/search/postings-index.ts'
import { openStore } from '../../storage/store.ts'
import type { Store } from '../../storage/types.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

const words = [
  'harbour',
  'morning',
  'market',
  'rain',
  'lagos',
  'berlin',
  'bread',
  'song',
  'river',
  'night',
  'sun',
  'road',
]
const scopes = ['/geo/africa/ng', '/geo/africa/ng/lagos', '/geo/europe/de', '/geo/europe']
const filters = [
  '/geo',
  '/geo/africa',
  '/geo/africa/ng',
  '/geo/africa/ng/lagos',
  '/geo/europe',
  '/geo/europe/de/berlin',
]

/** Words, some in quotes, begun, misspelt or unwanted. */
function anyQuery(pick: <T>(list: readonly T[]) => T, below: (n: number) => number): string {
  const part = (): string => {
    const word = pick(words)
    return pick([
      word,
      word,
      `"${word} ${pick(words)}"`,
      `${word.slice(0, 2)}*`,
      `${word.slice(0, 1)}${word.slice(2)}~`,
      `-${pick(words)}`,
    ])
  }
  return [pick(words), ...Array.from({ length: below(3) }, part)].join(' ')
}

const openIndex = (store: Store): Promise<PostingsIndex> =>
  PostingsIndex.open(
    {
      table: store.table('search/index'),
      write: (prepare) => store.write(prepare),
      pause: async () => {},
      failed: async (error) => {
        throw error
      },
    },
    { memoryWords: 60, cacheBytes: 4_096 },
  )

test.each([1, 2, 3, 4, 5])('story %i: any list and any count, at any time', async (seed) => {
  const random = createSeededRandom(seed)
  const below = (n: number): number => {
    const [a = 0, b = 0] = random.bytes(2)
    return (a * 256 + b) % n
  }
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const kv = new MemoryKv()
  const clock = createVirtualClock()
  const store = await openStore(kv, { clock })
  const oracle = new MemoryIndex()
  let index = await openIndex(store)
  const live = new Map<string, number>()
  const texts = new Map<
    number,
    { item: Uint8Array; id: Uint8Array; scope: string; layers: { height: number; text: string }[] }
  >()
  let position = 0
  const add = (at: number): void => {
    const { item, id, scope, layers } = texts.get(at) as NonNullable<ReturnType<typeof texts.get>>
    const counted = layers.map(({ height, text }) => ({ height, words: analyse(text, 'en') }))
    index.add({ position: at, item, id, app: 'a', collection: pick(['x']), scope, layers: counted })
  }
  const remove = async (item: string): Promise<void> => {
    const at = live.get(item) as number
    await store.write((batch) => index.stageRemoval(batch, at))
    expect(index.remove(at)).toBe(true)
    live.delete(item)
    texts.delete(at)
  }
  for (let step = 0; step < 400; step++) {
    const chance = below(100)
    if (chance < 20 && live.size > 5) {
      const item = pick([...live.keys()])
      oracle.remove(item)
      await remove(item)
    } else {
      const isUpdate = chance < 35 && live.size > 5
      const item = isUpdate ? Uint8Array.from(Buffer.from(pick([...live.keys()]), 'hex')) : random.bytes(32)
      if (isUpdate) await remove(toHex(item))
      const layers = pick([[0], [0, 2], [1], [1, 3], [0, 1, 2]]).map((height) => ({
        height,
        text: Array.from({ length: 1 + below(9) }, () => pick(words)).join(' '),
      }))
      const scope = pick(scopes)
      const id = random.bytes(32)
      texts.set(++position, { item, id, scope, layers })
      live.set(toHex(item), position)
      add(position)
      oracle.put({ key: toHex(item), id, app: 'a', collection: 'x', scope, analyser: 'en', layers })
    }
    if (below(40) === 0) await index.settled()
    if (below(60) === 0) {
      // As after a crash: what is in memory is gone, and comes again.
      await index.settled()
      index = await openIndex(store)
      for (const at of texts.keys()) if (at > index.through) add(at)
    }
    if (step % 7 !== 0) continue
    const query = parseQuery(anyQuery(pick, below), 'en')
    const filter = { app: 'a', collection: below(2) === 0 ? undefined : 'x', scope: pick(filters) }
    const statistics = oracle.statistics(filter, query.clauses)
    expect(index.statistics(filter, query.clauses)).toEqual(statistics)
    for (const match of ['any', 'all'] as const) {
      const [wanted, found] = [oracle, index].map((one) =>
        one.search(query, statistics, filter, { limit: 10, match }),
      )
      expect(found?.total).toBe(wanted?.total)
      expect(found?.hits.map(({ id, score }) => [toHex(id), score])).toEqual(
        wanted?.hits.map(({ id, score }) => [toHex(id), score]),
      )
    }
  }
  expect(index.segments.length).toBeGreaterThan(0)
  await index.settled()
  await store.close()
})
