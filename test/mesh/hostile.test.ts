import { expect, test } from 'vitest'
import { signRecord } from '../../protocol/record/sign.ts'
import { decodeReceipts, encodePush } from '../../protocol/replication/messages.ts'
import { encode } from '../../protocol/codec.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { numberListHash, revokeDevice } from '../../protocol/identity/make.ts'
import { limits } from '../../protocol/limits.ts'
import { methods, type NodeMethod } from '../../protocol/methods.ts'
import { makeChain } from '../../protocol/placement/chain.ts'
import { decodeTaken, encodePlaced } from '../../protocol/placement/messages.ts'
import { packReplicaSet, signReplicaSet, unpackReplicaSet } from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import { type Mesh } from '../support/mesh.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'
import { openStreet, onDisk, setOf, sectionOf, draftOf } from '../support/street.ts'

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

test.each(Object.keys(methods) as NodeMethod[])(
  '%s refuses whatever is no message of its own',
  async (method) => {
    const { mesh, home, ask } = await openStreet()
    await using _ = mesh
    const before = await onDisk(home)
    for (const [name, body] of garbage) {
      // Only the node that aggregates answers for an index; the others do not know the method.
      expect(await ask(method, body(mesh)), name).toBeOneOf(['BAD_MESSAGE', 'TOO_LARGE', 'UNSUPPORTED'])
    }
    expect(await ask('shard/locate', encode([]))).toEqual(encode([]))
    expect(await onDisk(home)).toEqual(before)
  },
)

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
