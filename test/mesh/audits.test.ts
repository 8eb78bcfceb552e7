/** Holders that keep names and no bytes, that ask others for these, or that say they are still filling: found by each other holder, and replaced. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { RecordRef } from '../../protocol/record/types.ts'
import { checkBytes } from '../../protocol/record/verify.ts'
import {
  auditIndex,
  auditStart,
  auditStep,
  auditSteps,
  decodeAuditAnswer,
  decodeAuditAsk,
  encodeAuditAnswer,
  type AuditAnswer,
} from '../../protocol/replication/audit.ts'
import {
  decodeFetched,
  encodeCompared,
  encodeFetch,
  encodeMaybe,
  encodeReceipts,
} from '../../protocol/replication/messages.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { Rpc } from '../../daemon/net/rpc.ts'
import { upload } from '../support/crossing.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { createPerson, recordBy, seededCrypto } from '../support/people.ts'
import { Resident } from '../support/resident.ts'
import { signAgain } from '../support/second-signature.ts'

interface Liar {
  readonly mesh: Mesh
  readonly self: MeshNode
  readonly rpc: Rpc
}
type Handler = Parameters<Rpc['handle']>[1]
/** What a liar answers to an audit in place of the node that it is, which goes on in all else. */
type Lie = (liar: Liar, body: Uint8Array, answer: AuditAnswer) => Promise<AuditAnswer>
/** Has no piece of any file, and says so to whoever asks for one. */
const noFiles: Lie = async (_, __, answer) => answer

/** A person at home on node 0 with three copies; once it begins, who holds the second lies as said. */
async function story(lie?: Lie, delayMs = 5) {
  const liar: { is?: Liar } = {}
  const places = new Map<string, Rpc>()
  const counted = { audits: 0, files: 0 }
  const mesh = await createMesh(7, {
    link: { delayMs },
    onJoin: ({ rpc }) => {
      places.set(rpc.self, rpc)
      const handle = rpc.handle.bind(rpc)
      rpc.handle = (method, honest) => {
        const lying: Handler = async (request) => {
          counted.audits++
          const answer = await honest(request)
          if (lie === undefined || liar.is?.self.id !== rpc.self) return answer
          return encodeAuditAnswer(await lie(liar.is, request.body, decodeAuditAnswer(answer)))
        }
        const fileless: Handler = async (request) => {
          counted.files++
          return lie === noFiles && liar.is?.self.id === rpc.self ? encodeMaybe(undefined) : honest(request)
        }
        const changed: Record<string, Handler> = { 'shard/audit': lying, 'shard/audit-file': fileless }
        handle(method, changed[method] ?? honest)
      }
    },
  })
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(ada.place(home, 3))
  for (let i = 0; i < 40; i++) await mesh.wait(ada.put(home, 'posts', { text: `post ${i}` }))
  await upload(mesh, home, ada.id, mesh.random.bytes(9_000))
  const status = async () => mesh.wait((mesh.nodes[0] as MeshNode).call('admin.status', {}))
  const seats = async (): Promise<string[]> => {
    const { hosted } = await status()
    return (hosted[0]?.replicas ?? []).map(({ node }) => toHex(node))
  }
  const states = async (): Promise<string[]> => {
    const { hosted } = await status()
    return (hosted[0]?.replicas ?? []).map(({ state }) => state)
  }
  const before = await seats()
  expect(before.length).toBe(3)
  await mesh.until(async () => (await states()).every((state) => state === 'current'), 60_000)
  const self = mesh.nodes.find(({ id }) => id === before[1]) as MeshNode
  const begin = (): void => {
    liar.is = { mesh, self, rpc: places.get(self.id) as Rpc }
  }
  return { mesh, ada, seats, states, before, self, begin, counted }
}

/** Passes only that much: the mesh asks for an audit every 48 s, and again after two. */
const soonMs = 240_000

test('honest holders prove what they have, and keep their seats', async () => {
  const { mesh, seats, states, before, counted } = await story()
  await using _ = mesh
  await mesh.clock.advance(soonMs * 2)
  expect(counted.audits).toBeGreaterThan(20)
  expect(counted.files).toBeGreaterThan(20)
  expect(await seats()).toEqual(before)
  expect(await states()).toEqual(['current', 'current', 'current'])
}, 60_000)

test('two signatures of one record give one proof', async () => {
  const crypto = seededCrypto(1)
  const ada = createPerson(crypto)
  const record = recordBy(crypto, ada)
  const other = { ...record, signature: signAgain(record.message, ada.device.seed) }
  expect([toHex(other.signature) === toHex(record.signature), checkBytes(crypto, other)]).toEqual([
    false,
    undefined,
  ])
  const at = auditStart(crypto, new Uint8Array(32))
  expect(toHex(auditStep(crypto, at, other))).toBe(toHex(auditStep(crypto, at, record)))
})

