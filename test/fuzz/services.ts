/**
 * What a node answers: to other nodes, each method by itself, and to apps, each operation behind its rule. A node of the
 * real parts, with a person and what is public of her; callers are strangers, who get little, and those who may.
 */
import { microblog } from '../../client/microblog.ts'
import type { RpcHandler } from '../../daemon/net/rpc.ts'
import type { Call, Caller } from '../../daemon/api/operations.ts'
import { operations } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { NodeMethod } from '../../protocol/methods.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { encodePush } from '../../protocol/replication/messages.ts'
import { encodeAnnouncements } from '../../protocol/search/exchange.ts'
import { createSimPerson } from '../sim/writer.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import type { OperationVectors } from '../vectors/api-operations.ts'
import { readVectors, unspell } from '../vectors/wire.ts'
import { appends } from './decoders.ts'
import { Fault, type Target, type World } from './fuzzer.ts'
import { seedsOf } from './seeds.ts'
import { type Branch, growTree, major, writeTree } from './tree.ts'

/** Valid messages for each method; the table fails to compile or to run when one is missing. */
const messages: Readonly<Record<NodeMethod, () => Uint8Array[]>> = {
  'search/adverts': () => [encodeAnnouncements([]), ...seedsOf('search-messages', 'advert')],
  'search/append': appends,
  'search/identities': () => seedsOf('placement-messages', 'ids'),
  'search/query': () => seedsOf('search-messages', 'query'),
  'search/register': () => seedsOf('search-messages', 'registration'),
  'search/statistics': () => seedsOf('search-messages', 'statisticsRequest'),
  'shard/audit': () => seedsOf('replication-messages', 'auditAsk'),
  'shard/audit-file': () => seedsOf('replication-messages', 'fileAuditAsk'),
  'shard/blob-chunk': () => seedsOf('replication-messages', 'chunkRequest'),
  'shard/blob-manifest': () => seedsOf('replication-messages', 'hash'),
  'shard/blobs': () => seedsOf('replication-messages', 'blobListAsks'),
  'shard/blob-offer': () => seedsOf('replication-messages', 'blobOffer'),
  'shard/compare': () => seedsOf('replication-messages', 'comparison'),
  'shard/compare-many': () => seedsOf('replication-messages', 'manyAsk'),
  'shard/fetch': () => seedsOf('replication-messages', 'fetch'),
  'shard/hello': () => seedsOf('placement-messages', 'hello'),
  'shard/lease': () => seedsOf('placement-messages', 'leaseAsks'),
  'shard/locate': () => seedsOf('placement-messages', 'ids'),
  'shard/numbers': () => seedsOf('replication-messages', 'numbersAsk'),
  'shard/pact': () => seedsOf('placement-messages', 'pactAsk'),
  'shard/push': () => seedsOf('replication-messages', 'push'),
  'shard/reconcile': () => seedsOf('replication-messages', 'reconcile'),
  'shard/recover': () => seedsOf('placement-messages', 'ids'),
  'shard/snapshot': () => seedsOf('replication-messages', 'snapshotAsk'),
  'shard/schema': () => seedsOf('replication-messages', 'hash'),
  'shard/sign-step': () => seedsOf('placement-messages', 'steps'),
  'shard/take': () => seedsOf('placement-messages', 'placed'),
  'stream/end': () => seedsOf('stream', 'stop'),
  'stream/follow': () => seedsOf('stream', 'follow'),
  'stream/followers': () => seedsOf('followers', 'ask'),
  'stream/list': () => seedsOf('stream-list', 'list'),
  'stream/push': () => seedsOf('stream', 'push'),
  'stream/stop': () => seedsOf('stream', 'stop'),
}

/**
 * What is public and larger than the question, by its own limit: who asks has shown a key over an encrypted connection,
 * so that no answer goes to an address that did not ask, and a peer's bytes are budgeted.
 */
