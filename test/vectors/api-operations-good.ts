/** One or more good messages of every operation, for api-operations.json. */
import type {
  EventOf,
  OperationName,
  ReplyOf,
  RequestOf,
  SubscriptionName,
} from '../../protocol/api/operations.ts'
import { seededCrypto, writtenMs } from '../support/people.ts'

/** What each operation may say, by name. */
type Messages = {
  readonly [N in OperationName]: {
    readonly request: Readonly<Record<string, RequestOf<N>>>
    readonly reply: Readonly<Record<string, ReplyOf<N>>>
    readonly event?: N extends SubscriptionName ? Readonly<Record<string, EventOf<N>>> : never
  }
}

const { random } = seededCrypto(0xa91)
const [node, source, blob, schema] = [random(32), random(32), random(32), random(32)]
const [log, document] = [random(24), random(28)]
export const [owner, device, id, nonce] = [random(32), random(32), random(32), random(32)]
export const [record, signature] = [random(20), random(64)]
/** Above 2^53, so that JSON needs text for it. */
export const clock = BigInt(writtenMs) << 16n

export const ref = { clock, id }
export const position = { source, epoch: 3, position: 41 }
export const seen = [
  {
    device,
    intervals: [
      { first: 1, last: 7 },
      { first: 9, last: 9 },
    ],
  },
]
const posts = { app: 'example.microblog', collection: 'posts' }
const greatest = 2n ** 64n - 1n
const empty = new Uint8Array()

const hosted = {
  identity: owner,
  person: true,
  label: 'Ada',
  records: 812,
  bytes: 1_230_000,
  quotaBytes: 50_000_000,
  replicas: [
    { node, state: 'current', lastSeenMs: writtenMs },
    { node: source, state: 'away', lastSeenMs: null },
  ],
  copies: 1,
  copiesWanted: 4,
} as const

const closed = {
  state: 'closed',
  link: null,
  typedCode: null,
  remainingMs: null,
  reason: null,
  role: null,
  label: null,
  pending: null,
  identity: null,
} as const
const waiting = {
  ...closed,
  state: 'waiting',
  link: 'http://192.0.2.1/phone/#p=AQ',
  typedCode: '01234567890',
  remainingMs: 299_000,
} as const
const pending = { device, box: id, identity: owner, possession: null }

