/** A good request of every method between nodes, as the one who may ask sends it, and what others hear. */
import { microblog } from '../../client/microblog.ts'
import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import type { NodeMethod } from '../../protocol/methods.ts'
import { makeChain } from '../../protocol/placement/chain.ts'
import {
  decodeHello,
  decodeLeases,
  decodePlaced,
  decodeStepSignatures,
  encodeIds,
  encodePlaced,
  encodeSteps,
} from '../../protocol/placement/messages.ts'
import { parseInvitation } from '../../protocol/placement/invitation.ts'
import { decodePactAnswer, encodePact, encodePactAsk, signPact } from '../../protocol/placement/pact.ts'
import { encodeReplicaSet, unpackReplicaSet } from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { createInitiator } from '../../protocol/reconcile/machine.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'
import { decodeBlobLists, encodeBlobListAsks } from '../../protocol/replication/blob-lists.ts'
import {
  decodeCompared,
  decodeFetched,
  decodeMaybe,
  decodeNumbers,
  encodeBlobOffer,
  encodeChunkRequest,
  encodeComparison,
  encodeFetch,
  encodeHash,
  encodeMaybe,
  encodeNumbersAsk,
  encodePush,
  encodeReconcile,
} from '../../protocol/replication/messages.ts'
import { decodeAuditAnswer, encodeAuditAsk, encodeFileAuditAsk } from '../../protocol/replication/audit.ts'
import { decodeManyAnswer, encodeManyAsk, groupSums } from '../../protocol/replication/many.ts'
import { decodeSnapshotPage, encodeSnapshotAsk } from '../../protocol/replication/snapshot.ts'
import {
  decodeAnnouncements,
  decodeIdentityLogs,
  encodeAnnouncements,
  encodeAppend,
} from '../../protocol/search/exchange.ts'
import { decodeAcknowledgement, encodeLogBatch, encodeRegistration } from '../../protocol/search/log.ts'
import { decodeSearchAnswer, encodeSearchQuery } from '../../protocol/search/query.ts'
import { decodeStatistics, encodeStatisticsRequest } from '../../protocol/search/statistics-message.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { decodeFollowers, encodeFollowers, encodeFollowersAsk } from '../../protocol/stream/followers.ts'
import { decodeListed } from '../../protocol/stream/listing.ts'
import {
  decodeFollowed,
  decodePushed,
  encodeFollow,
  encodePush as encodeStreamPush,
  encodeStop,
} from '../../protocol/stream/wire.ts'
import { seatOf, signedBy, listOf, upload, type Crossing } from './crossing.ts'
import { leaseAsk } from './lease-ask.ts'
import { createPerson, type Person } from './people.ts'
import { helloOf } from './street.ts'

const app = microblog.id
/** An epoch of a log that nobody else began. */
const epoch = 4_711
const nobody = new Uint8Array(32).fill(9)

/** The next epoch of Ada's set, by somebody's signature. */
function nextEpoch({ mesh, ada, set }: Crossing, by: { readonly person: Person }): Uint8Array {
  const next = signedBy(mesh, by, { ...set, epoch: set.epoch + 1, previous: set.hash })
  const { bytes } = makeChain([unpackReplicaSet(mesh.crypto, next)])
  return encodePlaced([{ chain: bytes, log: encodeLog(ada.person.state.entries), people: [] }])
}

async function registered(at: Crossing): Promise<number> {
  const answer = await at.ask(at.near, 'search/register', registration)
  return decodeAcknowledgement(answer as Uint8Array).cursor.position
}

/** What home lacks of Ben's posts, as his node would push it; that one is kept from doing so itself. */
async function benPosts(at: Crossing): Promise<Uint8Array> {
  const { mesh, near, home, ben } = at
  mesh.holdBack((from, to, method) => from === near.id && to === home.id && method === 'stream/push')
  const after = near.store.records.logHead(ben.id)
  const record = ben.sign('posts', { title: 'second' })
  await mesh.wait(near.call('record.put', { records: [record] }))
  const signal = new AbortController().signal
  const asked = at.stranger().rpc.request(near.id, 'stream/list', listOf(ben.id), { signal })
  const head = decodeListed(await mesh.wait(asked)).parts[0]?.head
  if (head === undefined) throw new Error('Ben is not there')
  const through = head.head
  const entries = [{ position: through, record }]
  const batches = [{ author: ben.id, epoch: head.epoch, after, through, head: through, entries }]
  return encodeStreamPush({ source: fromHex(near.id, 32) as Uint8Array, app, batches })
}

const registration = encodeRegistration({
  ...{ app, parent: '/geo', scope: '/geo/africa', kind: 'aggregator', head: { epoch, position: 0 } },
})
const followOf = (author: Uint8Array): Uint8Array =>
  encodeFollow({ app, collections: ['posts'], mode: 'push', authors: [{ author, cursor: undefined }] })
const idOf = ({ mesh, post }: Crossing): Uint8Array => decodeRecord(mesh.crypto, post).id

