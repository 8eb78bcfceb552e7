import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../daemon/net/rpc-memory.ts'
import { isFiltered } from '../../daemon/search/query.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { scopeContains } from '../../protocol/scope.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { encodeAppend } from '../../protocol/search/exchange.ts'
import {
  decodeAcknowledgement,
  encodeLogBatch,
  encodeRegistration,
  itemHash,
} from '../../protocol/search/log.ts'
import type { SearchAnswer } from '../../protocol/search/query.ts'
import { climbingRecord, searchDocumentOf } from '../../protocol/search/record-document.ts'
import { MemoryIndex } from '../../storage/search/memory-index.ts'
import { verifyRanking } from '../../protocol/search/verify-results.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import {
  crypto,
  deletion,
  item,
  newWriter,
  nodeId,
  type SearchNode,
  startSearchNode,
  townSchema,
  type Writer,
} from '../support/search-node.ts'
import { until } from '../support/until.ts'

const towns = [
  '/geo/africa/ng/lagos',
  '/geo/africa/ng/ibadan',
  '/geo/africa/ke/nairobi',
  '/geo/europe/de/berlin',
  '/geo/europe/de/bonn',
  '/geo/europe/fr/lyon',
] as const
const app = townSchema.id
const words = 'jazz river market school train garden music bread bridge winter harvest poem'.split(' ')

interface World {
  readonly network: MemoryNetwork
  readonly homes: SearchNode[]
  africa: SearchNode
  world: SearchNode
  readonly writers: Writer[]
  readonly records: { record: SignedRecord; scope: string }[]
  readonly ids: Record<'africa' | 'world', string>
}

const open: SearchNode[] = []

async function start(options: Parameters<typeof startSearchNode>[0]): Promise<SearchNode> {
  const node = await startSearchNode(options)
  open.push(node)
  return node
}

/** Everybody says something to everybody, as nodes around a bootstrap address come to. */
async function greet(nodes: readonly SearchNode[]): Promise<void> {
  const signal = AbortSignal.timeout(5_000)
  for (const node of nodes) {
    for (const other of nodes) if (other !== node) await node.search.directory.ask(other.id, signal)
  }
}

async function buildWorld(posts = 20): Promise<World> {
  const network = createMemoryNetwork({ clock: systemClock, random: createSeededRandom(7), noticeMs: 50 })
  const ids = { africa: nodeId(101), world: nodeId(102) }
  const africa = await start({ network, id: ids.africa, aggregate: [{ app: '*', scope: '/geo/africa' }] })
  const world = await start({ network, id: ids.world, aggregate: [{ app: '*', scope: '/geo' }] })
  const homes: SearchNode[] = []
  for (const [i] of towns.entries()) homes.push(await start({ network, id: nodeId(i + 1) }))
  await greet([...homes, africa, world])
  const random = createSeededRandom(11)
  const pick = (): string => words[Math.floor(random.next() * words.length)] as string
  const writers: Writer[] = []
  const records: { record: SignedRecord; scope: string }[] = []
  for (const [i, place] of towns.entries()) {
    const home = homes[i] as SearchNode
    for (let person = 0; person < 2; person++) {
      const writer = newWriter()
      writers.push(writer)
      await home.host(writer)
      const mine = [
        item(writer, 'profile', { place, bio: `biography ${pick()} ${pick()}`, motto: `motto ${pick()}` }),
        ...Array.from({ length: posts }, () =>
          item(writer, 'posts', { text: `${pick()} ${pick()} ${pick()}` }),
        ),
      ]
      await home.write(...mine)
      records.push(...mine.map((record) => ({ record, scope: place })))
    }
  }
  return { network, homes, africa, world, writers, records, ids }
}

/** What one index over all the same documents says, by the same rules of who may be found where. */
function central(records: World['records'], scope: string, text: string, depth: number, limit = 50) {
  const index = new MemoryIndex()
  for (const { record, scope: place } of records) {
    const climbing = climbingRecord(record, 'geo', depth)
    index.put(searchDocumentOf(crypto.sha256, climbing, { scope: place, analyser: 'en' }))
  }
  const query = parseQuery(text, 'en')
  const filter = { app, collection: undefined, scope }
  const statistics = index.statistics(filter, query.clauses)
  const { hits, total } = index.search(query, statistics, filter, { limit })
  return { total, hits: hits.map(({ id, score }) => [toHex(id), score]) }
}

function idsOf(answer: SearchAnswer): (string | number)[][] {
  return answer.hits.map(({ record, score }) => [toHex(decodeRecord(crypto, record).id), score])
}