const largeAnswers: Readonly<Record<string, number>> = {
  // A hello says what the node is; its own may be shorter.
  'shard/hello': 4_096,
  'shard/schema': limits.schemaBytesMax,
  'shard/locate': limits.answerBytesMax,
  'shard/recover': limits.answerBytesMax,
  'shard/blob-chunk': limits.blobChunkBytes + 64,
  'shard/blob-manifest': limits.answerBytesMax,
  'search/adverts': limits.answerBytesMax,
  'search/query': limits.answerBytesMax,
  'search/statistics': limits.answerBytesMax,
  'search/identities': limits.answerBytesMax,
  // With the author's log, as whoever serves followers verifies what it is told.
  'stream/list': limits.answerBytesMax,
  'node.info': 4_096,
  'identity.get': limits.answerBytesMax,
  'schema.get': limits.schemaBytesMax + 64,
  'replica-set.get': limits.answerBytesMax,
}

/** Shorter requests cost their sender as much: frames, records of TLS or noise, packets. */
const requestBytesMin = 128
const growthMax = 10

export interface Services extends AsyncDisposable {
  readonly mesh: Mesh
  readonly targets: readonly Target[]
  readonly methods: readonly string[]
}

/** What takes a nonce of the moment, a hash that fits, or two that know each other: refused, with whatever is made here. */
export const neverTaken: readonly string[] = [
  'node/stream/push',
  'node/shard/pact',
  'api/admin.invite.accept',
  'node/search/register',
  'node/search/append',
  'api/search.query',
  'api/search.explain',
  'api/identity.host',
  'api/identity.recover',
  'api/token.grant',
  'api/blob.begin',
  'api/blob.commit',
  'api/blob.put',
  'api/blob.manifest',
  'api/blob.get',
  'api/session.open',
  // Three tries a code; test/contract/pairing.test.ts shows a new one for each.
  'api/pair.begin',
  'api/pair.finish',
  'api/admin.pair.code',
  'api/admin.pair.admit',
]

