/** The pieces that several operations share. */
import { limits } from '../limits.ts'
import { pairingLimits } from '../pairing/limits.ts'
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
  text,
  uint,
} from './fields.ts'
import type { Typed } from './fields.ts'
import { apiLimits } from './limits.ts'

/** Where a record stands in its shard's order. */
export const ref = fields({ clock: bigUint(), id: key32() })

/** Numbers seen per device: a node that has not seen them catches up first or answers LAGGING. */
export const seen = list(
  fields({
    device: key32(),
    intervals: list(fields({ first: uint(), last: uint() }), apiLimits.seenIntervalsMax),
  }),
  apiLimits.seenDevicesMax,
)

export const record = bytesMax(limits.recordBytesMax)
export const log = bytesMax(limits.identityLogBytesMax)
/** Of the members of a group. */
export const people = list(log, limits.identityPeopleMax)
export const document = bytesMax(limits.frameBytesMax)
export const addresses = list(text(256), limits.addressesPerNodeMax)

/** Where a live query or feed is: a position in one source's arrival log, of one epoch of that log. */
export const position = fields({ source: key32(), epoch: uint(), position: uint() })

/** From the newest record to the oldest that is older than `before` and newer than `after`. */
export const range = {
  limit: optional(uint(limits.listItemsMax)),
  before: optional(ref),
  after: optional(ref),
}

/** What most requests about records name. */
export const item = { app: name(), collection: name() }

export const problem = fields({ code: text(64), message: text(1024), help: text(1024), sinceMs: uint() })

const replicaHealth = fields({
  node: key32(),
  /**
   * behind: heard, but not known to have all that this node has; away: no hello for over two heartbeats; failed: it could not show that
   * it has the records, and another takes its seat.
   */
  state: anyOf('current', 'behind', 'away', 'joining', 'failed'),
  /** For how long it has been away; 0 when it is not. */
  lastSeenMs: orNull(uint()),
})

export const hosted = fields({
  identity: key32(),
  /** Lives here; else it is a copy, kept under a lease. */
  person: boolean(),
  label: orNull(text(limits.nameBytesMax)),
  records: uint(),
  bytes: uint(),
  quotaBytes: uint(),
  replicas: list(replicaHealth, limits.replicaSetMembersMax),
  /** Copies that are known to be current, this node's own among them. */
  copies: uint(),
  copiesWanted: uint(),
})

/** What one side keeps for the other. */
const keeping = fields({
  shards: uint(),
  /** Of records and files that are there. */
  bytes: uint(),
  /** By leases. */
  reservedBytes: uint(),
  /** Shards whose copy is not known to be current. */
  behind: uint(),
})

export const neighbour = fields({
  node: key32(),
  /** What this node calls it; empty where nobody said. */
  label: text(limits.nameBytesMax),
  region: orNull(text(limits.scopeBytesMax)),
  connected: boolean(),
  /** 0 while it is heard. */
  awayMs: uint(),
  latencyMs: orNull(uint()),
  pact: orNull(fields({ givesBytes: uint(), getsBytes: uint(), madeMs: uint() })),
  /** What it keeps for those who live here. */
  keeps: keeping,
  /** What this node keeps for shards that it brought. */
  kept: keeping,
  /** What it says that it would still take. */
  offersBytes: uint(),
})

/** What was promised for one shard. */
export const leased = fields({
  owner: key32(),
  person: boolean(),
  label: orNull(text(limits.nameBytesMax)),
  /** By this node; null for who lives here. */
  given: orNull(
    fields({
      home: key32(),
      bytes: uint(),
      usedBytes: uint(),
      largestRecordBytes: uint(),
      bytesPerDay: uint(),
      expiresMs: uint(),
      /** Not renewed any more. */
      notice: boolean(),
    }),
  ),
  /** By others, to this node. `refused`: the host will not renew it. */
  taken: list(
    fields({ host: key32(), bytes: uint(), expiresMs: uint(), refused: boolean() }),
    limits.replicaSetMembersMax,
  ),
})

export const pairingStatus = fields({
  state: anyOf(
    'closed',
    'waiting',
    'exchanging',
    'code',
    'confirmed',
    'awaiting-admission',
    'paired',
    'burnt',
    'locked',
  ),
  link: orNull(text(2048)),
  /** Eleven digits to type where the link cannot be scanned; null once somebody used them, or tried too often. */
  typedCode: orNull(text(pairingLimits.typedDigits)),
  remainingMs: orNull(uint()),
  /** Why a burnt one burnt: wrong-code, second-scan, expired, cancelled, broken-exchange, phone-gone, no-owner. */
  reason: orNull(text(64)),
  /** Of the phone that scanned; its label is its own claim. */
  role: orNull(anyOf('owner', 'app')),
  label: orNull(text(limits.nameBytesMax)),
  /** Where the state is awaiting-admission: what the owner's device must sign an admission for. */
  pending: orNull(
    fields({
      device: key32(),
      box: key32(),
      identity: key32(),
      /** Null until the phone has proven its keys. */
      possession: orNull(signature64()),
    }),
  ),
  identity: orNull(key32()),
})

export type PairingStatus = Typed<typeof pairingStatus>
export type LivePosition = Typed<typeof position>
