import { afterAll, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { Hosting, type Hosted } from '../../daemon/hosting.ts'
import { Identities } from '../../daemon/identities.ts'
import { Ingest, type Source } from '../../daemon/ingest.ts'
import { Schemas } from '../../daemon/schemas.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { systemClock } from '../../daemon/clock.ts'
import { verdictsOn, type Signed } from '../../daemon/crypto/verify-batch.ts'
import { secondThread } from '../../daemon/crypto/second-thread.ts'
import { toHex } from '../../protocol/bytes.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { Author } from '../../scripts/bench/author.ts'
import { silentLog } from '../support/api-node.ts'

async function home(quotaBytes: number) {
  const crypto = await loadCrypto()
  const kv = new MemoryKv()
  const store = await openStore(kv, { clock: systemClock })
  const identities = new Identities(store, crypto, systemClock)
  const schemas = new Schemas(store)
  const hosting = await Hosting.open(store)
  const parts = { crypto, clock: systemClock, store, identities, schemas, hosting }
  const ingest = new Ingest(parts)
  const author = new Author(crypto)
  await schemas.put(microblog.bytes)
  await identities.accept(author.id, author.log)
  await hosting.add({ owner: author.id, person: true, quotaBytes, expiresMs: undefined, label: '' })
  return { crypto, parts, kv, store, ingest, author }
}

let asked = 0
const slow = {
  isRunning: true,
  isFree: () => asked++ % 2 === 0,
  async verify(batch: readonly Signed[]) {
    await systemClock.sleep(300)
    return verdictsOn(await loadCrypto(), batch)
  },
}

const threads = {
  'on one thread': undefined,
  'with a second one that verifies': secondThread(systemClock, silentLog, 2),
  'with one that has ended': { isRunning: false, isFree: () => true, verify: async () => undefined },
  'with one that takes every second slice and is late with it': slow,
  'with one that is always busy': { isRunning: true, isFree: () => false, verify: async () => undefined },
}
afterAll(() => threads['with a second one that verifies']?.[Symbol.asyncDispose]())

test.each(Object.entries(threads))('many records in one call are answered in order, %s', async (_, ahead) => {
  const { crypto, parts, author } = await home(2 ** 30)
  const ingest = new Ingest({ ...parts, ahead })
  const posts = Array.from({ length: 600 }, () => author.post())
  const damaged = (posts[300] as Uint8Array).slice()
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] as number) ^ 1
  posts[300] = damaged
  // A stranger's, whose signature is nobody's concern.
  const stranger = new Author(crypto).post()
  expect(
    (
      await ingest.accept(
        Array.from({ length: 40 }, () => stranger),
        { from: 'client' },
      )
    )[39],
  ).toMatchObject({
    outcome: 'refused',
    code: 'NOT_HOSTED',
  })
  const told: string[] = []
  ingest.onStored((arrivals) => told.push(...arrivals.map(({ record }) => toHex(record.id))))
  const outcomes = await ingest.accept(posts, { from: 'client' })
  const ids = posts.map((post) => toHex(decodeRecord(crypto, post).id))
  expect(outcomes.map(({ id }) => id && toHex(id))).toEqual(ids)
  expect(outcomes.flatMap(({ outcome }, i) => (outcome === 'stored' ? [] : [i]))).toEqual([300])
  expect(told).toEqual(ids.filter((_, i) => i !== 300))
})

test('where much is about to come the second thread starts before it is here', async () => {
  const { parts, ingest } = await home(2 ** 30)
  await using ahead = secondThread(systemClock, silentLog, 2)
  expect(ahead?.isRunning).toBe(false)
  new Ingest({ ...parts, ahead }).expectMuch()
  expect(ahead?.isRunning).toBe(true)
  // Where there is one core there is none to start.
  ingest.expectMuch()
})

test('records of one call cannot overdraw the quota together', async () => {
  const { ingest, author, store } = await home(1_500)
  const posts = Array.from({ length: 5 }, () => author.post())
  const outcomes = await ingest.accept(posts, { from: 'client' })
  expect(outcomes.map((one) => (one.outcome === 'refused' ? one.code : one.outcome))).toEqual([
    'stored',
    'stored',
    'NO_QUOTA',
    'NO_QUOTA',
    'NO_QUOTA',
  ])
  expect(store.shards.get(author.id)?.recordBytes).toBeLessThanOrEqual(1_500)
})