export const goodMessages: Messages = {
  'node.info': {
    request: { 'nothing to say': {} },
    reply: {
      'a home in Lagos': {
        node,
        version: '0.1.0',
        clockMs: writtenMs,
        addresses: ['/ip4/192.0.2.1/tcp/4001'],
        roles: ['home'],
        region: '/geo/africa/ng/lagos',
      },
      'a node nowhere': { node, version: '', clockMs: 0, addresses: [], roles: [], region: null },
    },
  },
  'identity.get': {
    request: { 'a person': { identity: owner }, 'as its holders know it': { identity: owner, held: true } },
    reply: { 'a log': { log, people: [] }, 'of a group': { log, people: [log, document] } },
  },
  'identity.append': {
    request: {
      'some entries': { identity: owner, log },
      'of a group': { identity: owner, log, people: [log] },
    },
    reply: { 'two were new': { added: 2 } },
  },
  'identity.groups': {
    request: { 'of a person': { owner } },
    reply: {
      'a club and a lab': {
        groups: [
          { group: source, role: 'owner', members: 12, held: true, label: 'Chess club' },
          { group: node, role: 'reader', members: 2, held: false, label: '' },
        ],
        more: false,
      },
      'more than an answer takes': { groups: [], more: true },
    },
  },
  'identity.host': {
    request: {
      'a group': { identity: owner, log, people: [] },
      'a club by its name': { identity: owner, log, people: [log, document], label: 'Club' },
    },
    reply: { 'it lives here': {} },
  },
  'identity.recover': {
    request: { 'a recovery key': { recoveryKey: device } },
    reply: {
      'an identity and who holds it': { found: [{ log, replicaSet: document }] },
      'two that claim the key, one placed nowhere': {
        found: [
          { log, replicaSet: null },
          { log, replicaSet: document },
        ],
      },
    },
  },
  'schema.put': {
    request: { 'a schema': { schema: document } },
    reply: { 'its name': { schema, app: posts.app } },
  },
  'schema.get': { request: { 'by its hash': { schema } }, reply: { 'a schema': { schema: document } } },
  'record.put': {
    request: { 'two records': { records: [record, document] }, 'no record': { records: [] } },
    reply: {
      'one of each outcome': {
        results: [
          { outcome: 'stored', id, code: null, message: null },
          { outcome: 'known', id, code: null, message: null },
          { outcome: 'refused', id: null, code: 'BAD_SIGNATURE', message: 'the device did not sign it' },
        ],
        clockMs: writtenMs,
      },
    },
  },
  'record.get': {
    request: {
      'two items': { owner, ...posts, keys: [id, empty] },
      'what the reader has seen': { owner, ...posts, keys: [], seen },
    },
    reply: { 'one found, one not': { records: [record, null] } },
  },
  'record.list': {
    request: {
      'the newest': { owner, ...posts },
      'a range': { owner, ...posts, limit: 20, before: ref, after: { clock: 0n, id: source }, seen },
      'the widest range': { owner, ...posts, limit: 200, before: { clock: greatest, id } },
      'names as long as may be': { owner, app: 'a'.repeat(64), collection: 'é'.repeat(32) },
    },
    reply: {
      'more to come': { records: [record, record], asOf: clock, more: ref },
      nothing: { records: [], asOf: 0n, more: null },
      'the greatest clock': { records: [record], asOf: greatest, more: null },
    },
  },
  'record.status': {
    request: {
      'two records': { owner, ids: [id, source] },
      'wait for as long as may be': { owner, ids: [id], copies: 16, waitMs: 25_000 },
    },
    reply: { 'one is not known': { copies: [4, 0] } },
  },
  'view.get': {
    request: {
      'a page': { owner, app: posts.app, view: 'home' },
      'its second half': { owner, app: posts.app, view: 'home', limit: 50, before: ref, seen },
    },
    reply: { 'a page': { view: document, requestsBetweenNodes: 0 } },
  },
  'feed.list': {
    request: {
      'the newest': { owner, ...posts, limit: 1 },
      'what came since': { owner, ...posts, after: ref, seen },
    },
    reply: {
      'two posts': { records: [record, document], asOf: clock, more: ref, position, requestsBetweenNodes: 1 },
      'nobody followed': { records: [], asOf: 0n, more: null, position: null, requestsBetweenNodes: 0 },
    },
  },
  'follower.list': {
    request: {
      'the first': { owner, app: posts.app },
      'those after one': { owner, app: posts.app, after: id },
    },
    reply: {
      'two, and a node that was not heard': { records: [record, record], more: true, silent: 1 },
      nobody: { records: [], more: false, silent: 0 },
    },
  },
  'live.open': {
    request: {
      'a list': { of: 'list', owner, app: posts.app, name: 'posts' },
      'a feed, from where it was left': { of: 'feed', owner, app: posts.app, name: 'posts', from: position },
      'a view': { of: 'view', owner, app: posts.app, name: 'home' },
    },
    reply: { 'where it starts': { position } },
    event: {
      'records came': { type: 'records', position, records: [record, record] },
      'another answer': { type: 'changed', position, records: [] },
      'read again': { type: 'reset', position: { source, epoch: 0, position: 0 }, records: [] },
    },
  },
  'search.query': {
    request: { 'a query': { query: document } },
    reply: { 'an answer': { answer: document } },
  },
  'search.explain': {
    request: { 'a query': { query: document } },
    reply: { 'an answer': { answer: document } },
  },
  'blob.begin': {
    request: { 'a manifest': { owner, manifest: document } },
    reply: {
      'two chunks are missing': { blob, size: 524_289, missing: [0, 2] },
      'all is here': { blob, size: 0, missing: [] },
    },
  },
  'blob.put': {
    request: { 'a chunk': { owner, blob, index: 2, chunk: record } },
    reply: { 'the last one': { complete: true } },
  },
  'blob.stage': {
    request: {
      'a chunk': { owner, upload: id, index: 0, chunk: record },
      'the last that may be': { owner, upload: id, index: 16_383, chunk: empty },
    },
    reply: { 'it is kept': {} },
  },
  'blob.commit': {
    request: { 'all is staged': { owner, upload: id, manifest: document } },
    reply: { 'it is a blob': { blob, size: 524_289 } },
  },
  'blob.drop': {
    request: { 'an upload': { owner, upload: id } },
    reply: { 'it is gone': {} },
  },
  'blob.manifest': {
    request: { 'a blob': { owner, blob } },
    reply: { 'its manifest': { manifest: document } },
  },
  'blob.get': {
    request: {
      'a whole chunk': { owner, blob, offset: 262_144, length: 262_144 },
      'beyond 2^32': { owner, blob, offset: 2 ** 32, length: 1 },
    },
    reply: { 'some bytes': { size: 300_000, bytes: record }, 'nothing is left': { size: 0, bytes: empty } },
  },
  'replica-set.get': {
    request: { 'a person': { owner } },
    reply: {
      'found here': { replicaSet: document, source: 'local', heard: [], gone: [] },
      'found elsewhere': {
        replicaSet: document,
        source: 'network',
        heard: [{ node, addresses: ['/ip4/192.0.2.1/tcp/4180/http'] }],
        gone: [node],
      },
    },
  },
  'placement.propose': {
    request: {
      'as the node is set': { owners: [owner, source] },
      'as the owner wants': { owners: [owner], copies: 3, bytes: 50_000_000 },
      'without a stolen box': { owners: [owner], except: [node] },
      'with a guest for two weeks': { owners: [owner], guests: [node], guestS: 1_209_600 },
    },
    reply: {
      'one shard': { proposals: [{ owner, unsigned: document, leases: [record, log] }] },
      'nobody asked': { proposals: [] },
    },
  },
  'placement.guests': {
    request: { 'by the owner': { owner } },
    reply: {
      'one in Berlin': {
        nodes: [
          { node, addresses: ['/ip4/192.0.2.7/tcp/4180/http'], region: '/geo/europe/de/berlin', offersBytes: 64_000_000 },
        ],
      },
      nobody: { nodes: [] },
    },
  },
  'placement.commit': {
    request: { 'a signed set': { replicaSets: [document] } },
    reply: {
      'one taken, one not': {
        results: [
          { hash: id, members: [node, source], code: null, message: null },
          { hash: null, members: [], code: 'FORBIDDEN', message: "no device of the owner's signed it" },
        ],
      },
    },
  },
  'session.challenge': {
    request: { 'a device': { owner, device } },
    reply: { 'a challenge': { node, nonce, expiresMs: writtenMs + 60_000 } },
  },
  'session.open': {
    request: { 'a proof': { owner, device, nonce, expiresMs: writtenMs + 60_000, signature } },
    reply: { 'a token': { token: id, lifetimeMs: 3_600_000 } },
  },
  'session.close': { request: { 'nothing to say': {} }, reply: { 'nothing to say': {} } },
  'token.grant': {
    request: { 'a grant': { grant: document } },
    reply: { 'a token': { id, token: nonce, expiresMs: writtenMs } },
  },
  'token.list': {
    request: { 'whoever asks': {}, 'of one person': { owner } },
    reply: {
      none: { tokens: [] },
      'one for a site, one for a program that was revoked, as was the device that granted it': {
        tokens: [
          {
            id,
            owner,
            device,
            ...{ app: posts.app, label: 'Reader', origin: 'https://reader.example' },
            scopes: [
              { collection: 'posts', access: 'read' },
              { collection: 'likes', access: 'write' },
            ],
            grantedMs: writtenMs,
            expiresMs: writtenMs + 86_400_000,
            revokedMs: null,
            usedMs: writtenMs + 1000,
            refused: null,
          },
          {
            id: nonce,
            owner,
            device,
            ...{ app: posts.app, label: 'backup', origin: null },
            scopes: [{ collection: null, access: 'read' }],
            grantedMs: writtenMs,
            expiresMs: writtenMs,
            revokedMs: writtenMs,
            usedMs: null,
            refused: 'REVOKED',
          },
        ],
      },
    },
  },
  'token.revoke': {
    request: { 'one token': { owner, id } },
    reply: { 'it was there': { revoked: true }, 'it was not': { revoked: false } },
  },
  'admin.status': {
    request: {
      'the first': {},
      'the next two hundred': { after: owner, limit: 200 },
      'sizes alone': { brief: true },
      'who lives here': { only: 'people', limit: 10 },
    },
    reply: {
      'a busy node': {
        node,
        version: '0.1.0',
        clockMs: writtenMs,
        uptimeMs: 86_400_000,
        addresses: ['/ip4/192.0.2.1/tcp/4001', '/ip4/192.0.2.1/tcp/4180/http'],
        roles: ['home', 'aggregator'],
        region: '/geo/africa/ng/lagos',
        healthy: false,
        hosted: [hosted, { ...hosted, identity: source, person: false, label: null, replicas: [] }],
        hostedTotal: 1012,
        people: 3,
        next: source,
        peers: [
          { node: source, addresses: [], connected: true, latencyMs: 7, label: 'the cellar' },
          { node: id, addresses: ['/ip4/192.0.2.9/tcp/1'], connected: false, latencyMs: null, label: null },
        ],
        storage: { records: 90_000, bytes: 2 ** 33, freeBytes: 2 ** 40, folder: '/var/lib/onehop' },
        aggregates: [{ app: '*', scope: '/geo/africa', documents: 20_100, leaves: 6, freshMs: 900 }],
        outbox: { queued: 3, oldestMs: 4_000 },
        dht: { peers: 8, queued: 0, provided: 1012 },
        problems: [
          { code: 'STORE_FULL', message: 'the disk is full', help: 'Free some space.', sinceMs: writtenMs },
        ],
        counters: { 'records.taken': 90_000, a: 0 },
      },
      'a fresh node': {
        node,
        version: '0.1.0',
        clockMs: writtenMs,
        uptimeMs: 0,
        addresses: [],
        roles: [],
        region: null,
        healthy: true,
        hosted: [],
        hostedTotal: 0,
        people: 0,
        next: null,
        peers: [],
        storage: { records: 0, bytes: 0, freeBytes: null, folder: '/var/lib/onehop' },
        aggregates: [],
        outbox: { queued: 0, oldestMs: null },
        dht: { peers: 0, queued: 0, provided: 0 },
        problems: [],
        counters: {},
      },
    },
  },
  'admin.config': {
    request: { 'nothing to say': {} },
    reply: {
      'where values come from': {
        settings: [
          { path: 'http.port', value: '4180', source: 'default' },
          { path: 'node.region', value: '"/geo/africa"', source: 'file' },
          { path: 'node.label', value: '"Grüße"', source: 'environment' },
          { path: 'state', value: '"/var/lib/onehop"', source: 'flag' },
        ],
      },
    },
  },
  'admin.devices': {
    request: { 'a person': { identity: owner } },
    reply: {
      'one that was revoked': {
        devices: [
          { device, role: 'owner', probation: false, revoked: false, label: 'Phone' },
          { device: id, role: 'app', probation: true, revoked: true, label: '' },
        ],
      },
    },
  },
  'admin.host.add': {
    request: { 'two people': { hosts: [{ log, quotaBytes: 50_000_000, label: 'Ada' }, { log: document }] } },
    reply: {
      'one taken, one not': {
        results: [
          { identity: owner, code: null, message: null },
          { identity: null, code: 'BAD_IDENTITY', message: 'entry 2 is not signed' },
        ],
      },
    },
  },
  'admin.host.quota': {
    request: { 'eight gigabytes': { identity: owner, quotaBytes: 8_589_934_592 }, nothing: { identity: owner, quotaBytes: 0 } },
    reply: { 'some are in use': { usedBytes: 61_000_000 } },
  },
  'admin.host.remove': {
    request: { 'two people': { identities: [owner, source] } },
    reply: { 'one was here': { removed: 1 } },
  },
  'admin.deny.add': { request: { 'a stolen box': { nodes: [node] } }, reply: { 'the only one': { denied: 1 } } },
  'admin.deny.remove': { request: { 'it was found': { nodes: [node] } }, reply: { 'none is left': { denied: 0 } } },
  'admin.deny.list': {
    request: { 'nothing to say': {} },
    reply: { 'a stolen box': { nodes: [node] }, nobody: { nodes: [] } },
  },
  'admin.deny.set': {
    request: { 'one peer': { nodes: [source] }, nobody: { nodes: [] } },
    reply: { 'nothing to say': {} },
  },
  'admin.neighbours': {
    request: { 'nothing to say': {} },
    reply: {
      'a friend, and a stranger': {
        neighbours: [
          {
            ...{ node, label: 'Ben', region: '/geo/africa/ng', connected: true, awayMs: 0, latencyMs: 12 },
            pact: { givesBytes: 10_000_000_000, getsBytes: 10_000_000_000, madeMs: 1_760_000_000_000 },
            keeps: { shards: 2, bytes: 1_000_000, reservedBytes: 128_000_000, behind: 1 },
            kept: { shards: 1, bytes: 5_000, reservedBytes: 64_000_000, behind: 0 },
            offersBytes: 9_000_000_000,
          },
          {
            ...{ node: source, label: '', region: null, connected: false, awayMs: 90_000, latencyMs: null },
            pact: null,
            keeps: { shards: 0, bytes: 0, reservedBytes: 0, behind: 0 },
            kept: { shards: 0, bytes: 0, reservedBytes: 0, behind: 0 },
            offersBytes: 0,
          },
        ],
        offers: [
          { to: '/geo/africa/ng', bytes: 1_000_000_000, source: 'offer' },
          { to: 'anyone', bytes: 10_000_000, source: 'config' },
        ],
        ...{ offerBytes: 10_737_418_240, leasedBytes: 64_000_000, invitations: 1 },
      },
      'nobody yet': { neighbours: [], offers: [], offerBytes: 0, leasedBytes: 0, invitations: 0 },
    },
  },
  'admin.offer.set': {
    request: {
      'to a place': { to: '/geo/africa/ng', bytes: 1_000_000_000 },
      'to anyone, no more': { to: 'anyone', bytes: 0 },
    },
    reply: { 'nothing to say': {} },
  },
  'admin.invite': {
    request: {
      'each for the other': { givesBytes: 1_000_000, getsBytes: 1_000_000 },
      'a gift, for a day': { givesBytes: 1_000_000, getsBytes: 0, lifetimeS: 86_400, label: 'Ben' },
    },
    reply: { 'a link': { link: 'onehop-invitation:iAFYIA', lifetimeS: 604_800 } },
  },
  'admin.invite.accept': {
    request: {
      'as it came': { link: 'onehop-invitation:iAFYIA' },
      'under a name': { link: 'onehop-invitation:iAFYIA', label: 'Ada' },
    },
    reply: { 'a pact': { node, label: 'Ada', givesBytes: 1_000_000, getsBytes: 1_000_000 } },
  },
  'admin.invite.cancel': {
    request: { 'nothing to say': {} },
    reply: { 'two were open': { cancelled: 2 } },
  },
  'admin.pact.end': {
    request: { 'a neighbour': { node } },
    reply: { 'three shards of theirs': { ended: true, shards: 3 }, 'there was none': { ended: false, shards: 0 } },
  },
  'admin.leases': {
    request: { 'the first page': {}, 'the next': { after: owner, limit: 10 } },
    reply: {
      'kept, and kept for': {
        leases: [
          {
            ...{ owner, person: true, label: 'Ada', given: null },
            taken: [{ host: node, bytes: 64_000_000, expiresMs: 1_790_000_000_000, refused: true }],
          },
          {
            ...{ owner: id, person: false, label: null, taken: [] },
            given: {
              ...{ home: node, bytes: 64_000_000, usedBytes: 5_000, largestRecordBytes: 65_536 },
              ...{ bytesPerDay: 268_435_456, expiresMs: 1_790_000_000_000, notice: false },
            },
          },
        ],
        total: 3,
        next: id,
      },
      'nobody yet': { leases: [], total: 0, next: null },
    },
  },
  'admin.lease.end': {
    request: { 'one shard': { owners: [owner] } },
    reply: { 'it was kept here': { ended: 1 } },
  },
  'admin.provide': {
    request: { 'two shards': { owners: [owner, source] } },
    reply: { 'both wait': { queued: 2 } },
  },
  'admin.prove': {
    request: { 'for a person': { identity: owner } },
    reply: { 'a proof': { node, box: id, possession: signature } },
  },
  'record.numbers': {
    request: { 'from the first': { owner, device }, 'the next': { owner, device, after: 1024 } },
    reply: {
      'more to come': { numbers: [{ number: 1, id, clock: 116_000_000_000_000_000n }], more: true },
      'nothing is left': { numbers: [], more: false },
    },
  },
  'record.shards': {
    request: { 'of a device': { owner, device } },
    reply: {
      'a person and two groups': {
        shards: [
          { owner, held: true, lastEntry: null },
          { owner: source, held: true, lastEntry: id },
          { owner: node, held: false, lastEntry: null },
        ],
        more: false,
      },
      'more than can be named': { shards: [], more: true },
    },
  },
  'admin.stop': { request: { 'nothing to say': {} }, reply: { 'nothing to say': {} } },
  'pair.begin': {
    request: { 'the phone begins': { request: 'cGhvbmU' } },
    reply: { 'the first of three': { attempt: 1, response: 'bm9kZQ' } },
  },
  'pair.finish': {
    request: { 'the phone knew the code': { attempt: 1, finish: 'cGhvbmU' } },
    reply: { 'a sealed link': { link: record } },
  },
  'admin.pair.open': {
    request: { 'as the node is set': {}, 'an hour, with a quota': { lifetimeS: 3600, quotaBytes: 0 } },
    reply: { 'waiting for a phone': { pairing: waiting } },
  },
  'admin.pair.show': {
    request: { 'without a picture': {}, 'a picture': { qr: 'svg' }, 'for a terminal': { qr: 'terminal' } },
    reply: {
      'a picture': { pairing: waiting, qr: '<svg/>' },
      closed: { pairing: closed, qr: null },
      burnt: { pairing: { ...closed, state: 'burnt', reason: 'wrong-code' }, qr: null },
      'nobody to admit an app': { pairing: { ...closed, state: 'burnt', reason: 'no-owner' }, qr: null },
    },
  },
  'admin.pair.code': {
    request: { 'six digits': { code: '012345' }, 'for an app': { code: '999999', identity: owner } },
    reply: {
      'the phone must prove its keys': {
        pairing: { ...waiting, state: 'awaiting-admission', role: 'app', label: 'Phone', pending },
      },
    },
  },
  'admin.pair.admit': {
    request: { 'a log that admits': { log } },
    reply: {
      'proven and paired': {
        pairing: {
          ...closed,
          state: 'paired',
          role: 'owner',
          pending: { ...pending, possession: signature },
          identity: owner,
        },
      },
    },
  },
  'admin.pair.cancel': { request: { 'nothing to say': {} }, reply: { closed: { pairing: closed } } },
  'admin.pair.unlock': {
    request: { 'nothing to say': {} },
    reply: { 'still locked': { pairing: { ...closed, state: 'locked' } } },
  },
}