test('what rotted at the one who asks is not held against those who have it', async () => {
  const { mesh, seats, before } = await story()
  await using _ = mesh
  const [home] = mesh.nodes as [MeshNode]
  const { get } = home.store.records
  // A byte of every second record's section, as a worn card would.
  home.store.records.get = (owner, ref) => {
    const stored = get.call(home.store.records, owner, ref)
    if (stored === undefined || (ref.id[0] ?? 0) % 2) return stored
    const bytes = stored.bytes.slice()
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
    return { ref, bytes }
  }
  await mesh.clock.advance(soonMs)
  // The others find that it is the home that cannot show what it has, and seat one more.
  expect(await seats()).toEqual(expect.arrayContaining(before))
  const { hosted } = await mesh.wait(home.call('admin.status', {}))
  expect(hosted[0]?.replicas.some(({ state }) => state === 'failed')).toBe(false)
}, 60_000)

type Read = (owner: Uint8Array, ref: RecordRef) => Promise<Uint8Array | undefined>

/** The proof of one who reads in a way of its own. */
async function walk({ mesh, self }: Liar, body: Uint8Array, read: Read): Promise<AuditAnswer['proof']> {
  const { owner, until, nonce } = decodeAuditAsk(body)
  const refs = (await self.store.records.refs(owner)).filter(({ clock }) => clock < until)
  let at = auditStart(mesh.crypto, nonce)
  for (let step = 0; step < auditSteps && refs.length > 0; step++) {
    const ref = refs[auditIndex(at, refs.length)] as RecordRef
    const bytes = await read(owner, ref)
    if (bytes === undefined) return undefined
    at = auditStep(mesh.crypto, at, decodeStored({ ref, bytes }))
  }
  return at
}

const liars: readonly (readonly [string, Lie])[] = [
  ['keeps no files, and says it does', noFiles],
  [
    'threw half of the bytes away',
    async (liar, body, answer) => {
      const kept: Read = async (owner, ref) =>
        (ref.id[0] ?? 0) % 2 ? undefined : liar.self.store.records.get(owner, ref)?.bytes
      return { ...answer, proof: await walk(liar, body, kept) }
    },
  ],
  ['makes proofs up', async (_, __, answer) => ({ ...answer, proof: new Uint8Array(32).fill(7) })],
  [
    'asks the home for what it is asked',
    async (liar, body, answer) => {
      const [home] = liar.mesh.nodes as [MeshNode]
      const fetched: Read = async (owner, { id }) => {
        const ask = encodeFetch({ owner, ids: [id] })
        const reply = await liar.rpc.request(home.id, 'shard/fetch', ask, {
          signal: new AbortController().signal,
        })
        return decodeFetched(reply)[0]
      }
      return { ...answer, proof: await walk(liar, body, fetched) }
    },
  ],
  ['says each time that it has another set', async (_, __, answer) => ({ ...answer, size: answer.size + 1 })],
]

test.each(liars)(
  'one that %s loses its seat to another, who has everything',
  async (_, lie) => {
    const { mesh, ada, seats, states, before, self, begin } = await story(lie)
    await using __ = mesh
    begin()
    await mesh.until(async () => !(await seats()).includes(self.id), soonMs * 2)
    const after = await seats()
    expect(after.length).toBe(3)
    expect(after.filter((node) => before.includes(node)).length).toBe(2)
    await mesh.until(async () => (await states()).every((state) => state === 'current'), 60_000)
    // It gets no other seat either.
    const [home] = mesh.nodes as [MeshNode]
    await mesh.wait(ada.place(home, 3))
    expect(await seats()).not.toContain(self.id)
  },
  120_000,
)

/** What it does beside holding its seat: it answers every heartbeat. */
const lazy: readonly (readonly [string, readonly string[], (method: string) => Uint8Array | undefined])[] = [
  [
    'takes nothing, and says of all that it is coming',
    [],
    (method) => {
      if (method === 'shard/push') return encodeReceipts(Array.from({ length: 1_024 }, () => 'later'))
      if (method !== 'shard/compare') return undefined
      return encodeCompared([{ records: 'coming', sameSet: true }])
    },
  ],
  [
    'takes nothing, and is always different',
    ['shard/reconcile'],
    (method) => {
      if (method === 'shard/push') return encodeReceipts(Array.from({ length: 1_024 }, () => 'later'))
      if (method !== 'shard/compare') return undefined
      return encodeCompared([{ records: 'differs', sameSet: true }])
    },
  ],
  ['answers no audit', ['shard/audit'], () => undefined],
]

