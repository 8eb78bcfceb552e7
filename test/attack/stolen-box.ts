/** Whoever carries a home box away has its disk and its key: what it held in the open, and nothing else. */
import assert from 'node:assert/strict'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
import { append } from '../../protocol/identity/log.ts'
import { addDevice, deviceFromSeed, ownerAdmission, provePossession } from '../../protocol/identity/make.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { createMesh, meshNodeSeed, type MeshNode } from '../support/mesh.ts'
import { createPerson } from '../support/people.ts'
import { Resident } from '../support/resident.ts'
import { draftOf, setOf } from '../support/street.ts'
import { refusal, type Scenario } from './scenario.ts'

export const stolenBoxAttacks: readonly Scenario[] = [
  {
    name: 'stolen-home-node',
    attack:
      'the home box is carried away, with its key: it lets a phone in, writes and moves the shard in the person’s name, opens what is private, and goes on as a holder',
    stoppedBy:
      'a node is never ranked and holds no key of anything sealed; a later epoch of the set, signed by the owner, unseats it (FORBIDDEN)',
    async run() {
      await using mesh = await createMesh(6)
      const { crypto } = mesh
      const [box, fresh] = mesh.nodes as unknown as [MeshNode, MeshNode]
      await mesh.clock.advance(3_000)
      // As pairing leaves it: the box is in her log, with the role of a node.
      const { device, state: alone } = createPerson(crypto)
      const boxKeys = deviceFromSeed(crypto, meshNodeSeed(crypto, 0))
      const { key, boxKey } = boxKeys
      const admission = { key, boxKey, role: 'node' as const, capabilities: [], probation: false }
      const possession = provePossession(crypto, alone.id, boxKeys, 'node')
      const state = append(crypto, alone, [addDevice(crypto, alone, device, admission, possession)])
      const ada = new Resident(mesh, microblog, { device, state })
      await mesh.wait(ada.moveIn(box))
      await mesh.wait(ada.place(box, 2))
      await mesh.wait(ada.put(box, 'posts', { text: 'before' }))
      const { replicaSet } = await mesh.wait(box.call('replica-set.get', { owner: ada.id }))
      const seats = unpackChain(crypto, replicaSet).newest.members.map(({ node }) => toHex(node))
      const isHolder = ({ id }: MeshNode): boolean => id !== box.id && id !== fresh.id && seats.includes(id)
      const holder = (mesh.nodes as unknown as MeshNode[]).find(isHolder) as MeshNode
      await mesh.until(async () => (await holder.store.records.refs(ada.id)).length === 1, 60_000)

      // In her name.
      const phone = deviceFromSeed(crypto, crypto.random(32))
      const own = provePossession(crypto, ada.id, phone)
      const entry = addDevice(crypto, state, boxKeys, ownerAdmission(phone, false), own)
      const log = encodeLog([...state.entries, entry])
      const letIn = refusal(mesh.wait(holder.call('identity.append', { identity: ada.id, log })))
      assert.equal(await letIn, 'BAD_IDENTITY')
      const draft = draftOf(mesh, { owner: ada.id })
      const forged = encodeRecord(signRecord(crypto, draft, boxKeys.seed))
      const { results } = await mesh.wait(holder.call('record.put', { records: [forged] }))
      assert.deepEqual([results[0]?.outcome, results[0]?.code], ['refused', 'FORBIDDEN'])
      const alonely = setOf(ada.id, [box], { epoch: 9 })
      const moved = packReplicaSet(alonely, [signReplicaSet(crypto, alonely, boxKeys.seed)])
      const commit = await mesh.wait(holder.call('placement.commit', { replicaSets: [moved] }))
      assert.deepEqual([commit.results[0]?.hash, commit.results[0]?.code], [null, 'FORBIDDEN'])
      // What was sealed.
      assert.equal(deviceBoxes(crypto, state, boxKeys).newest(), undefined)

      // She lives elsewhere now. Under the box's key, whatever runs there.
      const seat = fromHex(box.id, 32) as Uint8Array
      await mesh.wait(ada.moveIn(fresh))
      await mesh.wait(ada.place(fresh, 2, [box.id]))
      await mesh.wait(fresh.call('admin.deny.add', { nodes: [seat] }))
      await mesh.close(box.index)
      await mesh.wait(ada.put(fresh, 'posts', { text: 'after' }))
      await mesh.until(async () => (await holder.store.records.refs(ada.id)).length === 2, 60_000)
      const thief = mesh.network.join(box.id)
      const ask = (to: MeshNode, method: 'shard/fetch' | 'shard/reconcile', body: Uint8Array) =>
        refusal(mesh.wait(thief.rpc.request(to.id, method, body, { signal: new AbortController().signal })))
      const [{ id } = { id: seat }] = (await holder.store.records.refs(ada.id)).slice(-1)
      assert.equal(await ask(holder, 'shard/fetch', encode([ada.id, [id]])), 'FORBIDDEN')
      const reconcile = encode([ada.id, clockOf(mesh.clock.nowMs()), Uint8Array.of(0x61)])
      assert.equal(await ask(holder, 'shard/reconcile', reconcile), 'FORBIDDEN')
      assert.equal(await ask(fresh, 'shard/fetch', encode([ada.id, [id]])), 'UNREACHABLE')
    },
  },
]