async function untilAnswer(
  node: SearchNode,
  scope: string,
  text: string,
  isWanted: (answer: SearchAnswer) => boolean,
): Promise<SearchAnswer> {
  const found = await until(async () => {
    const answer = await node.query(scope, text)
    return isWanted(answer) ? answer : undefined
  })
  if (found === undefined) throw new Error('until gives what it waited for')
  return found
}

function untilTotal(node: SearchNode, scope: string, text: string, total: number): Promise<SearchAnswer> {
  return untilAnswer(node, scope, text, (answer) => answer.total === total)
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()))
})

describe('search in a neighbourhood', () => {
  it('equals one central index at town, continent and world, and says which level answered', async () => {
    const { homes, records, ids } = await buildWorld()
    const [lagos] = homes as [SearchNode]
    const cases = [
      // [scope, level, who, depth of what climbed there]
      ['/geo/africa/ng/lagos', '/geo/africa', ids.africa, 1],
      ['/geo/africa/ng', '/geo/africa', ids.africa, 1],
      ['/geo/africa', '/geo/africa', ids.africa, 1],
      ['/geo/europe/de/berlin', '/geo', ids.world, 0],
      ['/geo/europe', '/geo', ids.world, 0],
      ['/geo', '/geo', ids.world, 0],
    ] as const
    for (const [scope, level, who, depth] of cases) {
      const text = 'jazz river biography'
      const wanted = central(records, scope, text, depth)
      const answer = await untilAnswer(
        lagos,
        scope,
        text,
        ({ total, coverage }) => total === wanted.total && (coverage.complete || scope !== level),
      )
      expect(idsOf(answer)).toEqual(wanted.hits)
      expect(answer.level).toBe(level)
      expect(toHex(answer.answeredBy)).toBe(who)
      expect(isFiltered({ scope }, answer)).toBe(scope !== level)
      expect(answer.coverage.complete).toBe(scope === level)
      const hits = answer.hits.map((hit) => {
        const record = decodeRecord(crypto, hit.record)
        return { ...hit, ...searchDocumentOf(crypto.sha256, record, { scope: hit.scope, analyser: 'en' }) }
      })
      const query = {
        app,
        collection: undefined,
        scope,
        text,
        analyser: 'en',
        match: 'any',
        limit: 50,
      } as const
      expect(verifyRanking(query, { ...answer, hits })).toEqual([])
    }
  })

  it('finds a bio up to the continent and no higher, and a motto nowhere above the town', async () => {
    const { homes, writers, world, africa } = await buildWorld(1)
    await untilTotal(homes[5] as SearchNode, '/geo/africa', 'biography', 6)
    await until(() => world.search.aggregator.index('geo')!.size >= writers.length)
    expect((await (homes[0] as SearchNode).query('/geo', 'biography')).total).toBe(0)
    expect((await africa.query('/geo/africa', 'motto')).total).toBe(0)
    const answer = await africa.query('/geo/africa', 'biography')
    for (const { record } of answer.hits) {
      const texts = decodeRecord(crypto, record).sections.filter((section) => section !== undefined)
      expect(Buffer.concat(texts).includes('motto')).toBe(false)
    }
  })

  it('takes out what is deleted, moves who moves, and shows a post within a moment', async () => {
    const { homes, writers, records } = await buildWorld(3)
    const [lagos] = homes as [SearchNode]
    const [ada] = writers as [Writer]
    const post = item(ada, 'posts', { text: 'zanzibar' })
    await lagos.write(post)
    await untilTotal(lagos, '/geo', 'zanzibar', 1)

    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const startMs = performance.now()
      await lagos.write(item(ada, 'posts', { text: `fresh${i}` }))
      await untilTotal(lagos, '/geo/africa', `fresh${i}`, 1)
      times.push(performance.now() - startMs)
    }
    expect(times.sort((a, z) => a - z)[2]).toBeLessThan(300)

    await lagos.write(deletion(ada, post))
    await untilTotal(lagos, '/geo/africa', 'zanzibar', 0)
    await untilTotal(lagos, '/geo', 'zanzibar', 0)

    // All of ada's goes with her from one continent to the other.
    const before = central(records, '/geo/africa', 'biography', 1).total
    await lagos.write(item(ada, 'profile', { place: '/geo/europe/fr/lyon', bio: 'biography of a traveller' }))
    await untilTotal(lagos, '/geo/africa', 'biography', before - 1)
    for (let i = 0; i < 5; i++) {
      const moved = await untilTotal(lagos, '/geo/europe/fr', `fresh${i}`, 1)
      expect(moved.hits[0]?.scope).toBe('/geo/europe/fr/lyon')
      await untilTotal(lagos, '/geo/africa', `fresh${i}`, 0)
      await untilTotal(lagos, '/geo', `fresh${i}`, 1)
    }
  })

  it('is whole again after an aggregator starts anew from its disk', async () => {
    const world = await buildWorld(5)
    const [lagos] = world.homes as [SearchNode]
    const wanted = central(world.records, '/geo/africa', 'jazz river', 1)
    await untilTotal(lagos, '/geo/africa', 'jazz river', wanted.total)
    const { kv } = world.africa
    await world.africa.close()
    open.splice(open.indexOf(world.africa), 1)
    const [ada] = world.writers as [Writer]
    const missed = item(ada, 'posts', { text: 'jazz while away' })
    await lagos.write(missed)
    world.records.push({ record: missed, scope: towns[0] })
    const again = await start({
      network: world.network,
      id: world.ids.africa,
      kv,
      aggregate: [{ app: '*', scope: '/geo/africa' }],
    })
    expect(again.search.aggregator.index('geo')!.size).toBeGreaterThan(20)
    await greet([...world.homes, again, world.world])
    const after = central(world.records, '/geo/africa', 'jazz river', 1)
    expect(idsOf(await untilTotal(again, '/geo/africa', 'jazz river', after.total))).toEqual(after.hits)
  })

  it('goes on inside a continent that is cut off, says outside what is missing, and loses nothing', async () => {
    const { network, homes, africa, world, writers, records, ids } = await buildWorld(5)
    const [lagos] = homes as [SearchNode]
    const berlin = homes[3] as SearchNode
    const all = central(records, '/geo', 'jazz river', 0)
    await untilTotal(berlin, '/geo', 'jazz river', all.total)
    const inside = [...homes.slice(0, 3).map(({ id }) => id), ids.africa]
    const outside = [...homes.slice(3).map(({ id }) => id), ids.world]
    network.partition([inside, outside])

    const [ada] = writers as [Writer]
    const kept = item(ada, 'posts', { text: 'jazz on the island' })
    await lagos.write(kept)
    records.push({ record: kept, scope: towns[0] })
    const onIsland = central(records, '/geo/africa', 'jazz island', 1)
    expect(idsOf(await untilTotal(lagos, '/geo/africa', 'jazz island', onIsland.total))).toEqual(
      onIsland.hits,
    )

    const apart = await untilAnswer(
      berlin,
      '/geo',
      'jazz river',
      ({ coverage }) => coverage.missing.length > 0,
    )
    expect(apart.coverage).toMatchObject({ complete: false, missing: ['/geo/africa'] })
    expect(apart.total).toBe(all.total)

    const reached = await untilAnswer(lagos, '/geo', 'jazz island', ({ hits }) => hits.length > 0)
    expect(reached.coverage.complete).toBe(false)
    expect(reached.coverage.missing.length).toBeGreaterThan(0)
    for (const { scope } of reached.hits) expect(scopeContains('/geo/africa', scope)).toBe(true)

    network.heal()
    await greet([...homes, africa, world])
    const healed = central(records, '/geo', 'jazz island', 0)
    const whole = await untilAnswer(
      berlin,
      '/geo',
      'jazz island',
      ({ coverage, total }) => coverage.complete && total === healed.total,
    )
    expect(idsOf(whole)).toEqual(healed.hits)
  }, 60_000)

  it('comes to the end of a shard that has a thousand things to keep and one to tell', async () => {
    const network = createMemoryNetwork({ clock: systemClock, random: createSeededRandom(5) })
    const home = await start({ network, id: nodeId(1) })
    const writer = newWriter()
    await home.host(writer)
    await home.write(
      item(writer, 'profile', { place: towns[0] }),
      ...Array.from({ length: 1_100 }, (_, i) => item(writer, 'likes', { what: `number ${i}` })),
      item(writer, 'posts', { text: 'at last some jazz' }),
    )
    // All of it is there before anybody asks, so that it takes several messages.
    const africa = await start({ network, id: nodeId(101), aggregate: [{ app, scope: '/geo/africa' }] })
    await greet([africa, home])
    await untilTotal(home, '/geo/africa', 'jazz', 1)
  })

  it('hears a shard from the holder that speaks for it, and takes nothing that does not verify', async () => {
    const network = createMemoryNetwork({ clock: systemClock, random: createSeededRandom(3) })
    let leader = nodeId(1)
    const africa = await start({ network, id: nodeId(101), aggregate: [{ app, scope: '/geo/africa' }] })
    const first = await start({ network, id: nodeId(1), leads: () => leader === nodeId(1) })
    const second = await start({ network, id: nodeId(2), leads: () => leader === nodeId(2) })
    await greet([africa, first, second])
    const writer = newWriter()
    const profile = item(writer, 'profile', { place: towns[0] })
    const post = item(writer, 'posts', { text: 'a word about jazz' })
    for (const node of [first, second]) {
      await node.host(writer)
      await node.write(profile, post)
    }
    await untilTotal(second, '/geo/africa', 'jazz', 1)
    await first.close()
    open.splice(open.indexOf(first), 1)
    // The place of a silent leaf is named as long as nobody speaks for its shards.
    await untilAnswer(second, '/geo/africa', 'jazz', ({ coverage }) => coverage.missing.includes(towns[0]))
    leader = nodeId(2)
    await second.write(item(writer, 'posts', { text: 'more of jazz' }))
    const whole = await untilAnswer(
      second,
      '/geo/africa',
      'jazz',
      ({ total, coverage }) => total === 2 && coverage.complete,
    )
    expect(whole.coverage).toMatchObject({ sources: 1, sourcesCurrent: 1, missing: [] })

    const signal = AbortSignal.timeout(5_000)
    const liar = await start({ network, id: nodeId(9) })
    const forged = {
      ...item(writer, 'posts', { text: 'forged jazz' }),
      signature: new Uint8Array(64).fill(1),
    }
    const at = { app, parent: '/geo/africa' }
    const head = { epoch: 5, position: 0 }
    const registration = encodeRegistration({ ...at, scope: towns[0], kind: 'leaf', head })
    await liar.rpc.request(africa.id, 'search/register', registration, { signal })
    const item0 = itemHash(crypto.sha256, { ...post.header, itemKey: post.id })
    const batch = encodeLogBatch({
      ...{ ...at, epoch: 5, after: 0, through: 3 },
      entries: [
        {
          operation: 'put',
          position: 1,
          record: encodeRecord(forged),
          scopes: { geo: towns[0] },
          analyser: 'en',
        },
        {
          operation: 'put',
          position: 2,
          record: encodeRecord(post),
          scopes: { geo: '/geo/europe' },
          analyser: 'en',
        },
        { operation: 'remove', position: 3, item: item0 },
      ],
    })
    const invented = newWriter().state
    const body = encodeAppend({ kind: 'leaf', logs: [encodeLog(invented.entries)], batch })
    const reply = await liar.rpc.request(africa.id, 'search/append', body, { signal })
    expect(decodeAcknowledgement(reply).cursor).toEqual({ epoch: 5, position: 3 })
    expect(africa.search.aggregator.stats.refused).toBe(2)
    // Nothing of theirs is indexed, so nothing of them is kept.
    expect(africa.store.documents.get('identity', invented.id)).toBeUndefined()
    expect(africa.store.documents.get('identity', writer.state.id)).toBeDefined()
    expect((await second.query('/geo/africa', 'jazz')).total).toBe(2)
    // Sent twice, taken once; of another epoch, not at all.
    const again = await liar.rpc.request(africa.id, 'search/append', body, { signal })
    expect(decodeAcknowledgement(again).cursor).toEqual({ epoch: 5, position: 3 })
    const stranger = encodeRegistration({ ...at, parent: '/geo', scope: '/geo', kind: 'leaf', head })
    await expect(liar.rpc.request(africa.id, 'search/register', stranger, { signal })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(
      liar.rpc.request(africa.id, 'search/append', new Uint8Array([1]), { signal }),
    ).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
    // The log of whoever wrote a hit is to be had from whoever answered.
    await liar.search.directory.ask(africa.id, signal)
    await untilTotal(liar, '/geo/africa', 'jazz', 2)
    expect(await liar.search.identityLog(writer.state.id, signal)).toEqual(encodeLog(writer.state.entries))
  })

  it('answers from its own shards where nobody aggregates, and says that it is not all', async () => {
    const network = createMemoryNetwork({ clock: systemClock, random: createSeededRandom(1) })
    const home = await start({ network, id: nodeId(1) })
    const writer = newWriter()
    await home.host(writer)
    await home.write(
      item(writer, 'profile', { place: towns[0] }),
      item(writer, 'posts', { text: 'alone with jazz' }),
    )
    const answer = await untilTotal(home, '/geo', 'jazz', 1)
    expect(answer.coverage).toMatchObject({ complete: false, missing: ['/geo'] })
  })
})
