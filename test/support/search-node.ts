import { randomBytes } from 'node:crypto'
import { systemClock } from '../../daemon/clock.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { Hosting } from '../../daemon/hosting.ts'
import { Identities } from '../../daemon/identities.ts'
import { Ingest } from '../../daemon/ingest.ts'
import { createProvideQueue } from '../../daemon/net/provide-queue.ts'
import type { MemoryNetwork } from '../../daemon/net/rpc-memory.ts'
import type { NodeId } from '../../daemon/net/rpc.ts'
import { Schemas } from '../../daemon/schemas.ts'
import { Search } from '../../daemon/search/search.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import type { Log } from '../../protocol/ports.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { IdentityId, RecordDraft, SignedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'
import { decodeSearchAnswer, encodeSearchQuery, type SearchAnswer } from '../../protocol/search/query.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import type { Kv } from '../../storage/kv.ts'
import { openStore } from '../../storage/store.ts'
import { createPerson, type Person } from './people.ts'

/** Posts climb to the world, a bio to the continent, a motto not beyond the town. */
export const townSchema = defineSchema({
  onehop: 1,
  id: 'example.town',
  version: 1,
  hierarchies: { geo: { levels: ['world', 'continent', 'country', 'town'], leaf: 'profile.place' } },
  collections: {
    profile: {
      key: 'single',
      fields: {
        place: { type: 'scope', hierarchy: 'geo', required: true },
        bio: { type: 'text', max: 2000, search: { geo: 'continent' } },
        motto: { type: 'text', max: 2000, search: { geo: 'town' } },
      },
    },
    posts: {
      key: 'none',
      stream: true,
      fields: { text: { type: 'text', max: 2000, required: true, search: { geo: 'world' } } },
    },
    // Nobody outside the town searches for them.
    likes: {
      key: 'none',
      fields: { what: { type: 'text', max: 200, required: true, search: { geo: 'town' } } },
    },
  },
})

export const crypto = await loadCrypto()
const heartbeatMs = 400
const debug: Log['debug'] = (event, fields) => {
  if (process.env.DEBUG_SEARCH !== undefined) console.error(event, JSON.stringify(fields))
}
const log: Log = { debug, info: debug, warn: debug, error: debug }

export interface SearchNodeOptions {
  readonly network: MemoryNetwork
  readonly id: NodeId
  readonly aggregate?: readonly { app: string; scope: string }[]
  /** To start again with what an earlier one kept. */
  readonly kv?: Kv
  readonly leads?: (owner: IdentityId) => boolean
}

/** A node of real parts, without placement: it leads whatever it holds unless it is told otherwise. */
export async function startSearchNode({
  network,
  id,
  aggregate = [],
  kv = new MemoryKv(),
  leads,
}: SearchNodeOptions) {
  const member = network.join(id, { log })
  const { rpc, routing } = member
  const clock = systemClock
  const random = { bytes: (length: number) => new Uint8Array(randomBytes(length)) }
  let looks = 0
  const store = await openStore(kv, { clock })
  const identities = new Identities(store, crypto, systemClock)
  const schemas = new Schemas(store)
  await schemas.learn(townSchema)
  const hosting = await Hosting.open(store)
  const ingest = new Ingest({ crypto, clock, store, identities, schemas, hosting })
  const provideQueue = createProvideQueue({ routing, clock, random, log, perS: 100, validityMs: 3_600_000 })
  const closing = new AbortController()
  const search = await Search.open({
    ...{
      rpc,
      routing,
      provideQueue,
      crypto,
      clock,
      random,
      log,
      store,
      identities,
      schemas,
      hosting,
      ingest,
    },
    leads: leads ?? ((owner) => hosting.has(owner)),
    leadChanges: () => looks++,
    aggregate: [...aggregate],
    // So few that what is asked for lies in several segments.
    config: { registerEveryMs: 300, batchMs: 10, memoryWords: 60, cacheBytes: 4_096 },
    heartbeatMs,
    suspectAfterMs: 60_000,
    nodeSeed: seedOf(id),
    addresses: () => [`/memory/${id}`],
  })
  const running = search.run(closing.signal)

  return {
    id,
    kv,
    store,
    search,
    rpc,
    async host(person: Person): Promise<void> {
      await identities.accept(undefined, encodeLog(person.state.entries))
      await hosting.add({
        owner: person.state.id,
        person: true,
        quotaBytes: 2 ** 24,
        expiresMs: undefined,
        label: '',
      })
    },
    async write(...records: readonly SignedRecord[]): Promise<void> {
      const outcomes = await ingest.accept(records.map(encodeRecord), { from: 'client' })
      const refused = outcomes.find(({ outcome }) => outcome === 'refused')
      if (refused !== undefined) throw new Error(JSON.stringify(refused))
    },
    async query(scope: string, text: string, limit = 50): Promise<SearchAnswer> {
      const query = encodeSearchQuery({
        ...{ app: townSchema.id, collection: undefined, scope, text, analyser: 'en', match: 'any', limit },
        ...{ hops: 3, explain: false, statistics: undefined },
      })
      const call = {
        caller: { kind: 'anyone' } as const,
        signal: closing.signal,
        token: undefined,
        bind: () => {},
      }
      const reply = await search.operations['search.query']({ query }, call)
      return decodeSearchAnswer((reply as { answer: Uint8Array }).answer)
    },
    async close(): Promise<void> {
      closing.abort()
      await running
      await provideQueue[Symbol.asyncDispose]()
      await member[Symbol.asyncDispose]()
    },
  }
}

export type SearchNode = Awaited<ReturnType<typeof startSearchNode>>

function seedOf(id: NodeId): Uint8Array {
  const seed = seeds.get(id)
  if (seed === undefined) throw new Error('make the node id with nodeId()')
  return seed
}

const seeds = new Map<NodeId, Uint8Array>()

/** Ids are public keys here: adverts are signed. */
export function nodeId(number: number): NodeId {
  const seed = new Uint8Array(32).fill(number)
  const id = toHex(crypto.signingPublicKey(seed))
  seeds.set(id, seed)
  return id
}

export interface Writer extends Person {
  numbers: number
}

export function newWriter(): Writer {
  return { ...createPerson(crypto), numbers: 0 }
}

let counter = 0

/** The person's next record, as an app would write it. */
export function item(
  writer: Writer,
  collection: 'profile' | 'posts' | 'likes',
  value: ItemValue,
  changes: Partial<RecordDraft> = {},
): SignedRecord {
  const { id } = writer.state
  return signRecord(
    crypto,
    {
      ...{ owner: id, author: id, app: townSchema.id, collection, key: new Uint8Array(0) },
      merge: collection === 'profile' ? 'register' : 'append',
      number: ++writer.numbers,
      clock: clockOf(Date.now(), counter++ % 65_536),
      operation: 'put',
      schema: townSchema.hash,
      expiresMs: undefined,
      sections: planSections(townSchema, collection, value).map(({ audience, heights, fields }) => {
        if (audience !== 'public') throw new Error('public fields only')
        return { audience, heights, fields }
      }),
      ...changes,
    },
    writer.device.seed,
  )
}

export function deletion(writer: Writer, record: SignedRecord): SignedRecord {
  return item(writer, 'posts', { text: '' }, { key: record.id, operation: 'delete', sections: [] })
}