test('a disk that fails rejects the whole call', async () => {
  const { ingest, author, kv } = await home(2 ** 30)
  kv.batch = () => Promise.reject(new Error('broken'))
  const posts = Array.from({ length: 1_000 }, () => author.post())
  await expect(ingest.accept(posts, { from: 'client' })).rejects.toThrow('broken')
})

test('a number that is used twice is refused from clients, and so is all else of that device once it is proven', async () => {
  const { crypto, parts, ingest, author } = await home(2 ** 30)
  const peer = { from: 'peer', node: '0'.repeat(64) } as const
  const clone = new Author(crypto, author)
  const accept = async (
    of: Ingest,
    record: Uint8Array,
    from: Source = { from: 'client' },
  ): Promise<string> => {
    const [one] = await of.accept([record], from)
    return one?.outcome === 'refused' ? one.code : String(one?.outcome)
  }
  const [mine, next, third] = [author.post(), author.post(), author.post()]
  const [other, late] = [clone.post(), author.post()]
  expect(await accept(ingest, mine)).toBe('stored')
  expect(await accept(ingest, mine)).toBe('known')
  expect(await accept(ingest, other)).toBe('EQUIVOCATION')
  // Nothing was taken of the other: nothing is proven yet.
  expect(await accept(ingest, next)).toBe('stored')

  expect(await accept(ingest, other, peer)).toBe('stored')
  const later = new Ingest(parts) // as after a restart
  for (const each of [ingest, later]) {
    expect(await accept(each, third)).toBe('EQUIVOCATION')
    for (const held of [mine, other, next]) expect(await accept(each, held)).toBe('known')
  }
  expect(await accept(ingest, third, peer)).toBe('stored')
  expect(await accept(ingest, late)).toBe('EQUIVOCATION')
  expect(await accept(ingest, late, { from: 'stream', node: peer.node })).toBe('stored')
})

test('who equivocates in one shard is refused in that alone, and nobody else is', async () => {
  const { crypto, parts, ingest, author } = await home(2 ** 30)
  const other = new Author(crypto)
  await parts.identities.accept(other.id, other.log)
  await parts.hosting.add({
    owner: other.id,
    person: true,
    quotaBytes: 2 ** 30,
    expiresMs: undefined,
    label: '',
  })
  const clone = new Author(crypto, author)
  await ingest.accept([author.post(), clone.post()], { from: 'peer', node: '0'.repeat(64) })
  const outcomes = await ingest.accept([author.post(), other.post()], { from: 'client' })
  expect(outcomes.map((one) => (one.outcome === 'refused' ? one.code : one.outcome))).toEqual([
    'EQUIVOCATION',
    'stored',
  ])
})

test('a field that stands in the section of other fields is refused', async () => {
  const { crypto, ingest, author } = await home(2 ** 30)
  const { header } = decodeRecord(crypto, author.post())
  // One field may be searched, the other not: each has a section of its own.
  const write = (number: number, heights: Readonly<Record<string, number>>, field: string): Uint8Array => {
    const section = { audience: 'public', heights, fields: { [field]: 'words' } } as const
    return encodeRecord(signRecord(crypto, { ...header, number, sections: [section] }, author.device.seed))
  }
  const records = [
    write(1, { geo: 0 }, 'text'),
    write(2, {}, 'url'),
    write(3, { geo: 0 }, 'url'),
    write(4, {}, 'text'),
  ]
  const outcomes = await ingest.accept(records, { from: 'client' })
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['stored', 'stored', 'refused', 'refused'])
  expect(outcomes[2]).toMatchObject({ code: 'BAD_FIELD', message: 'posts.url belongs into another section' })
  expect(outcomes[3]).toMatchObject({ code: 'BAD_FIELD', message: 'posts.text belongs into another section' })
})

test('a shard that is taken in while its bytes go loses nothing of what comes then', async () => {
  const { parts, store, ingest, author } = await home(2 ** 30)
  const { hosting } = parts
  const hosted = hosting.get(author.id) as Hosted
  await ingest.accept([author.post()], { from: 'peer', node: 'node' })
  const gate = Promise.withResolvers<void>()
  hosting.beforeRemoval(() => gate.promise)
  const removed = hosting.remove(author.id)
  const added = hosting.add(hosted).then(() => ingest.accept([author.post()], { from: 'peer', node: 'node' }))
  await systemClock.sleep(10)
  expect(hosting.has(author.id)).toBe(false)
  gate.resolve()
  await removed
  expect((await added).map(({ outcome }) => outcome)).toEqual(['stored'])
  expect(store.shards.get(author.id)).toMatchObject({ status: 'hosted', records: 1 })
  expect((await Hosting.open(store)).get(author.id)).toEqual(hosted)
})
