/** Nodes that ask for shards, seats, leases and space that are not theirs. */
import assert from 'node:assert/strict'
import { microblog } from '../../client/microblog.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import type { NodeMethod } from '../../protocol/methods.ts'
import { addDevice, deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
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
import { encodeMaybe } from '../../protocol/replication/messages.ts'
import { leaseAsk } from '../support/lease-ask.ts'
import { parseInvitation } from '../../protocol/placement/invitation.ts'
import { encodePact, encodePactAsk, signPact, type Pact } from '../../protocol/placement/pact.ts'
import { createSimPerson } from '../sim/writer.ts'
import type { MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'
import { helloOf, onDisk, openStreet, setOf } from '../support/street.ts'
import { refusal, type Scenario } from './scenario.ts'

type Street = Awaited<ReturnType<typeof openStreet>>

function inStreet(
  name: string,
  attack: string,
  stoppedBy: string,
  run: (street: Street) => Promise<void>,
): Scenario {
  return {
    ...{ name, attack, stoppedBy },
    async run() {
      const street = await openStreet()
      await using _ = street.mesh
      await run(street)
    },
  }
}

/** A node without a seat asks one that holds the shard. */
function strangerAsks(
  name: string,
  attack: string,
  method: NodeMethod,
  request: (street: Street, id: Uint8Array) => Uint8Array,
  answer: string | Uint8Array = 'FORBIDDEN',
): Scenario {
  const rule = 'holders are asked by seats of the signed replica set, not on a peer’s word'
  const says = typeof answer === 'string' ? answer : 'answered as if it were not held'
  return inStreet(name, attack, `${rule} (${says})`, async (street) => {
    const { mesh, home, ada } = street
    const document = setOf(ada.owner, mesh.nodes)
    const set = packReplicaSet(document, [signReplicaSet(mesh.crypto, document, ada.owning.seed)])
    await mesh.wait(home.call('placement.commit', { replicaSets: [set] }))
    assert.deepEqual(await street.ask(method, request(street, new Uint8Array(32).fill(1))), answer)
  })
}

/** Neither by the API nor from node to node does this set come into force. */
async function refused({ mesh, home, ada, ask }: Street, packed: Uint8Array, log = ada.log): Promise<void> {
  const before = await onDisk(home)
  const { results } = await mesh.wait(home.call('placement.commit', { replicaSets: [packed] }))
  assert.deepEqual([results[0]?.hash, results[0]?.code], [null, 'FORBIDDEN'])
  const chain = makeChain([unpackReplicaSet(mesh.crypto, packed)]).bytes
  const taken = await ask('shard/take', encodePlaced([{ chain, log, people: [] }]))
  assert.deepEqual(decodeTaken(taken as Uint8Array), [false])
  assert.deepEqual(await onDisk(home), before)
}

export const holderAttacks: readonly Scenario[] = [
  strangerAsks(
    'stranger-compares',
    'a stranger asks whether a shard is held, and by its fingerprint what is in it',
    'shard/compare',
    ({ mesh, ada }) => encode([clockOf(mesh.clock.nowMs()), [[ada.owner, null, new Uint8Array(16)]]]),
    encode([[2, true]]),
  ),
  strangerAsks(
    'stranger-reconciles',
    'a stranger reconciles, to learn clocks and ids of all records',
    'shard/reconcile',
    ({ mesh, ada }) => encode([ada.owner, clockOf(mesh.clock.nowMs()), Uint8Array.of(0x61)]),
  ),
  strangerAsks('stranger-fetches', 'a stranger fetches records by their ids', 'shard/fetch', ({ ada }, id) =>
    encode([ada.owner, [id]]),
  ),
  strangerAsks(
    'stranger-audits',
    'a stranger asks for proofs, to learn what a shard holds',
    'shard/audit',
    ({ ada }, id) => encode([ada.owner, 2n ** 63n, id]),
  ),
  strangerAsks('stranger-takes-snapshot', 'a stranger asks for a whole shard', 'shard/snapshot', ({ ada }) =>
    encode([ada.owner, null]),
  ),
  strangerAsks(
    'stranger-lists-numbers',
    'a stranger asks for the list of a device’s numbers',
    'shard/numbers',
    ({ ada }, id) => encode([ada.owner, id, 0]),
  ),
  strangerAsks(
    'stranger-offers-blob',
    'a stranger offers blobs, to use up what a person may keep',
    'shard/blob-offer',
    ({ ada }, id) => encode([ada.owner, id]),
  ),
  inStreet(
    'forged-replica-set',
    'a set of holders unsigned, signed by a stranger, or with a signature over something else',
    'step 0 needs the signature of an owner’s device over the very document (FORBIDDEN)',
    async (street) => {
      const { mesh, ada } = street
      const { crypto } = mesh
      const document = setOf(ada.owner, mesh.nodes)
      const own = signReplicaSet(crypto, document, ada.owning.seed)
      const { signature } = signReplicaSet(crypto, encode('else'), ada.owning.seed)
      for (const signatures of [
        [],
        [signReplicaSet(crypto, document, crypto.random(32))],
        [{ ...own, signature }],
      ])
        await refused(street, packReplicaSet(document, signatures))
    },
  ),
  inStreet(
    'app-signed-replica-set',
    'an app’s key, admitted by Ada for an app, moves her shard to other nodes',
    'devices with the role owner alone say who holds (FORBIDDEN)',
    async (street) => {
      const { mesh, home, ada } = street
      const { crypto } = mesh
      const app = deviceFromSeed(crypto, crypto.random(32))
      const state = replay(crypto, decodeLog(crypto, ada.log))
      const admission = {
        ...{ key: app.key, boxKey: app.boxKey, role: 'app' as const, capabilities: [], probation: false },
      }
      const possession = provePossession(crypto, ada.owner, app)
      const { entries } = append(crypto, state, [addDevice(crypto, state, ada.owning, admission, possession)])
      const log = encodeLog(entries)
      await mesh.wait(home.call('identity.append', { identity: ada.owner, log }))
      const document = setOf(ada.owner, mesh.nodes)
      await refused(street, packReplicaSet(document, [signReplicaSet(crypto, document, app.seed)]), log)
      const honest = packReplicaSet(document, [signReplicaSet(crypto, document, ada.owning.seed)])
      const { results } = await mesh.wait(home.call('placement.commit', { replicaSets: [honest] }))
      assert.equal(results[0]?.code, null)
    },
  ),
  inStreet(
    'step-of-a-stranger',
    'a next step that unseats a holder, signed by somebody without a seat; and a holder is asked to sign it',
    'taking a seat away needs a majority of the members; a member signs for who it has not heard itself',
    async ({ mesh, home, ada, strangerSeed, ask }) => {
      const { crypto } = mesh
      const first = setOf(ada.owner, mesh.nodes)
      const root = packReplicaSet(first, [signReplicaSet(crypto, first, ada.owning.seed)])
      await mesh.wait(home.call('placement.commit', { replicaSets: [root] }))
      const known = unpackReplicaSet(crypto, root)
      const document = encodeReplicaSet({
        ...decodeReplicaSet(first),
        step: 1,
        previous: known.hash,
        members: known.members.slice(0, 2),
      })
      const step = packReplicaSet(document, [signReplicaSet(crypto, document, strangerSeed)])
      const chain = makeChain([known, unpackReplicaSet(crypto, step)]).bytes
      const taken = await ask('shard/take', encodePlaced([{ chain, log: ada.log, people: [] }]))
      assert.deepEqual(decodeTaken(taken as Uint8Array), [false])
      assert.deepEqual(await ask('shard/sign-step', encode([document])), encode([null]))
      const kept = home.store.documents.get('replica-set', ada.owner) as Uint8Array
      assert.equal(unpackChain(crypto, kept).newest.step, 0)
    },
  ),
  inStreet(
    'foreign-lease',
    'a neighbour answers with a lease that another key signed, to be seated without a promise',
    'a lease is the host’s own signature over owner, bytes and time; without it there is no seat',
    async ({ mesh, home, ada, stranger, ask }) => {
      const hello = encodeHello({
        ...decodeHello(helloOf(mesh)),
        region: '/geo/europe',
        addresses: ['/ip4/127.0.99.1/tcp/1'],
        offeredBytes: 2 ** 40,
      })
      const host = fromHex(stranger.rpc.self, 32) as Uint8Array
      let asked = 0
      stranger.rpc.handle('shard/hello', async () => hello)
      stranger.rpc.handle('shard/lease', async ({ from, body }) => {
        const terms = {
          host,
          home: fromHex(from, 32) as Uint8Array,
          largestRecordBytes: 1,
          bytesPerDay: 1,
          expiresMs: 2 ** 42,
        }
        const asks = decodeLeaseAsks(body)
        asked += asks.length
        return encodeLeases(
          asks.map(({ signature, bytes, lastsMs, ...one }) => {
            const lease = { ...one, ...terms, bytes, askedBytes: bytes, askedMs: lastsMs }
            return signLease(mesh.crypto, lease, signature, mesh.crypto.random(32))
          }),
        )
      })
      await ask('shard/hello', hello)
      const wanted = { owners: [ada.owner], copies: 3 }
      const { proposals } = await mesh.wait(home.call('placement.propose', wanted))
      const { members } = decodeReplicaSet(proposals[0]?.unsigned as Uint8Array)
      assert.deepEqual([asked, members.length], [1, 3])
      assert.equal(
        members.some(({ node }) => toHex(node) === stranger.rpc.self),
        false,
      )
    },
  ),
  inStreet(
    'richer-pact',
    'who has an invitation signs a pact that gives more than it says, or one in the name of another node',
    'the inviter signs the terms that it wrote, for the node at the other end of the connection',
    async ({ mesh, home, stranger, strangerSeed, ask }) => {
      const wanted = { givesBytes: 1_000, getsBytes: 1_000 }
      const { link } = await mesh.wait(home.call('admin.invite', wanted))
      const { secret, node: inviter } = parseInvitation(link)
      const self = fromHex(stranger.rpc.self, 32) as Uint8Array
      const honest = { inviter, invited: self, inviterBytes: 1_000, invitedBytes: 1_000, madeMs: 1 }
      const come = (pact: Pact, seed = strangerSeed, by = secret): Promise<Uint8Array | string> => {
        const document = encodePact(pact)
        const signature = signPact(mesh.crypto, document, seed)
        return ask('shard/pact', encodePactAsk({ secret: by, label: 'Ben', document, signature }))
      }
      const otherSeed = mesh.crypto.random(32)
      const other = mesh.crypto.signingPublicKey(otherSeed)
      for (const answer of [
        await come({ ...honest, inviterBytes: 1_000_000 }),
        await come({ ...honest, invitedBytes: 0 }),
        await come({ ...honest, invited: other }, otherSeed),
        await come({ ...honest, inviter: self, invited: inviter }),
        await come(honest, otherSeed),
        await come(honest, strangerSeed, mesh.crypto.random(16)),
      ])
        assert.equal(answer, 'FORBIDDEN')
      assert.equal((await home.store.documents.list('pact')).length, 0)
      // It is good still, for who comes honestly; and not for the next.
      assert.equal(typeof (await come(honest)), 'object')
      assert.equal(await come({ ...honest, madeMs: 2, inviterBytes: 2_000 }), 'FORBIDDEN')
    },
  ),
  inStreet(
    'another-friends-space',
    'a stranger asks for the lease of a shard that a friend left, to use up the friend’s space and be noted as its home',
    'a shard that is held stays the friend’s in the ledger, and who is offered nothing gets nothing',
    async ({ mesh, home, stranger, strangerSeed, ask }) => {
      await mesh.wait(home.call('admin.offer.set', { to: 'anyone', bytes: 1_000_000 }))
      const friendSeed = mesh.crypto.random(32)
      const friend = mesh.network.join(toHex(mesh.crypto.signingPublicKey(friendSeed)))
      const owner = new Uint8Array(32).fill(9)
      const asked = { host: home.id, owner, bytes: 600_000 }
      const signal = new AbortController().signal
      const byFriend = leaseAsk(mesh.crypto, asked, friendSeed)
      await mesh.wait(friend.rpc.request(home.id, 'shard/lease', byFriend, { signal }))
      // Signed by the friend, and brought by somebody else: the home that asks is who is at the other end.
      assert.deepEqual(await ask('shard/lease', byFriend), encode([null]))
      const more = { ...asked, owner: new Uint8Array(32).fill(8) }
      assert.deepEqual(await ask('shard/lease', leaseAsk(mesh.crypto, more, strangerSeed)), encode([null]))
      const { neighbours } = await mesh.wait(home.call('admin.neighbours', {}))
      const keptFor = (node: string): number =>
        neighbours.find((one) => toHex(one.node) === node)?.kept.reservedBytes ?? 0
      assert.deepEqual([keptFor(friend.rpc.self), keptFor(stranger.rpc.self)], [600_000, 0])
    },
  ),
  inStreet(
    'thousand-leases',
    'a peer asks for the same lease a thousand times, and takes up none',
    'one shard is promised once, and what nobody takes up is free again after an hour',
    async ({ mesh, home, strangerSeed, ask }) => {
      const asks = (n: number): Uint8Array => {
        const owner = new Uint8Array(32).fill(n)
        return leaseAsk(mesh.crypto, { host: home.id, owner, bytes: 1_000_000 }, strangerSeed)
      }
      const granted = async () => (await home.store.documents.list('lease-granted')).length
      const offered = async (): Promise<number> =>
        decodeHello((await ask('shard/hello', helloOf(mesh))) as Uint8Array).offeredBytes
      for (let i = 0; i < 1_000; i++) await ask('shard/lease', asks(1))
      assert.equal(await granted(), 1)
      const withOne = await offered()
      await ask('shard/lease', asks(2))
      assert.equal(await offered(), withOne - 1_000_000)
      await mesh.clock.advance(3_700_000)
      assert.equal(await offered(), withOne + 1_000_000)
      await mesh.clock.advance(1_000)
      assert.equal(await granted(), 0)
    },
  ),
  inStreet(
    'over-quota',
    'a guest with a small quota writes until the disk of the host is full',
    'records and blobs count against the quota of their owner (NO_QUOTA)',
    async ({ mesh, home }) => {
      const guest = createSimPerson(mesh.crypto)
      await mesh.wait(home.call('admin.host.add', { hosts: [{ log: guest.log, quotaBytes: 4_096 }] }))
      const write = async (): Promise<string | null | undefined> => {
        const [writer] = guest.writers
        const text = 'x'.repeat(500)
        const written = writer?.sign('posts', new Uint8Array(0), 'put', { text }, mesh.clock.nowMs())
        const records = [written?.bytes as Uint8Array]
        const { results } = await mesh.wait(home.call('record.put', { records }))
        return results[0]?.code
      }
      let stored = 0
      let code = await write()
      for (; code === null && stored < 100; stored++) code = await write()
      assert.equal(code, 'NO_QUOTA')
      assert.equal(stored > 0 && stored < 8, true)
      const manifest = encodeManifest({ size: 8_192, chunks: [new Uint8Array(32)] })
      const blob = home.call('blob.begin', { owner: guest.owner, manifest })
      assert.equal(await refusal(mesh.wait(blob)), 'NO_QUOTA')
    },
  ),
  inStreet(
    'blob-into-anothers-shard',
    'Eve, who lives at the same node, uploads a blob in Ada’s name',
    'who uploads speaks for the owner (FORBIDDEN)',
    async ({ mesh, home, ada }) => {
      const eve = createSimPerson(mesh.crypto)
      await mesh.wait(home.call('admin.host.add', { hosts: [{ log: eve.log }] }))
      const session = { kind: 'session', owner: eve.owner, device: eve.owning.key } as const
      const manifest = encodeManifest({ size: 3, chunks: [new Uint8Array(32)] })
      const begin = (owner: Uint8Array) =>
        refusal(mesh.wait(home.call('blob.begin', { owner, manifest }, session)))
      assert.equal(await begin(eve.owner), 'none')
      assert.equal(await begin(ada.owner), 'FORBIDDEN')
    },
  ),
  {
    name: 'holder-alters-blob',
    attack: 'a holder of the shard answers other bytes for a blob that it offers',
    stoppedBy: 'a blob is named by the hash of its manifest, and each chunk by its hash there',
    async run() {
      const { mesh, home, ada } = await openStreet()
      await using _ = mesh
      const { crypto } = mesh
      const document = setOf(ada.owner, mesh.nodes)
      const set = packReplicaSet(document, [signReplicaSet(crypto, document, ada.owning.seed)])
      await mesh.wait(home.call('placement.commit', { replicaSets: [set] }))
      const chunk = crypto.random(1_000)
      const manifest = encodeManifest({ size: chunk.length, chunks: [crypto.sha256(chunk)] })
      const blob = crypto.sha256(manifest)
      // The second member, as it would be with its disk rewritten.
      const liar = mesh.nodes[1] as MeshNode
      await mesh.close(1)
      const place = mesh.network.join(liar.id)
      let isHonest = false
      let asked = 0
      place.rpc.handle('shard/blob-manifest', async () => encodeMaybe(manifest))
      place.rpc.handle('shard/blob-chunk', async () => {
        asked++
        return encodeMaybe(isHonest ? chunk : crypto.random(chunk.length))
      })
      const offer = async (): Promise<void> => {
        const { signal } = new AbortController()
        await mesh.wait(place.rpc.request(home.id, 'shard/blob-offer', encode([ada.owner, blob]), { signal }))
      }
      const got = () => {
        const range = { owner: ada.owner, blob, offset: 0, length: chunk.length }
        return refusal(mesh.wait(home.call('blob.get', range, { kind: 'anyone' })))
      }
      await offer()
      await mesh.until(() => asked === 1, 10_000)
      await mesh.clock.advance(1_000)
      assert.notEqual(await got(), 'none')
      isHonest = true
      await offer()
      await mesh.until(async () => (await got()) === 'none', 10_000)
    },
  },
  {
    name: 'holder-alters-record',
    attack: 'a holder pushes to another a record of Ada’s in which it changed the words',
    stoppedBy: 'every holder verifies what it is given, also by holders (never)',
    async run() {
      const { mesh, home } = await openStreet()
      await using _ = mesh
      const ben = new Resident(mesh, microblog)
      await mesh.wait(ben.moveIn(home))
      await mesh.wait(ben.place(home, 2))
      const seated = () => mesh.nodes.find(({ store, index }) => index > 0 && store.shards.get(ben.id))
      await mesh.until(() => seated() !== undefined, 10_000)
      const other = seated() as MeshNode
      await mesh.wait(ben.put(home, 'posts', { title: 'honest' }))
      await mesh.until(() => other.store.shards.get(ben.id)?.records === 1, 10_000)
      await mesh.close(0)
      const place = mesh.network.join(home.id)
      const forged = ben.sign('posts', { title: 'honest words' })
      const at = Buffer.from(forged).indexOf('honest')
      forged[at] = (forged[at] as number) ^ 1
      const { signal } = new AbortController()
      const receipts = await mesh.wait(
        place.rpc.request(other.id, 'shard/push', encode([forged]), { signal }),
      )
      assert.deepEqual(receipts, encode([2]))
      assert.equal(other.store.shards.get(ben.id)?.records, 1)
    },
  },
]