export async function openServices(): Promise<Services> {
  const handlers = new Map<NodeMethod, RpcHandler>()
  const mesh = await createMesh(2, {
    config: (index) => (index === 0 ? { aggregate: [{ app: microblog.id, scope: '/geo' }] } : {}),
    onJoin({ rpc }, index) {
      if (index !== 0) return
      const handle = rpc.handle.bind(rpc)
      rpc.handle = (method, handler) => {
        handlers.set(method as NodeMethod, handler)
        handle(method, handler)
      }
    },
  })
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = createSimPerson(mesh.crypto)
  await mesh.wait(home.call('schema.put', { schema: microblog.bytes }))
  await mesh.wait(home.call('admin.host.add', { hosts: [{ log: ada.log }] }))
  const written = ada.writers[0]?.sign(
    'posts',
    new Uint8Array(0),
    'put',
    { text: 'hello' },
    mesh.clock.nowMs(),
  )
  if (written === undefined) throw new Error('nobody who writes')
  await mesh.wait(home.call('record.put', { records: [written.bytes] }))

  // The neighbour has a seat, and with it the right to compare and to fetch.
  const { proposals } = await mesh.wait(home.call('placement.propose', { owners: [ada.owner], copies: 1 }))
  const unsigned = proposals[0]?.unsigned as Uint8Array
  const set = packReplicaSet(unsigned, [signReplicaSet(mesh.crypto, unsigned, ada.owning.seed)])
  const { results } = await mesh.wait(home.call('placement.commit', { replicaSets: [set] }))
  if (results[0]?.code !== null) throw new Error(`the set was refused: ${results[0]?.message}`)

  const world: World = {
    elapsedMs: () => mesh.clock.monotonicMs(),
    // In steps like those in which mesh.wait() passes it: they cost something too.
    async pass(ms) {
      for (let passedMs = 0; passedMs < ms; passedMs += 10) await mesh.clock.advance(10)
    },
  }

  const stranger = toHex(mesh.crypto.signingPublicKey(mesh.crypto.random(32)))
  const neighbour = mesh.nodes[1]?.id as string
  const answered = async (answer: Promise<Uint8Array>): Promise<Uint8Array | undefined> => {
    try {
      return await settled(mesh, answer)
    } catch (error) {
      if (error instanceof OnehopError && error.code !== 'INTERNAL') return undefined
      throw error
    }
  }

  const ofMethods = [...handlers].map(([method, handler]): Target => {
    const seeds = withIds(messages[method]?.() ?? [], [ada.owner, written.record.id, microblog.hash])
    if (method === 'shard/push') seeds.push(encodePush([written.bytes]))
    return {
      name: `node/${method}`,
      seeds,
      world,
      async run(body) {
        const call = async (from: string): Promise<Uint8Array | undefined> =>
          answered(handler({ from, body, signal: new AbortController().signal }))
        const told = await call(stranger)
        if (told !== undefined) checkGrowth(method, body, told)
        return (await call(neighbour)) !== undefined || told !== undefined
      },
    }
  })

  const fitting: Readonly<Record<string, unknown>> = {
    'identity.append': { identity: ada.owner, log: ada.log },
    'schema.put': { schema: microblog.bytes },
  }
  const { valid } = readVectors('api-operations.json') as OperationVectors
  const callers: readonly Caller[] = [
    { kind: 'anyone' },
    { kind: 'session', owner: ada.owner, device: written.record.header.device },
    { kind: 'admin' },
  ]
  const ofOperations = Object.keys(operations)
    // It would end the node.
    .filter((operation) => operation !== 'admin.stop')
    .map((operation): Target => {
      const requests = valid.filter((of) => of.operation === operation && of.part === 'request')
      const more = fitting[operation]
      return {
        name: `api/${operation}`,
        seeds: withIds(
          [...requests.map(({ cbor }) => unspell(cbor)), ...(more === undefined ? [] : [encode(more)])],
          [ada.owner, written.record.id, microblog.hash],
        ),
        world,
        async run(body) {
          let taken = false
          for (const caller of callers) {
            const ended = new AbortController()
            const call: Call = { caller, signal: ended.signal, token: undefined, bind: () => {} }
            const reply = async (): Promise<Uint8Array> => {
              const value = decode(body)
              return (await home.node.dispatch.call(operation, value, 'cbor', call)).reply.bytes
            }
            // Whoever waits for copies may do so for 25 s of virtual time, in which two nodes do this and that.
            const leave = mesh.clock.after(1_000, () => ended.abort(new OnehopError('ABORTED', 'no longer')))
            const told = await answered(reply())
            leave()
            ended.abort(new OnehopError('ABORTED', 'enough'))
            if (told !== undefined && caller.kind === 'anyone') checkGrowth(operation, body, told)
            taken ||= told !== undefined
          }
          return taken
        },
      }
    })

  return {
    mesh,
    targets: [...ofMethods, ...ofOperations],
    methods: [...handlers.keys()],
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  }
}

/** Most are answered without any time passing; waiting in virtual time costs more than the answer. */
async function settled<T>(mesh: Mesh, answer: Promise<T>): Promise<T> {
  let done = false
  const mark = (): void => void (done = true)
  answer.then(mark, mark)
  for (let turns = 0; turns < 4 && !done; turns++) await new Promise(setImmediate)
  return done ? answer : mesh.wait(answer)
}

function checkGrowth(name: string, request: Uint8Array, answer: Uint8Array): void {
  const most = Math.max(largeAnswers[name] ?? 0, growthMax * Math.max(request.length, requestBytesMin))
  if (answer.length > most) throw new Fault('a stranger is told more than ten times what it sent')
}

/** The messages, and again with ids that the node knows in place of theirs. */
function withIds(seeds: readonly Uint8Array[], ids: readonly Uint8Array[]): Uint8Array[] {
  const changed = seeds.flatMap((seed) => {
    const tree = growTree(seed)
    if (tree === undefined || seed.length > 4_096) return []
    return ids.map((id) => writeTree(withId(tree, id)))
  })
  return [...seeds, ...changed]
}

function withId(tree: Branch, id: Uint8Array): Branch {
  if (tree.major === major.bytes && tree.items.length === 0 && tree.bytes.length === 32)
    return { ...tree, bytes: id }
  return { ...tree, items: tree.items.map((item) => withId(item, id)) }
}
