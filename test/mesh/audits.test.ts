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
import { decodeFetched, encodeFetch, encodeMaybe } from '../../protocol/replication/messages.ts'
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
async function story(lie?: Lie) {
  const liar: { is?: Liar } = {}
  const places = new Map<string, Rpc>()
  const counted = { audits: 0, files: 0 }
  const mesh = await createMesh(7, {
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
  const seats = async (): Promise<string[]> => {
    const { hosted } = await mesh.wait(home.call('admin.status', {}))
    return (hosted[0]?.replicas ?? []).map(({ node }) => toHex(node))
  }
  const states = async (): Promise<string[]> => {
    const { hosted } = await mesh.wait(home.call('admin.status', {}))
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
