/** Three nodes, and Ada's shard at two of them: where every request between nodes has somebody who may ask it, and others. */
import { microblog } from '../../client/microblog.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import type { RpcBudgets } from '../../daemon/net/rpc-endpoint.ts'
import type { MemoryNode } from '../../daemon/net/rpc-memory.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import type { OnehopError } from '../../protocol/errors.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import { recoveryKeysOf } from '../../protocol/identity/recovery.ts'
import type { NodeMethod } from '../../protocol/methods.ts'
import {
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
  type ReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { encodeList } from '../../protocol/stream/listing.ts'
import { createMesh, meshNodeId, meshNodeSeed, type Mesh, type MeshNode } from './mesh.ts'
import { Resident } from './resident.ts'

const app = microblog.id

export interface Crossing {
  readonly mesh: Mesh
  /** The node that is asked: Ada lives there, it holds her shard, indexes /geo, and gets Ben's posts from `near`. */
  readonly home: MeshNode
  /** Has the other seat of Ada's shard; Ben lives there; `home` would lease to it. */
  readonly near: MeshNode
  /** Knows the other two, and has no part in either shard. */
  readonly far: MeshNode
  readonly ada: Resident
  readonly ben: Resident
  /** Ada's recovery key, her post, a file of hers and its only chunk. */
  readonly recoveryKey: Uint8Array
  readonly post: Uint8Array
  readonly blob: Uint8Array
  readonly chunk: Uint8Array
  /** Ada's replica set as it stands. */
  readonly set: ReplicaSet & { readonly hash: Uint8Array }
  /** Methods that `home` has a handler for. */
  readonly handled: readonly string[]
  /** How many requests `home` has sent. */
  sent(): number
  /** Somebody who only just came, with a key of their own. */
  stranger(): MemoryNode
  /** Of a node's key, by its id. */
  seedOf(id: string): Uint8Array
  /** Asks `home`; answers what it said, or the code of its refusal. */
  ask(from: MeshNode | MemoryNode, method: NodeMethod, body: Uint8Array): Promise<Uint8Array | string>
}

export async function openCrossing(budgets?: Partial<RpcBudgets>): Promise<Crossing> {
  const crypto = await loadCrypto()
  const places: MemoryNode[] = []
  const handled: string[] = []
  const seeds = new Map([0, 1, 2].map((index) => [meshNodeId(crypto, index), meshNodeSeed(crypto, index)]))
  const mesh = await createMesh(3, {
    ...(budgets && { budgets }),
    config: (index) => ({
      hosting: { offerTo: index === 0 ? [meshNodeId(crypto, 1)] : index === 1 ? 'anyone' : 'nobody' },
      ...(index === 0 && { aggregate: [{ app, scope: '/geo' }] }),
    }),
    onJoin(place, index) {
      places[index] = place
      if (index !== 0) return
      const handle = place.rpc.handle.bind(place.rpc)
      place.rpc.handle = (method, handler) => {
        handled.push(method)
        handle(method, handler)
      }
    },
  })
  const [home, near, far] = mesh.nodes as unknown as [MeshNode, MeshNode, MeshNode]
  await mesh.clock.advance(3_000)
  const [device, words] = [0, 1].map(() => deviceFromSeed(mesh.crypto, mesh.crypto.random(32)))
  if (device === undefined || words === undefined) throw new Error('two keys')
  const { state } = createIdentity(mesh.crypto, device, { recovery: recoveryKeysOf(words) })
  const ada = new Resident(mesh, microblog, { device, state })
  const ben = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(ben.moveIn(near))
  await mesh.wait(ben.place(near, 0))
  const set = await seat(mesh, home, ada, far)
  await mesh.wait(ada.put(home, 'profile', { name: 'Ada', place: '/geo/africa/ng/lagos' }))
  const post = ada.sign('posts', { title: 'hello' })
  await mesh.wait(home.call('record.put', { records: [post] }))
  await mesh.wait(ada.put(home, 'follows', { user: ben.id }))
  const chunk = mesh.crypto.random(1_000)
  const blob = await upload(mesh, home, ada.id, chunk)
  const postOf = (who: Resident, at: MeshNode) => at.store.shards.get(who.id)?.records ?? 0
  await mesh.wait(ben.put(near, 'posts', { title: 'first' }))
  await mesh.until(() => postOf(ada, near) === 3 && postOf(ben, home) === 1, 30_000)
  const signal = new AbortController().signal
  // Who lists a shard for the first time begins the epoch of its log: one row, whoever it was.
  for (const who of [ada, ben])
    await mesh.wait((places[2] as MemoryNode).rpc.request(home.id, 'stream/list', listOf(who.id), { signal }))
  return {
    ...{ mesh, home, near, far, ada, ben, recoveryKey: words.key, post, blob, chunk, set, handled },
    sent: () => (places[0] as MemoryNode).stats().sent,
    stranger() {
      const seed = mesh.crypto.random(32)
      const id = toHex(mesh.crypto.signingPublicKey(seed))
      seeds.set(id, seed)
      return mesh.network.join(id)
    },
    seedOf: (id) => seeds.get(id) as Uint8Array,
    ask(from, method, body) {
      const { rpc } = 'index' in from ? (places[from.index] as MemoryNode) : from
      const answer = rpc.request(home.id, method, body, { signal }).catch((error: OnehopError) => error.code)
      return mesh.wait(answer)
    },
  }
}

/** Ada's shard at home and at the neighbour's, who promised; one seat is empty, as the standby promises nothing. */
async function seat(mesh: Mesh, home: MeshNode, ada: Resident, standby: MeshNode): Promise<Crossing['set']> {
  const { proposals } = await mesh.wait(home.call('placement.propose', { owners: [ada.id], copies: 1 }))
  const proposed = unpackReplicaSet(mesh.crypto, packReplicaSet(proposals[0]?.unsigned as Uint8Array, []))
  const set = signedBy(mesh, ada, { ...proposed, copies: 2, standby: [seatOf(standby)] })
  const { results } = await mesh.wait(home.call('placement.commit', { replicaSets: [set] }))
  if (results[0]?.code !== null) throw new Error(`the set was refused: ${results[0]?.message}`)
  return unpackReplicaSet(mesh.crypto, set)
}

export function seatOf({ id }: MeshNode): ReplicaSet['standby'][number] {
  return {
    node: fromHex(id, 32) as Uint8Array,
    ...{ role: 'replica', addresses: [], operator: 'far', region: '/geo' },
  }
}

export function signedBy(mesh: Mesh, { person }: Pick<Resident, 'person'>, set: ReplicaSet): Uint8Array {
  const document = encodeReplicaSet(set)
  return packReplicaSet(document, [signReplicaSet(mesh.crypto, document, person.device.seed)])
}

/** A file of one chunk, whole at the node. */
export async function upload(
  mesh: Mesh,
  at: MeshNode,
  owner: Uint8Array,
  chunk: Uint8Array,
): Promise<Uint8Array> {
  const manifest = encodeManifest({ size: chunk.length, chunks: [mesh.crypto.sha256(chunk)] })
  const blob = mesh.crypto.sha256(manifest)
  await mesh.wait(at.call('blob.begin', { owner, manifest }))
  await mesh.wait(at.call('blob.put', { owner, blob, index: 0, chunk }))
  return blob
}

export const listOf = (author: Uint8Array): Uint8Array =>
  encodeList({
    app,
    collections: ['posts'],
    latest: 50,
    deletes: false,
    authors: [{ author, before: undefined }],
  })
