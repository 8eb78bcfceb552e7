/** The number of an owner's set: whoever gets the largest one signed would have the last word for ever. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { placeShard } from '../../client/placement.ts'
import {
  decodeReplicaSet,
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

async function openHome() {
  const mesh = await createMesh(2)
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  const propose = async () => {
    const { proposals } = await mesh.wait(home.call('placement.propose', { owners: [ada.id], copies: 1 }))
    const [proposal] = proposals
    if (proposal === undefined) throw new Error('nothing proposed')
    return proposal
  }
  const commit = async (epoch: number) => {
    const set = { ...decodeReplicaSet((await propose()).unsigned), epoch }
    const document = encodeReplicaSet(set)
    const signed = packReplicaSet(document, [signReplicaSet(mesh.crypto, document, ada.person.device.seed)])
    const { results } = await mesh.wait(home.call('placement.commit', { replicaSets: [signed] }))
    return results[0]?.code ?? undefined
  }
  return { mesh, home, ada, propose, commit }
}

test('a device that is stolen signs no set after which its owner could sign no other', async () => {
  const { mesh, home, ada, commit } = await openHome()
  await using _ = mesh
  expect(await commit(Number.MAX_SAFE_INTEGER)).toBe('FORBIDDEN')
  // As high as it may be: a second later there is room for the next.
  expect(await commit(2 ** 20 + Math.floor(mesh.clock.nowMs() / 1000))).toBeUndefined()
  await mesh.clock.advance(1_000)
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
})

test("an owner's app signs nothing of the kind for a node that proposes it", async () => {
  const { mesh, ada, propose } = await openHome()
  await using _ = mesh
  const proposal = await propose()
  const unsigned = encodeReplicaSet({
    ...decodeReplicaSet(proposal.unsigned),
    epoch: Number.MAX_SAFE_INTEGER,
  })
  let committed = 0
  const call = async (operation: string) => {
    if (operation === 'placement.propose') return { proposals: [{ ...proposal, unsigned }] }
    committed++
    return { results: [{ hash: new Uint8Array(32), members: [] }] }
  }
  const identity = { id: ada.id, role: 'owner', device: ada.person.device }
  await expect(placeShard({ call } as never, identity as never, mesh.crypto)).rejects.toMatchObject({
    code: 'BAD_MESSAGE',
  })
  expect(committed).toBe(0)
})
