/**
 * The client-facing API: every operation with the rule that guards it and the shapes of its request, reply and
 * events. Client and daemon take their types from this one table, the daemon its checks as well.
 * All messages are maps with text keys, so that the JSON form reads well; see fields.ts for the JSON mapping.
 */
import { blobChunksMax } from '../blob-manifest.ts'
import { limits } from '../limits.ts'
import { pairingLimits } from '../pairing/limits.ts'
import { invitationLimits } from '../placement/invitation.ts'
import {
  anyOf,
  bigUint,
  boolean,
  bytesMax,
  fields,
  key32,
  list,
  name,
  optional,
  orNull,
  signature64,
  tally,
  text,
  uint,
} from './fields.ts'
import type { Form, Typed } from './fields.ts'
import { apiLimits } from './limits.ts'
import {
  addresses,
  document,
  hosted,
  item,
  leased,
  log,
  neighbour,
  pairingStatus,
  people,
  position,
  problem,
  range,
  record,
  ref,
  seen,
} from './messages.ts'
import { subscription, unary } from './operation.ts'

export const operations = {
  // ---- the node
  'node.info': unary(
    'anyone',
    {},
    {
      node: key32(),
      version: text(64),
      /** The node's time, for the client's offset. */
      clockMs: uint(),
      addresses,
      roles: list(text(limits.nameBytesMax), 16),
      region: orNull(text(limits.scopeBytesMax)),
    },
  ),

  // ---- identities, schemas
  /**
   * `people`: where it is a group, the logs of its members, without which its own says nothing. `held`: by a node that
   * holds its shard, which hears of every change; another may know it as it was.
   */
  'identity.get': unary('anyone', { identity: key32(), held: optional(boolean()) }, { log, people }),
  /** `log`: an identity log, or the entries that this node lacks. The reply tells how many were new. */
  'identity.append': unary('signed', { identity: key32(), log, people: optional(people) }, { added: uint() }),
  /** A group that the session's person owns comes to live here, beside them. */
  'identity.host': unary('session', { identity: key32(), log, people, label: optional(text(64)) }, {}),
  /** Groups that name this person, as far as the node knows. `held`: their shard is here. `label`: what the node calls it. */
  'identity.groups': unary(
    'session',
    { owner: key32() },
    {
      groups: list(
        fields({
          group: key32(),
          role: anyOf('owner', 'writer', 'reader'),
          members: uint(),
          held: boolean(),
          label: text(64),
        }),
        apiLimits.groupsPerListMax,
      ),
      /** There are more than an answer takes. */
      more: boolean(),
    },
  ),
  /**
   * By recovery words: the identities that name or named this recovery key, here or through the DHT. A genesis may name
   * anybody's key, so there may be several, and the caller has to choose.
   */
  'identity.recover': unary(
    'anyone',
    { recoveryKey: key32() },
    { found: list(fields({ log, replicaSet: orNull(document) }), limits.recoveryFoundMax) },
  ),
  'schema.put': unary(
    'session',
    { schema: bytesMax(limits.schemaBytesMax) },
    { schema: key32(), app: name() },
  ),
  'schema.get': unary('anyone', { schema: key32() }, { schema: bytesMax(limits.schemaBytesMax) }),

  // ---- records
  'record.put': unary(
    'signed',
    { records: list(record, apiLimits.recordsPerPutMax) },
    {
      /** In the order of the request. Stored means: on this node's disk. */
      results: list(
        fields({
          outcome: anyOf('stored', 'known', 'refused'),
          id: orNull(key32()),
          code: orNull(text(64)),
          message: orNull(text(1024)),
        }),
        apiLimits.recordsPerPutMax,
      ),
      clockMs: uint(),
    },
  ),
  /** The winners of some items. A deleted item's answer is its tombstone. */
  'record.get': unary(
    'anyone',
    {
      owner: key32(),
      ...item,
      keys: list(bytesMax(limits.recordKeyBytesMax), apiLimits.keysPerGetMax),
      seen: optional(seen),
    },
    { records: list(orNull(record), apiLimits.keysPerGetMax) },
  ),
  /** Newest first, as ListQuery of protocol/query. Strangers get public sections only, the owner's devices everything. */
  'record.list': unary(
    'anyone',
    { owner: key32(), ...item, ...range, seen: optional(seen) },
    { records: list(record, limits.listItemsMax), asOf: bigUint(), more: orNull(ref) },
  ),
  /** Copies on disk per record, 0 for an unknown one. Waits until each has `copies`, for `waitMs` at most. */
  'record.status': unary(
    'anyone',
    {
      owner: key32(),
      ids: list(key32(), apiLimits.idsPerStatusMax),
      copies: optional(uint(limits.replicaSetMembersMax)),
      waitMs: optional(uint(apiLimits.waitMsMax)),
    },
    { copies: list(uint(limits.replicaSetMembersMax), apiLimits.idsPerStatusMax) },
  ),
  /** Records that a device wrote into a shard, ascending by number: what a revocation or a removal names. */
  'record.numbers': unary(
    'session',
    { owner: key32(), device: key32(), after: optional(uint()) },
    {
      numbers: list(fields({ number: uint(), id: key32(), clock: bigUint() }), apiLimits.idsPerStatusMax),
      /** Ask again, after the last of these. */
      more: boolean(),
    },
  ),

  /**
   * Where a device of a person has written: what its revocation has to name. The person's own shard first, then groups
   * known here in which it wrote or whose log it signed, and those whose records are not held here.
   */
  'record.shards': unary(
    'session',
    { owner: key32(), device: key32() },
    {
      shards: list(
        fields({
          owner: key32(),
          /** False: its numbers are to be had elsewhere. */
          held: boolean(),
          /** Of a group's log, signed by the device, the last that counts. */
          lastEntry: orNull(key32()),
        }),
        limits.identityRevokedListsMax,
      ),
      /** There are more than a revocation can name. */
      more: boolean(),
    },
  ),

  // ---- pages
  /** `view` is a ViewAnswer of protocol/query, encoded; prepared by the node and passed through as it is. */
  'view.get': unary(
    'anyone',
    { owner: key32(), app: name(), view: name(), ...range, seen: optional(seen) },
    { view: document, requestsBetweenNodes: uint() },
  ),
  /** What those whom the owner follows wrote in a stream; as FeedQuery of protocol/query. */
  'feed.list': unary(
    'session',
    { owner: key32(), ...item, ...range, seen: optional(seen) },
    {
      records: list(record, limits.listItemsMax),
      asOf: bigUint(),
      more: orNull(ref),
      position: orNull(position),
      requestsBetweenNodes: uint(),
    },
  ),
  /** Who follows the owner, by the signed records that say so, ascending by who it is. `silent`: nodes not heard. */
  'follower.list': unary(
    'session',
    { owner: key32(), app: name(), after: optional(key32()) },
    { records: list(record, limits.followersMax), more: boolean(), silent: uint() },
  ),
  /**
   * A live query. The reply says where it starts; `from` resumes after an event seen earlier. A position that the
   * node cannot resume from (another source or epoch, too old) starts with a `reset`: read the list again.
   */
  'live.open': subscription(
    'anyone',
    {
      of: anyOf('list', 'feed', 'view'),
      owner: key32(),
      app: name(),
      /** The collection of a list or feed, the name of a view. */
      name: text(limits.nameBytesMax),
      from: optional(position),
    },
    { position },
    {
      /** records: they arrived; changed: a view's answer is another now; reset: read again. */
      type: anyOf('records', 'changed', 'reset'),
      position,
      records: list(record, apiLimits.eventRecordsMax),
    },
  ),

  // ---- search: SearchQuery and its answer of protocol/search, encoded
  'search.query': unary('anyone', { query: bytesMax(apiLimits.searchQueryBytesMax) }, { answer: document }),
  'search.explain': unary('anyone', { query: bytesMax(apiLimits.searchQueryBytesMax) }, { answer: document }),

  // ---- blobs: a manifest names the chunks by hash, the hash of the manifest names the blob
  /** `missing`: indexes that the node lacks, the first thousand. An upload that broke goes on by asking again. */
  'blob.begin': unary(
    'session',
    { owner: key32(), manifest: bytesMax(apiLimits.manifestBytesMax) },
    { blob: key32(), size: uint(), missing: list(uint(), apiLimits.missingChunksMax) },
  ),
  'blob.put': unary(
    'session',
    { owner: key32(), blob: key32(), index: uint(), chunk: bytesMax(limits.blobChunkBytes) },
    { complete: boolean() },
  ),
  /** For a stream that is read once, whose manifest is known at its end: chunks first, under a name that the caller drew. */
  'blob.stage': unary(
    'session',
    {
      owner: key32(),
      upload: key32(),
      index: uint(blobChunksMax - 1),
      chunk: bytesMax(limits.blobChunkBytes),
    },
    {},
  ),
  /** The manifest last: what was staged under the name becomes the blob. */
  'blob.commit': unary(
    'session',
    { owner: key32(), upload: key32(), manifest: bytesMax(apiLimits.manifestBytesMax) },
    { blob: key32(), size: uint() },
  ),
  /** What was staged under the name is given up: it would count against the quota for a while. */
  'blob.drop': unary('session', { owner: key32(), upload: key32() }, {}),
  'blob.manifest': unary(
    'anyone',
    { owner: key32(), blob: key32() },
    { manifest: bytesMax(apiLimits.manifestBytesMax) },
  ),
  /** A range; at most one chunk's length at a time. */
  'blob.get': unary(
    'anyone',
    { owner: key32(), blob: key32(), offset: uint(), length: uint(limits.blobChunkBytes) },
    { size: uint(), bytes: bytesMax(limits.blobChunkBytes) },
  ),

  // ---- placement
  /**
   * The signed replica set as it travels, looked up in the network where this node has none. `heard`: where members are now
   * that this node hears, whose addresses may be others since the set was signed. `gone`: members and standby nodes that this
   * node, a member itself, has not heard for as long as it takes to lose a seat. Nobody signs that.
   */
  'replica-set.get': unary(
    'anyone',
    { owner: key32() },
    {
      replicaSet: document,
      source: anyOf('local', 'network'),
      heard: list(fields({ node: key32(), addresses }), limits.replicaSetMembersMax),
      gone: list(key32(), limits.replicaSetMembersMax * 2),
    },
  ),
  /** Gathers leases and answers, for each shard, the bytes that a device of its owner has to sign. */
  'placement.propose': unary(
    'session',
    {
      owners: list(key32(), limits.placementShardsMax),
      copies: optional(uint(limits.replicaSetMembersMax)),
      bytes: optional(uint()),
      /** Nodes that get no seat, and keep none. */
      except: optional(list(key32(), limits.replicaSetMembersMax)),
      /** Nodes that get a copy beside the others, near where the person is, and for how long. */
      guests: optional(list(key32(), limits.guestsMax)),
      guestS: optional(uint()),
    },
    {
      proposals: list(
        fields({
          owner: key32(),
          unsigned: document,
          leases: list(bytesMax(4096), limits.replicaSetMembersMax),
        }),
        limits.placementShardsMax,
      ),
    },
  ),
  /** Nodes that would take a copy for a while, for the app to measure which is near. */
  'placement.guests': unary(
    'session',
    { owner: key32() },
    {
      nodes: list(
        fields({ node: key32(), addresses, region: text(limits.scopeBytesMax), offersBytes: uint() }),
        apiLimits.peersPerStatusMax,
      ),
    },
  ),
  /** Replica sets that their owners signed. */
  'placement.commit': unary(
    'signed',
    { replicaSets: list(document, limits.placementShardsMax) },
    {
      results: list(
        fields({
          hash: orNull(key32()),
          members: list(key32(), limits.replicaSetMembersMax),
          code: orNull(text(64)),
          message: orNull(text(1024)),
        }),
        limits.placementShardsMax,
      ),
    },
  ),

  // ---- sessions
  'session.challenge': unary(
    'anyone',
    { owner: key32(), device: key32() },
    { node: key32(), nonce: key32(), expiresMs: uint() },
  ),
  /** Answers a bearer token for HTTP; a stream or WebSocket is bound by the call itself. */
  'session.open': unary(
    'signed',
    { owner: key32(), device: key32(), nonce: key32(), expiresMs: uint(), signature: signature64() },
    { token: key32(), lifetimeMs: uint() },
  ),
  'session.close': unary('session', {}, {}),

  // ---- tokens of apps, for an owner's device or the administrator
  /** `grant`: what an owner's device signed, see app-token.ts. The token is told here and never again. */
  'token.grant': unary(
    'session',
    { grant: bytesMax(apiLimits.tokenGrantBytesMax + 128) },
    { id: key32(), token: key32(), expiresMs: uint() },
  ),
  /** Of the session's person, or of everybody for the administrator, unless an owner is named. Newest first. */
  'token.list': unary(
    'session',
    { owner: optional(key32()) },
    {
      tokens: list(
        fields({
          id: key32(),
          owner: key32(),
          device: key32(),
          app: name(),
          label: name(),
          origin: orNull(text(apiLimits.originBytesMax)),
          scopes: list(
            fields({ collection: orNull(name()), access: anyOf('read', 'write') }),
            apiLimits.tokenScopesMax,
          ),
          grantedMs: uint(),
          expiresMs: uint(),
          revokedMs: orNull(uint()),
          /** Since the node started. */
          usedMs: orNull(uint()),
          /** The error that it gets though nobody revoked it: REVOKED where the device that granted it was. */
          refused: orNull(text(64)),
        }),
        apiLimits.tokensPerListMax,
      ),
    },
  ),
  'token.revoke': unary('session', { owner: key32(), id: key32() }, { revoked: boolean() }),

  // ---- administration
  'admin.status': unary(
    'admin',
    // brief: sizes alone, without the replicas of each shard; for programs that look at thousands again and again.
    // only: who lives here, or the copies kept for others, instead of both.
    {
      after: optional(key32()),
      limit: optional(uint(apiLimits.hostedPerStatusMax)),
      brief: optional(boolean()),
      only: optional(anyOf('people', 'copies')),
    },
    {
      node: key32(),
      version: text(64),
      clockMs: uint(),
      uptimeMs: uint(),
      addresses,
      roles: list(text(limits.nameBytesMax), 16),
      region: orNull(text(limits.scopeBytesMax)),
      healthy: boolean(),
      hosted: list(hosted, apiLimits.hostedPerStatusMax),
      hostedTotal: uint(),
      /** How many of them live here. */
      people: uint(),
      next: orNull(key32()),
      peers: list(
        fields({
          node: key32(),
          addresses,
          connected: boolean(),
          latencyMs: orNull(uint()),
          label: orNull(text(64)),
        }),
        apiLimits.peersPerStatusMax,
      ),
      storage: fields({ records: uint(), bytes: uint(), freeBytes: orNull(uint()), folder: text(4096) }),
      aggregates: list(
        fields({
          /** `*` for every app. */
          app: text(limits.nameBytesMax),
          scope: text(limits.scopeBytesMax),
          documents: uint(),
          leaves: uint(),
          freshMs: orNull(uint()),
        }),
        64,
      ),
      outbox: fields({ queued: uint(), oldestMs: orNull(uint()) }),
      dht: fields({ peers: uint(), queued: uint(), provided: uint() }),
      problems: list(problem, apiLimits.problemsMax),
      counters: tally(512),
    },
  ),
  'admin.config': unary(
    'admin',
    {},
    {
      /** Values as JSON text; secrets are never among them. */
      settings: list(
        fields({
          path: text(256),
          value: text(8192),
          source: anyOf('default', 'file', 'environment', 'flag'),
        }),
        apiLimits.settingsMax,
      ),
    },
  ),
  'admin.devices': unary(
    'admin',
    { identity: key32() },
    {
      devices: list(
        fields({
          device: key32(),
          role: text(64),
          probation: boolean(),
          revoked: boolean(),
          label: text(64),
        }),
        limits.identityDevicesMax * 2,
      ),
    },
  ),
  /** Takes identities in: from now on this node accepts their records, within the quota. */
  'admin.host.add': unary(
    'admin',
    {
      hosts: list(
        fields({ log, quotaBytes: optional(uint()), label: optional(text(64)) }, 'closed'),
        apiLimits.hostsPerRequestMax,
      ),
    },
    {
      results: list(
        fields({ identity: orNull(key32()), code: orNull(text(64)), message: orNull(text(1024)) }),
        apiLimits.hostsPerRequestMax,
      ),
    },
  ),
  /** What somebody who lives here may keep: records and files. Less than they have refuses what comes, and takes nothing away. */
  'admin.host.quota': unary('admin', { identity: key32(), quotaBytes: uint() }, { usedBytes: uint() }),
  'admin.host.remove': unary(
    'admin',
    { identities: list(key32(), apiLimits.hostsPerRequestMax) },
    { removed: uint() },
  ),
  /** Peers that are neither dialled nor answered. Kept over restarts, beside what `admin.deny.set` says. The reply tells how many nodes are denied so. */
  'admin.deny.add': unary('admin', { nodes: list(key32(), apiLimits.denyMax) }, { denied: uint() }),
  'admin.deny.remove': unary('admin', { nodes: list(key32(), apiLimits.denyMax) }, { denied: uint() }),
  /** Those that `admin.deny.add` named, ascending. */
  'admin.deny.list': unary('admin', {}, { nodes: list(key32(), apiLimits.denyMax) }),
  /** Replaces a list of more such peers, which a restart forgets. */
  'admin.deny.set': unary('admin', { nodes: list(key32(), apiLimits.denyMax) }, {}),
  // ---- neighbours: who keeps what for whom
  /** Those with whom something is agreed, or who keep or leave shards: the closest first. */
  'admin.neighbours': unary(
    'admin',
    {},
    {
      neighbours: list(neighbour, apiLimits.neighboursMax),
      offers: list(
        fields({ to: text(limits.scopeBytesMax), bytes: uint(), source: anyOf('config', 'offer') }),
        apiLimits.offersMax,
      ),
      /** What this node keeps for others at most, and what of it is leased. */
      offerBytes: uint(),
      leasedBytes: uint(),
      /** Written here and taken up by nobody yet. */
      invitations: uint(),
    },
  ),
  /** Offers to `anyone`, to a place (`/geo/africa/ng`), or to a node by its id. None: 0 bytes. */
  'admin.offer.set': unary('admin', { to: text(limits.scopeBytesMax), bytes: uint() }, {}),
  /** An invitation for a friend's node, good once: what this one keeps for it, and it for this one. */
  'admin.invite': unary(
    'admin',
    {
      givesBytes: uint(),
      getsBytes: uint(),
      lifetimeS: optional(uint(invitationLimits.lifetimeSMax)),
      /** Who it is for. */
      label: optional(text(limits.nameBytesMax)),
    },
    { link: text(invitationLimits.linkLengthMax), lifetimeS: uint() },
  ),
  'admin.invite.accept': unary(
    'admin',
    { link: text(invitationLimits.linkLengthMax * 2), label: optional(text(limits.nameBytesMax)) },
    { node: key32(), label: text(limits.nameBytesMax), givesBytes: uint(), getsBytes: uint() },
  ),
  /** Takes back all that nobody came with yet. */
  'admin.invite.cancel': unary('admin', {}, { cancelled: uint() }),
  /** What was promised holds until it runs out; nothing is promised anew. `shards`: how many are given notice. */
  'admin.pact.end': unary('admin', { node: key32() }, { ended: boolean(), shards: uint() }),
  'admin.leases': unary(
    'admin',
    { after: optional(key32()), limit: optional(uint(apiLimits.hostedPerStatusMax)) },
    { leases: list(leased, apiLimits.hostedPerStatusMax), total: uint(), next: orNull(key32()) },
  ),
  /** Not renewed from now on. */
  'admin.lease.end': unary(
    'admin',
    { owners: list(key32(), apiLimits.hostsPerRequestMax) },
    { ended: uint() },
  ),
  /** Puts shards held here at the head of the queue that announces them in the DHT. `queued`: those not announced yet. */
  'admin.provide': unary(
    'admin',
    { owners: list(key32(), apiLimits.providesPerRequestMax) },
    { queued: uint() },
  ),
  /** For an owner's device on this machine that admits this node: the node's keys, and its proof that it has them. */
  'admin.prove': unary(
    'admin',
    { identity: key32() },
    { node: key32(), box: key32(), possession: signature64() },
  ),
  'admin.stop': unary('admin', {}, {}),
  /**
   * The link of the QR for whoever knows the eleven digits beside it: an OPAQUE log-in (RFC 9807), its messages in base64url as
   * its library makes them. `link` is sealed under the key that it ends with.
   */
  'pair.begin': unary(
    'anyone',
    { request: text(pairingLimits.exchangeBytesMax) },
    { attempt: uint(), response: text(pairingLimits.exchangeBytesMax) },
  ),
  'pair.finish': unary(
    'anyone',
    { attempt: uint(), finish: text(pairingLimits.exchangeBytesMax) },
    { link: bytesMax(2048) },
  ),
  'admin.pair.open': unary(
    'admin',
    { lifetimeS: optional(uint(3600)), quotaBytes: optional(uint()) },
    { pairing: pairingStatus },
  ),
  'admin.pair.show': unary(
    'admin',
    { qr: optional(anyOf('terminal', 'svg')) },
    { pairing: pairingStatus, qr: orNull(text(256 * 1024)) },
  ),
  /** `identity`: who admits the phone; needed when it pairs with the role app. */
  'admin.pair.code': unary(
    'admin',
    { code: text(6), identity: optional(key32()) },
    { pairing: pairingStatus },
  ),
  /** For the role app: the identity log with the entry by which an owner's device admits the pending one. */
  'admin.pair.admit': unary('admin', { log }, { pairing: pairingStatus }),
  'admin.pair.cancel': unary('admin', {}, { pairing: pairingStatus }),
  'admin.pair.unlock': unary('admin', {}, { pairing: pairingStatus }),
} as const