test.each(lazy)(
  'one that %s loses its seat once it was there for so long',
  async (_, unanswered, lie) => {
    const { mesh, ada, seats, states, before, self } = await story()
    await using __ = mesh
    const [home] = mesh.nodes as [MeshNode]
    mesh.lie(self.index, lie)
    mesh.holdBack((from, to, method) => [from, to].includes(self.id) && unanswered.includes(method))
    await mesh.wait(ada.put(home, 'posts', { text: 'which it does not take' }))
    await mesh.clock.advance(8_000)
    expect(await seats()).toContain(self.id)
    await mesh.until(async () => !(await seats()).includes(self.id), soonMs)
    expect((await seats()).filter((node) => before.includes(node)).length).toBe(2)
    await mesh.until(async () => (await states()).every((state) => state === 'current'), 60_000)
  },
  120_000,
)

test('where somebody writes all the time nobody is behind for it', async () => {
  const { mesh, ada, seats, before } = await story(undefined, 100)
  await using _ = mesh
  const [home] = mesh.nodes as [MeshNode]
  // Twice while one is on its way there and back.
  for (let i = 0; i < 700; i++) {
    await mesh.wait(ada.put(home, 'posts', { text: `more ${i}` }))
    await mesh.clock.advance(90)
  }
  expect(await seats()).toEqual(before)
}, 60_000)

test('where somebody writes over what is old all the time nobody fails for it', async () => {
  const { mesh, ada, seats, states, before } = await story(undefined, 100)
  await using _ = mesh
  const [home] = mesh.nodes as [MeshNode]
  const users = Array.from({ length: 30 }, () => mesh.random.bytes(32))
  const found = new Set<string>()
  for (let i = 0; i < 700; i++) {
    await mesh.wait(ada.put(home, 'follows', { user: users[i % users.length] as Uint8Array }))
    await mesh.clock.advance(90)
    for (const state of await states()) found.add(state)
  }
  expect(await seats()).toEqual(before)
  expect([...found]).not.toContain('failed')
}, 60_000)

test('what a node found stands after its restart', async () => {
  const { mesh, ada, seats, states, self, begin } = await story(async (_, __, answer) => ({
    ...answer,
    proof: new Uint8Array(32).fill(7),
  }))
  await using _ = mesh
  const place = (await seats()).indexOf(self.id)
  const state = async (): Promise<string | undefined> => (await states())[place]
  begin()
  // Nobody is there who would take its seat.
  const isKept = (method: string): boolean => method === 'shard/lease' || method === 'shard/sign-step'
  mesh.holdBack((__, ___, method) => isKept(method))
  await mesh.until(async () => (await state()) === 'failed', soonMs)
  mesh.holdBack((__, ___, method) => isKept(method) || method === 'shard/audit')
  for (const how of ['closed', 'crashed'] as const) {
    await mesh.close(0, how)
    mesh.skew(0, how === 'closed' ? 0 : 20 * 86_400_000)
    await mesh.open(0)
    await mesh.clock.advance(5_000)
    expect(await state()).toBe('failed')
  }
  // Nor is it given another seat, once it has lost this one.
  mesh.holdBack(undefined)
  await mesh.wait(ada.place(mesh.nodes[0] as MeshNode, 0, [self.id]))
  await mesh.close(0)
  await mesh.open(0)
  await mesh.clock.advance(5_000)
  expect(await mesh.wait(ada.place(mesh.nodes[0] as MeshNode, 6))).toBe(6)
  expect(await seats()).not.toContain(self.id)
}, 60_000)

test('who shows that it has everything is cleared of what is on the disk', async () => {
  let isLying = true
  const { mesh, seats, states, self, begin } = await story(async (_, __, answer) =>
    isLying ? { ...answer, proof: new Uint8Array(32).fill(7) } : answer,
  )
  await using _ = mesh
  const [home] = mesh.nodes as [MeshNode]
  const place = (await seats()).indexOf(self.id)
  begin()
  mesh.holdBack((__, ___, method) => method === 'shard/lease' || method === 'shard/sign-step')
  await mesh.until(async () => (await states())[place] === 'failed', soonMs)
  const noted = async (): Promise<number> => (await home.store.documents.list('suspicion')).length
  expect(await noted()).toBe(1)
  isLying = false
  await mesh.until(async () => (await states())[place] === 'current', soonMs)
  expect(await noted()).toBe(0)
  await mesh.close(0)
  await mesh.open(0)
  await mesh.clock.advance(8_000)
  expect((await states())[place]).toBe('current')
}, 60_000)
