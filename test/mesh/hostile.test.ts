import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { signRecord } from '../../protocol/record/sign.ts'
import { decodeReceipts, encodePush } from '../../protocol/replication/messages.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { numberListHash, revokeDevice } from '../../protocol/identity/make.ts'
import { limits } from '../../protocol/limits.ts'
import { makeChain, unpackChain } from '../../protocol/placement/chain.ts'
import { signLease } from '../../protocol/placement/lease.ts'
import {
  decodeHello,
  decodeLeaseAsks,
  decodeTaken,
  encodeHello,
  encodeLeases,
  encodePlaced,
} from '../../protocol/placement/messages.ts'
import {
  decodeReplicaSet,
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import type { Method } from '../../daemon/net/rpc.ts'
import { type Mesh } from '../support/mesh.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'
import { openStreet, onDisk, setOf, helloOf, sectionOf, draftOf } from '../support/street.ts'

/** Everything that a node answers to another. */
const methods: readonly Method[] = [
  'search/adverts',
  'search/append',
  'search/identities',
  'search/query',
  'search/register',
  'search/statistics',
  'shard/blob-chunk',
  'shard/blob-manifest',
  'shard/blob-offer',
  'shard/compare',
  'shard/fetch',
  'shard/hello',
  'shard/lease',
  'shard/locate',
  'shard/numbers',
  'shard/push',
  'shard/reconcile',
  'shard/schema',
  'shard/sign-step',
  'shard/take',
  'stream/follow',
  'stream/list',
  'stream/push',
  'stream/stop',
]

test('the table names every method there is', () => {
  const root = resolve(import.meta.dirname, '../../daemon')
  const found = globSync('**/*.ts', { cwd: root }).flatMap((file) =>
    [...readFileSync(resolve(root, file), 'utf8').matchAll(/\.handle\(\s*'([^']+)'/g)].map(
      (match) => match[1],
    ),
  )
  expect(new Set(found)).toEqual(new Set(methods))
  expect(found).toHaveLength(methods.length)
})

const garbage: readonly (readonly [name: string, body: (mesh: Mesh) => Uint8Array])[] = [
  ['nothing at all', () => new Uint8Array(0)],
  ['one byte', () => Uint8Array.of(0xff)],
  ['random bytes', (mesh) => mesh.random.bytes(300)],
  ['a number', () => encode(7)],
  ['a map', () => encode({ owner: 'me' })],
  ['a list of the wrong things', () => encode([[null, 'x', -1], [true]])],
  ['lists in lists', () => new Uint8Array(5_000).fill(0x81)],
  ['a length that lies', () => Uint8Array.of(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
  ['a cut message', () => encode([new Uint8Array(32), new Uint8Array(16)]).subarray(0, 40)],
  ['bytes after the end', () => Uint8Array.of(0x80, 0x80)],
  ['as much as a frame takes', (mesh) => mesh.random.bytes(limits.frameBytesMax - 2_048)],
  ['more than a frame takes', () => new Uint8Array(limits.frameBytesMax + 1)],
]

test.each(methods)('%s refuses whatever is no message of its own', async (method) => {
  const { mesh, home, ask } = await openStreet()
  await using _ = mesh
  const before = await onDisk(home)
  for (const [name, body] of garbage) {
    // Only the node that aggregates answers for an index; the others do not know the method.
    expect(await ask(method, body(mesh)), name).toBeOneOf(['BAD_MESSAGE', 'TOO_LARGE', 'UNSUPPORTED'])
  }
  expect(await ask('shard/locate', encode([]))).toEqual(encode([]))
  expect(await onDisk(home)).toEqual(before)
})

interface Crime {
  readonly name: string
  readonly code: string
  /** What another node is told: try again later, or never. */
  readonly receipt: 'later' | 'never' | 'BAD_MESSAGE'
  readonly bytes: (at: { mesh: Mesh; ada: SimPerson; draft: RecordDraft }) => Uint8Array
}

function signed(
  { mesh, ada, draft }: Parameters<Crime['bytes']>[0],
  changes: Partial<RecordDraft>,
): Uint8Array {
  return encodeRecord(signRecord(mesh.crypto, { ...draft, ...changes }, ada.owning.seed))
}

const crimes: readonly Crime[] = [
  { name: 'no record', code: 'BAD_MESSAGE', receipt: 'never', bytes: () => new Uint8Array(64) },
  {
    name: 'a cut record',
    code: 'BAD_MESSAGE',
    receipt: 'never',
    bytes: (at) => signed(at, {}).slice(0, -3),
  },
  {
    name: 'another signature',
    code: 'BAD_SIGNATURE',
    receipt: 'never',
    bytes: (at) => {
      const record = signRecord(at.mesh.crypto, at.draft, at.ada.owning.seed)
      return encodeRecord({
        ...record,
        signature: record.signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
      })
    },
  },
  {
    name: 'another content',
    code: 'BAD_SIGNATURE',
    receipt: 'never',
    bytes: (at) => {
      const record = signRecord(at.mesh.crypto, at.draft, at.ada.owning.seed)
      const [section] = record.sections
      return encodeRecord({ ...record, sections: [section?.map((byte, i) => (i === 20 ? byte ^ 1 : byte))] })
    },
  },
  {
    name: 'a device that was never admitted',
    code: 'FORBIDDEN',
    receipt: 'never',
    bytes: ({ mesh, draft }) => encodeRecord(signRecord(mesh.crypto, draft, mesh.crypto.random(32))),
  },
  {
    name: 'an hour ahead',
    code: 'CLOCK_AHEAD',
    receipt: 'later',
    bytes: (at) => signed(at, { clock: clockOf(at.mesh.clock.nowMs() + 3_600_000) }),
  },
  {
    name: "a stranger's shard",
    code: 'NOT_HOSTED',
    receipt: 'later',
    bytes: ({ mesh, draft }) => {
      const eve = createSimPerson(mesh.crypto)
      return encodeRecord(
        signRecord(mesh.crypto, { ...draft, owner: eve.owner, author: eve.owner }, eve.owning.seed),
      )
    },
  },
  {
    name: "into another's shard",
    code: 'UNKNOWN_IDENTITY',
    receipt: 'later',
    bytes: ({ mesh, draft }) => {
      const eve = createSimPerson(mesh.crypto)
      return encodeRecord(signRecord(mesh.crypto, { ...draft, author: eve.owner }, eve.owning.seed))
    },
  },
]

test.each(crimes)('a record with $name: $code, and nothing is kept', async ({ code, receipt, bytes }) => {
  const { mesh, home, ada, ask } = await openStreet()
  await using _ = mesh
  const before = await onDisk(home)
  const record = bytes({ mesh, ada, draft: draftOf(mesh, ada) })
  const { results } = await mesh.wait(home.call('record.put', { records: [record] }))
  expect(results[0]).toMatchObject({ outcome: 'refused', code })
  expect(results[0]?.message).not.toBe('')
  const answer = await ask('shard/push', encodePush([record]))
  expect(typeof answer === 'string' ? answer : decodeReceipts(answer)[0]).toBe(receipt)
  expect(await onDisk(home)).toEqual(before)
})

const mistakes: readonly (readonly [name: string, code: string, changes: Partial<RecordDraft>])[] = [
  ['of an unknown collection', 'UNKNOWN_COLLECTION', { collection: 'posts2' }],
  ['under an unknown schema', 'UNKNOWN_SCHEMA', { schema: new Uint8Array(32).fill(9) }],
  ['with a number where text belongs', 'BAD_FIELD', { sections: [sectionOf({ text: 7 })] }],
  ['with a field that is not declared', 'BAD_FIELD', { sections: [sectionOf({ txt: 'x' })] }],
  [
    'with a field in a section that is not its own',
    'BAD_FIELD',
    { sections: [{ ...sectionOf({ text: 'x' }), heights: {} }] },
  ],
  ['of another merge kind', 'BAD_REQUEST', { merge: 'register', key: Uint8Array.of(1) }],
  ['of another app', 'BAD_REQUEST', { app: 'example.other' }],
  ['from two months ago', 'EXPIRED', { clock: clockOf(Date.UTC(2025, 9, 1)) }],
]

test.each(mistakes)('an app that writes a record %s hears %s', async (_name, code, changes) => {
  const { mesh, home, ada } = await openStreet()
  await using _ = mesh
  const before = await onDisk(home)
  const record = encodeRecord(signRecord(mesh.crypto, { ...draftOf(mesh, ada), ...changes }, ada.owning.seed))
  const { results } = await mesh.wait(home.call('record.put', { records: [record] }))
  expect(results[0]).toMatchObject({ outcome: 'refused', code })
  expect(await onDisk(home)).toEqual(before)
})

test('a revoked device writes no more; what counts of it stays', async () => {
  const { mesh, home, ada } = await openStreet()
  await using _ = mesh
  const state = replay(mesh.crypto, decodeLog(mesh.crypto, ada.log))
  const second = ada.writers[1]
  const key = new Uint8Array(0)
  const write = (): { id: Uint8Array; device: Uint8Array; bytes: Uint8Array } => {
    const written = second?.sign('posts', key, 'put', { text: 'x' }, mesh.clock.nowMs())
    if (written === undefined) throw new Error('no second device')
    return { id: written.record.id, device: written.record.header.device, bytes: written.bytes }
  }
  const first = write()
  const kept = await mesh.wait(home.call('record.put', { records: [first.bytes] }))
  expect(kept.results[0]?.outcome).toBe('stored')
  const hash = numberListHash(mesh.crypto, ada.owner, first.device, [{ number: 1, id: first.id }])
  const { entry } = revokeDevice(mesh.crypto, state, ada.owning, first.device, [
    { owner: ada.owner, lastNumber: 1, listHash: hash, lastEntry: undefined },
  ])
  await mesh.wait(home.call('identity.append', { identity: ada.owner, log: encodeLog([entry]) }))
  const refused = await mesh.wait(home.call('record.put', { records: [write().bytes] }))
  expect(refused.results[0]).toMatchObject({ outcome: 'refused', code: 'REVOKED' })
  expect(home.store.shards.get(ada.owner)?.records).toBe(1)
})

test('a schema that shows more than before is refused, and the old one stays', async () => {
  const { mesh, home } = await openStreet()
  await using _ = mesh
  const note = { key: 'random', fields: { text: { type: 'text', max: 10_000 } } } as const
  const before = {
    onehop: 1,
    id: 'example.diary',
    version: 1,
    collections: { notes: { ...note, private: true } },
  } as const
  const after = { ...before, version: 2, collections: { notes: note } } as const
  await mesh.wait(home.call('schema.put', { schema: defineSchema(before).bytes }))
  const { bytes } = defineSchema(after)
  await expect(mesh.wait(home.call('schema.put', { schema: bytes }))).rejects.toMatchObject({
    code: 'INCOMPATIBLE_SCHEMA',
  })
  await expect(
    mesh.wait(home.call('schema.get', { schema: defineSchema(after).hash })),
  ).rejects.toMatchObject({ code: 'UNKNOWN_SCHEMA' })
})

test.each([
  ['unsigned', () => []],
  [
    'signed by a stranger',
    (mesh: Mesh, document: Uint8Array) => [signReplicaSet(mesh.crypto, document, mesh.crypto.random(32))],
  ],
  [
    "with the owner's signature over something else",
    (mesh: Mesh, document: Uint8Array, ada: SimPerson) => [
      {
        ...signReplicaSet(mesh.crypto, document, ada.owning.seed),
        signature: signReplicaSet(mesh.crypto, encode('else'), ada.owning.seed).signature,
      },
    ],
  ],
] as const)('a replica set %s is refused by commit and by take', async (_name, signatures) => {
  const { mesh, home, ada, ask } = await openStreet()
  await using _ = mesh
  const before = await onDisk(home)
  const document = setOf(ada.owner, mesh.nodes)
  const packed = packReplicaSet(document, signatures(mesh, document, ada))
  const { results } = await mesh.wait(home.call('placement.commit', { replicaSets: [packed] }))
  expect(results[0]).toMatchObject({ hash: null, code: 'FORBIDDEN' })
  const chain = makeChain([unpackReplicaSet(mesh.crypto, packed)]).bytes
  const taken = await ask('shard/take', encodePlaced([{ chain, log: ada.log, people: [] }]))
  expect(decodeTaken(taken as Uint8Array)).toEqual([false])
  expect(await onDisk(home)).toEqual(before)
})

test('a step that too few members signed changes nothing', async () => {
  const { mesh, home, ada, strangerSeed, ask } = await openStreet()
  await using _ = mesh
  const first = setOf(ada.owner, mesh.nodes)
  const root = packReplicaSet(first, [signReplicaSet(mesh.crypto, first, ada.owning.seed)])
  await mesh.wait(home.call('placement.commit', { replicaSets: [root] }))
  const before = await onDisk(home)
  const known = unpackReplicaSet(mesh.crypto, root)
  const document = encodeReplicaSet({
    ...decodeReplicaSet(first),
    step: 1,
    previous: known.hash,
    members: known.members.slice(0, 2),
  })
  const step = packReplicaSet(document, [signReplicaSet(mesh.crypto, document, strangerSeed)])
  const chain = makeChain([known, unpackReplicaSet(mesh.crypto, step)]).bytes
  const taken = await ask('shard/take', encodePlaced([{ chain, log: ada.log, people: [] }]))
  expect(decodeTaken(taken as Uint8Array)).toEqual([false])
  expect(await ask('shard/sign-step', encode([document]))).toEqual(encode([null]))
  expect(await onDisk(home)).toEqual(before)
  const kept = home.store.documents.get('replica-set', ada.owner) as Uint8Array
  expect(unpackChain(mesh.crypto, kept).newest.step).toBe(0)
})

test('a shard that nobody leased here is not taken, however well it is signed', async () => {
  const { mesh, home, ask } = await openStreet()
  await using _ = mesh
  const before = await onDisk(home)
  const eve = createSimPerson(mesh.crypto)
  const document = setOf(eve.owner, mesh.nodes)
  const set = unpackReplicaSet(
    mesh.crypto,
    packReplicaSet(document, [signReplicaSet(mesh.crypto, document, eve.owning.seed)]),
  )
  const placed = encodePlaced([{ chain: makeChain([set]).bytes, log: eve.log, people: [] }])
  expect(decodeTaken((await ask('shard/take', placed)) as Uint8Array)).toEqual([false])
  expect(await onDisk(home)).toEqual(before)
})

test('a neighbour whose lease is not its own gets no seat', async () => {
  const { mesh, home, ada, stranger, ask } = await openStreet()
  await using _ = mesh
  const hello = encodeHello({
    region: '/geo/europe',
    operator: 'eve',
    addresses: ['/ip4/127.0.99.1/tcp/1'],
    roles: [],
    offeredBytes: 2 ** 40,
    clockMs: mesh.clock.nowMs(),
  })
  let asked = 0
  stranger.rpc.handle('shard/hello', async () => hello)
  stranger.rpc.handle('shard/lease', async ({ from, body }) =>
    encodeLeases(
      decodeLeaseAsks(body).map((ask) => {
        asked++
        const host = fromHex(stranger.rpc.self, 32) as Uint8Array
        const lease = {
          ...ask,
          host,
          home: fromHex(from, 32) as Uint8Array,
          largestRecordBytes: 1,
          expiresMs: 2 ** 42,
        }
        return signLease(mesh.crypto, lease, mesh.crypto.random(32))
      }),
    ),
  )
  await ask('shard/hello', hello)
  const { proposals } = await mesh.wait(home.call('placement.propose', { owners: [ada.owner], copies: 3 }))
  const members = decodeReplicaSet(proposals[0]?.unsigned as Uint8Array).members.map(({ node }) =>
    toHex(node),
  )
  expect(asked).toBe(1)
  expect(members).toHaveLength(3)
  expect(members).not.toContain(stranger.rpc.self)
})

test("strangers read and fill no shard: seats count, not a peer's word", async () => {
  const { mesh, ada, ask } = await openStreet()
  await using _ = mesh
  const until = clockOf(mesh.clock.nowMs())
  const blob = new Uint8Array(32).fill(1)
  expect(await ask('shard/reconcile', encode([ada.owner, until, Uint8Array.of(0x61)]))).toBe('FORBIDDEN')
  expect(await ask('shard/fetch', encode([ada.owner, [blob]]))).toBe('FORBIDDEN')
  expect(await ask('shard/numbers', encode([ada.owner, blob, 0]))).toBe('FORBIDDEN')
  expect(await ask('shard/blob-offer', encode([ada.owner, blob]))).toBe('FORBIDDEN')
  expect(await ask('shard/compare', encode([until, [[ada.owner, null, new Uint8Array(16)]]]))).toEqual(
    encode([[2, true]]),
  )
})

test('asking for leases a thousand times promises the bytes once, and what nobody takes up is free again', async () => {
  const { mesh, home, ask } = await openStreet()
  await using _ = mesh
  const asks = (n: number): Uint8Array => {
    const owner = new Uint8Array(32).fill(n)
    return encode([[owner, owner, 1_000_000]])
  }
  for (let i = 0; i < 1_000; i++) await ask('shard/lease', asks(1))
  expect((await home.store.documents.list('lease-granted')).length).toBe(1)
  const offered = async (): Promise<number> =>
    decodeHello((await ask('shard/hello', helloOf(mesh))) as Uint8Array).offeredBytes
  const withOne = await offered()
  await ask('shard/lease', asks(2))
  expect(await offered()).toBe(withOne - 1_000_000)
  await mesh.clock.advance(3_700_000)
  expect(await offered()).toBe(withOne + 1_000_000)
  await mesh.clock.advance(1_000)
  expect((await home.store.documents.list('lease-granted')).length).toBe(0)
})