export type OperationName = keyof typeof operations
export type SubscriptionName = {
  [N in OperationName]: (typeof operations)[N] extends { event: object } ? N : never
}[OperationName]
export type UnaryName = Exclude<OperationName, SubscriptionName>
export type RequestOf<N extends OperationName> = Typed<(typeof operations)[N]['request']>
export type ReplyOf<N extends OperationName> = Typed<(typeof operations)[N]['reply']>
export type EventOf<N extends SubscriptionName> = Typed<(typeof operations)[N]['event']>

export function isOperationName(value: unknown): value is OperationName {
  return typeof value === 'string' && Object.hasOwn(operations, value)
}

export function isSubscription(operation: OperationName): operation is SubscriptionName {
  return 'event' in operations[operation]
}

/** Reads a request as the operation declares it, or throws BAD_REQUEST naming the path. */
export function readRequest<N extends OperationName>(operation: N, value: unknown, form: Form): RequestOf<N> {
  return operations[operation].request(value, '', form) as RequestOf<N>
}

/** Reads a node's reply. A node is not trusted: what it sends is bounded and shaped before anything uses it. */
export function readReply<N extends OperationName>(operation: N, value: unknown, form: Form): ReplyOf<N> {
  return operations[operation].reply(value, '', form) as ReplyOf<N>
}

export function readEvent<N extends SubscriptionName>(operation: N, value: unknown, form: Form): EventOf<N> {
  return operations[operation].event(value, '', form) as EventOf<N>
}