export interface NodeRequest {
  /** Brings about whatever it takes, and answers the body that is sent next. */
  body(at: Crossing): Uint8Array | Promise<Uint8Array>
  /** Whether an answer tells what was asked, or says that it was taken. */
  isTold(answer: Uint8Array, at: Crossing): boolean
  /** Where others hear what a node hears that asks in vain. */
  blank?(at: Crossing): Uint8Array
  /** Where signatures decide and not who brings them: the same with a signature that does not count. */
  forged?(at: Crossing): Uint8Array
  /** What it changes does not lie on the disk. */
  readonly inMemory?: boolean
}

export const nodeRequests: Readonly<Record<NodeMethod, NodeRequest>> = {
  'search/adverts': {
    body: () => encodeAnnouncements([]),
    isTold: (answer) => decodeAnnouncements(answer).length > 0,
  },
  'search/append': {
    async body(at) {
      const position = await registered(at)
      const scopes = { geo: '/geo/africa/ng/lagos' }
      const entry = {
        operation: 'put',
        position: position + 1,
        record: at.post,
        scopes,
        analyser: 'en',
      } as const
      const cursor = { epoch, after: position, through: position + 1 }
      const batch = encodeLogBatch({ app, parent: '/geo', ...cursor, entries: [entry] })
      return encodeAppend({ kind: 'aggregator', logs: [], batch })
    },
    isTold: (answer) => decodeAcknowledgement(answer).cursor.position === 1,
  },
  'search/identities': {
    body: ({ ada }) => encodeIds([ada.id]),
    isTold: (answer) => decodeIdentityLogs(answer)[0] !== undefined,
  },
  'search/query': {
    body: () =>
      encodeSearchQuery({
        ...{ app, collection: undefined, scope: '/geo', text: 'hello', analyser: 'en', match: 'any' },
        ...{ limit: 10, hops: 0, explain: false, statistics: undefined },
      }),
    isTold: (answer) => decodeSearchAnswer(answer).hits.length > 0,
  },
  'search/register': {
    body: () => registration,
    isTold: (answer) => decodeAcknowledgement(answer).cursor.epoch === epoch,
  },
  'search/statistics': {
    body: () =>
      encodeStatisticsRequest({
        app,
        collection: undefined,
        scope: '/geo',
        analyser: 'en',
        clauses: parseQuery('hello', 'en').clauses,
      }),
    isTold: (answer) => decodeStatistics(answer).documents > 0,
  },
  'shard/audit': {
    body: ({ mesh, ada }) =>
      encodeAuditAsk({
        owner: ada.id,
        until: clockOf(mesh.clock.nowMs() + 60_000),
        nonce: new Uint8Array(32),
      }),
    isTold: (answer) => decodeAuditAnswer(answer).size > 0,
  },
  'shard/audit-file': {
    body: ({ ada, blob }) =>
      encodeFileAuditAsk({ owner: ada.id, blob, index: 0, offset: 0, nonce: new Uint8Array(32) }),
    isTold: (answer) => decodeMaybe(answer) !== undefined,
  },
  'shard/blob-chunk': {
    body: ({ blob }) => encodeChunkRequest({ blob, index: 0 }),
    isTold: (answer) => decodeMaybe(answer) !== undefined,
  },
  'shard/blob-manifest': {
    body: ({ blob }) => encodeHash(blob),
    isTold: (answer) => decodeMaybe(answer) !== undefined,
  },
  'shard/blob-offer': {
    async body({ mesh, near, ada }) {
      mesh.holdBack((from, _, method) => from === near.id && method === 'shard/blob-offer')
      const blob = await upload(mesh, near, ada.id, mesh.crypto.random(500))
      return encodeBlobOffer({ owner: ada.id, blob })
    },
    // On its way, or whole there already.
    isTold: (answer) =>
      [undefined, Uint8Array.of(1)].some((told) => toHex(answer) === toHex(encodeMaybe(told))),
  },
  'shard/blobs': {
    body: ({ ada }) => encodeBlobListAsks([{ owner: ada.id, digest: nobody }]),
    isTold: (answer, { blob }) => decodeBlobLists(answer)[0]?.some((one) => equalBytes(one, blob)) === true,
    blank: () => encode([null]),
  },
  'shard/compare': {
    body: ({ mesh, ada, set }) =>
      encodeComparison({
        until: clockOf(mesh.clock.nowMs()),
        shards: [{ owner: ada.id, set: set.hash, fingerprint: new Uint8Array(16) }],
      }),
    isTold: (answer) => decodeCompared(answer)[0]?.records === 'differs',
    blank: () => encode([[2, true]]),
  },
  'shard/compare-many': {
    // Against nothing at all: whoever holds something with the asker differs.
    body: ({ mesh }) =>
      encodeManyAsk({ until: clockOf(mesh.clock.nowMs()), power: 0, sums: groupSums(mesh.crypto, [], 0) }),
    isTold: (answer) => decodeManyAnswer(answer).length === 1,
    blank: () => encode([]),
  },
  'shard/fetch': {
    body: (at) => encodeFetch({ owner: at.ada.id, ids: [idOf(at)] }),
    isTold: (answer) => decodeFetched(answer)[0] !== undefined,
  },
  'shard/hello': {
    body: ({ mesh }) => helloOf(mesh),
    isTold: (answer) => decodeHello(answer).operator === 'operator-0',
    inMemory: true,
  },
  'shard/lease': {
    body: (at) =>
      leaseAsk(at.mesh.crypto, { host: at.home.id, owner: nobody, bytes: 1_000_000 }, at.seedOf(at.near.id)),
    isTold: (answer) => decodeLeases(answer)[0] !== undefined,
    blank: () => encode([null]),
  },
  'shard/locate': {
    body: ({ ada }) => encodeIds([ada.id]),
    isTold: (answer) => decodePlaced(answer)[0] !== undefined,
  },
  'shard/numbers': {
    body: ({ ada }) => encodeNumbersAsk({ owner: ada.id, device: ada.person.device.key, after: 0 }),
    isTold: (answer) => decodeNumbers(answer).length > 2,
  },
  'shard/pact': {
    async body(at) {
      const wanted = { givesBytes: 1_000, getsBytes: 2_000 }
      const { link } = await at.mesh.wait(at.home.call('admin.invite', wanted))
      const { secret } = parseInvitation(link)
      const invited = fromHex(at.near.id, 32) as Uint8Array
      const inviter = fromHex(at.home.id, 32) as Uint8Array
      const document = encodePact({
        ...{ inviter, invited, inviterBytes: 1_000, invitedBytes: 2_000 },
        madeMs: at.mesh.clock.nowMs(),
      })
      const signature = signPact(at.mesh.crypto, document, at.seedOf(at.near.id))
      return encodePactAsk({ secret, label: 'near', document, signature })
    },
    isTold: (answer) => decodePactAnswer(answer).length === 64,
  },
  'shard/push': {
    body: ({ ada }) => encodePush([ada.sign('posts', { title: 'pushed' })]),
    forged: (at) => encodePush([at.post.map((byte, i) => (i === at.post.length - 60 ? byte ^ 1 : byte))]),
    isTold: (answer) => toHex(answer) === toHex(encode([0])),
    blank: () => encode([2]),
  },
  'shard/reconcile': {
    body({ mesh, ada }) {
      const message = createInitiator().initiate(reconcileVector([], mesh.crypto.sha256))
      return encodeReconcile({ owner: ada.id, until: clockOf(mesh.clock.nowMs()), message })
    },
    isTold: (answer) => answer.length > 32,
  },
  'shard/recover': {
    body: ({ recoveryKey }) => encodeIds([recoveryKey]),
    isTold: (answer) => decodePlaced(answer).length === 1,
  },
  'shard/schema': {
    body: () => encodeHash(microblog.hash),
    isTold: (answer) => decodeMaybe(answer) !== undefined,
  },
  'shard/snapshot': {
    body: ({ ada }) => encodeSnapshotAsk({ owner: ada.id, cursor: undefined }),
    isTold: (answer) => decodeSnapshotPage(answer).records.length > 0,
  },
  'shard/sign-step': {
    body: ({ set, far }) => {
      const members = [...set.members, seatOf(far)]
      return encodeSteps([encodeReplicaSet({ ...set, step: 1, previous: set.hash, members, standby: [] })])
    },
    isTold: (answer) => decodeStepSignatures(answer)[0] !== undefined,
    blank: () => encode([null]),
  },
  'shard/take': {
    body: (at) => nextEpoch(at, at.ada),
    forged: (at) => nextEpoch(at, { person: createPerson(at.mesh.crypto) }),
    isTold: (answer) => toHex(answer) === toHex(encode([true])),
    blank: () => encode([false]),
  },
  'stream/end': {
    body: ({ ben }) => encodeStop({ app, collections: ['posts'], authors: [ben.id] }),
    isTold: (answer) => answer.length === 0,
    blank: () => new Uint8Array(0),
    inMemory: true,
  },
  'stream/follow': {
    body: ({ ada }) => followOf(ada.id),
    isTold: (answer) => decodeFollowed(answer).authors[0]?.stand.state === 'following',
  },
  'stream/followers': {
    body: ({ ben }) => encodeFollowersAsk({ app, author: ben.id, after: undefined }),
    isTold: (answer) => decodeFollowers(answer).records.length === 1,
    blank: () => encodeFollowers({ records: [], more: false, silent: 0 }),
  },
  'stream/list': {
    body: ({ ada }) => listOf(ada.id),
    isTold: (answer) => (decodeListed(answer).parts[0]?.records.length ?? 0) > 0,
  },
  'stream/push': {
    body: benPosts,
    isTold: (answer) => decodePushed(answer).authors[0]?.receipt.state === 'has',
  },
  'stream/stop': {
    async body(at) {
      await at.ask(at.near, 'stream/follow', followOf(at.ada.id))
      return encodeStop({ app, collections: ['posts'], authors: [at.ada.id] })
    },
    isTold: (answer) => answer.length === 0,
  },
}
