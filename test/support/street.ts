import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import type { OnehopError } from '../../protocol/errors.ts'
import type { NodeMethod } from '../../protocol/methods.ts'
import { encodeHello } from '../../protocol/placement/messages.ts'
import { encodeReplicaSet, type ReplicaSet } from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'
import { createMesh, type Mesh, type MeshNode } from './mesh.ts'

/** A house with one person and two neighbours, and somebody in the network whom nobody knows. */
export async function openStreet() {
  const mesh = await createMesh(3)
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = createSimPerson(mesh.crypto)
  await mesh.wait(home.call('schema.put', { schema: microblog.bytes }))
  await mesh.wait(home.call('admin.host.add', { hosts: [{ log: ada.log }] }))
  const strangerSeed = mesh.crypto.random(32)
  const stranger = mesh.network.join(toHex(mesh.crypto.signingPublicKey(strangerSeed)))
  const ask = async (method: NodeMethod, body: Uint8Array, to = home): Promise<Uint8Array | string> => {
    const signal = new AbortController().signal
    const answer = stranger.rpc
      .request(to.id, method, body, { signal })
      .catch((error: OnehopError) => error.code)
    return mesh.wait(answer)
  }
  return { mesh, home, ada, stranger, strangerSeed, ask }
}

/** Everything that lies on a node's disk, as far as strangers might fill it. */
export async function onDisk({ store }: MeshNode): Promise<unknown> {
  const kinds = [
    'identity',
    'replica-set',
    'hosted',
    'lease-granted',
    'lease-promised',
    'schema',
    'step-signed',
    'whole',
  ]
  const documents = await Promise.all(kinds.map(async (kind) => (await store.documents.list(kind)).length))
  return { documents, shards: await store.shards.list() }
}

/** A set that seats the given nodes, as its owner would draw it up. */
export function setOf(
  owner: Uint8Array,
  nodes: readonly MeshNode[],
  changes: Partial<ReplicaSet> = {},
): Uint8Array {
  return encodeReplicaSet({
    owner,
    shard: owner,
    epoch: 1,
    step: 0,
    previous: undefined,
    members: nodes.map(({ id }, i) => ({
      node: fromHex(id, 32) as Uint8Array,
      role: i === 0 ? 'home' : 'replica',
      addresses: [],
      operator: `operator ${i}`,
      region: '/geo',
    })),
    standby: [],
    copies: 2,
    expiresMs: Date.UTC(2030, 0, 1),
    ...changes,
  })
}

export function helloOf(mesh: Mesh): Uint8Array {
  return encodeHello({
    region: '/geo',
    operator: 'eve',
    addresses: [],
    roles: [],
    offeredBytes: 0,
    clockMs: mesh.clock.nowMs(),
  })
}

export function sectionOf(fields: Record<string, string | number>): RecordDraft['sections'][number] {
  const [section] = planSections(microblog, 'posts', { text: 'x' })
  if (section === undefined) throw new Error('posts have a section')
  return { ...section, fields }
}

export function draftOf(mesh: Mesh, ada: Pick<SimPerson, 'owner'>): RecordDraft {
  return {
    owner: ada.owner,
    author: ada.owner,
    app: microblog.id,
    collection: 'posts',
    key: new Uint8Array(0),
    merge: 'append',
    number: 1,
    clock: clockOf(mesh.clock.nowMs()),
    operation: 'put',
    schema: microblog.hash,
    expiresMs: undefined,
    sections: [sectionOf({ text: 'hello' })],
  }
}
