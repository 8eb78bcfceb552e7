import { compareBytes, equalBytes, toHex } from '../bytes.ts'
import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { array, bytes, choice, decodeAs, literal, nullable, struct, text, tuple, uint } from '../shape.ts'

/** A node that holds, or stands by to hold, a shard. */
export interface Seat {
  /** Ed25519 public key, 32 bytes. */
  readonly node: Uint8Array
  readonly role: 'home' | 'replica' | 'guest'
  /** Multiaddrs; the one that ends in /http is where the API answers. */
  readonly addresses: readonly string[]
  /** Who runs it: seats of one set never share an operator. */
  readonly operator: string
  /** Scope of the place it stands in. */
  readonly region: string
}

/** Who holds a shard, agreed to by the holders: numbered, signed, each naming its predecessor. */
export interface ReplicaSet {
  readonly owner: Uint8Array
  /** The owner's id, or the hash of the scope or field value that names the shard. */
  readonly shard: Uint8Array
  /** Raised only by the owner's devices. */
  readonly epoch: number
  /** Raised by the members within an epoch. */
  readonly step: number
  /** Hash of the set before this one; undefined for the first. */
  readonly previous: Uint8Array | undefined
  readonly members: readonly Seat[]
  /** Signed by the owner at the start of the epoch; members may seat nobody else. */
  readonly standby: readonly Seat[]
  /** How many copies beside the home. */
  readonly copies: number
  readonly expiresMs: number
}

export interface SignedReplicaSet extends ReplicaSet {
  /** Names the set: SHA-256 of what is signed. */
  readonly hash: Uint8Array
  readonly document: Uint8Array
  readonly signatures: readonly { readonly key: Uint8Array; readonly signature: Uint8Array }[]
}

const seat = struct({
  node: bytes(32),
  role: choice('home', 'replica', 'guest'),
  addresses: array(text(256), limits.addressesPerNodeMax),
  operator: text(limits.nameBytesMax),
  region: text(limits.scopeBytesMax),
})
const documentShape = struct({
  context: literal(contexts.replicaSet),
  version: literal(1),
  owner: bytes(32),
  shard: bytes(32),
  epoch: uint(),
  step: uint(),
  previous: nullable(bytes(32)),
  members: array(seat, limits.replicaSetMembersMax, 1),
  standby: array(seat, limits.replicaSetMembersMax),
  copies: uint(limits.replicaSetMembersMax),
  expiresMs: uint(),
})
const signedShape = struct({
  document: bytes(1, limits.replicaSetBytesMax),
  signatures: array(tuple(bytes(32), bytes(64)), limits.replicaSetMembersMax),
})
const roles = ['home', 'replica', 'guest'] as const

export function encodeReplicaSet(set: ReplicaSet): Uint8Array {
  return encode([
    contexts.replicaSet,
    1,
    set.owner,
    set.shard,
    set.epoch,
    set.step,
    set.previous ?? null,
    set.members.map(seatItems),
    set.standby.map(seatItems),
    set.copies,
    set.expiresMs,
  ])
}

/** The document a signer is shown, before anybody signed. */
export function decodeReplicaSet(document: Uint8Array): ReplicaSet {
  const {
    context: _,
    version: __,
    ...set
  } = decodeAs(documentShape, document, 'replicaSet', {
    bytesMax: limits.replicaSetBytesMax,
  })
  const nodes = set.members.map((member) => toHex(member.node))
  if (new Set(nodes).size !== nodes.length) {
    throw new OnehopError('BAD_MESSAGE', 'replicaSet.members: a node is seated twice')
  }
  return set
}

export function signReplicaSet(
  crypto: CryptoProvider,
  document: Uint8Array,
  seed: Uint8Array,
): { key: Uint8Array; signature: Uint8Array } {
  return {
    key: crypto.signingPublicKey(seed),
    signature: crypto.sign(signedMessage(contexts.replicaSet, document), seed),
  }
}

export function packReplicaSet(
  document: Uint8Array,
  signatures: readonly { key: Uint8Array; signature: Uint8Array }[],
): Uint8Array {
  return encode([document, signatures.map(({ key, signature }) => [key, signature])])
}

/** Well-formed; whose signatures these are is for {@link checkReplicaSet} to say. */
export function unpackReplicaSet(crypto: CryptoProvider, packed: Uint8Array): SignedReplicaSet {
  const { document, signatures } = decodeAs(signedShape, packed, 'replicaSet', {
    bytesMax: limits.replicaSetBytesMax * 2,
  })
  return {
    ...decodeReplicaSet(document),
    hash: crypto.sha256(signedMessage(contexts.replicaSet, document)),
    document,
    signatures: signatures.map(([key, signature]) => ({ key, signature })),
  }
}

/**
 * Nobody signs or takes a set of a later epoch: a stolen device, or a home that has its owner's app sign, would have the last word for
 * ever by the largest number. It rises by one a signature, and by this there is room for another a second later.
 */
export function epochMax(nowMs: number): number {
  return 2 ** 20 + Math.max(0, Math.floor(nowMs / 1_000))
}

/** Newest first by (epoch, step, lower hash). */
export function compareReplicaSets(a: SignedReplicaSet, b: SignedReplicaSet): number {
  return b.epoch - a.epoch || b.step - a.step || compareBytes(a.hash, b.hash)
}

/** Whether a key is one of the owner's devices that may place shards. */
export type IsOwnerDevice = (key: Uint8Array) => boolean

/**
 * Undefined when the set stands, else what is wrong. A step of 0 needs a signature of the owner's device. A later
 * step needs its predecessor, and signatures of its members: a majority to take a seat away, two (or as many as
 * there are) to add one from the owner's standby list; one seat of each a step, and all others as they were.
 */
export function checkReplicaSet(
  crypto: CryptoProvider,
  set: SignedReplicaSet,
  isOwnerDevice: IsOwnerDevice,
  previous: SignedReplicaSet | undefined,
): string | undefined {
  const message = signedMessage(contexts.replicaSet, set.document)
  const signers = new Map<string, Uint8Array>()
  for (const { key, signature } of set.signatures) {
    if (!crypto.verifyStrict(message, signature, key)) return 'a signature does not verify'
    signers.set(toHex(key), key)
  }
  if (set.step === 0) {
    return [...signers.values()].some(isOwnerDevice) ? undefined : "no device of the owner's signed it"
  }
  if (previous === undefined) return 'its predecessor is not known'
  return checkStep(set, previous, new Set(signers.keys()))
}

function checkStep(
  set: SignedReplicaSet,
  previous: SignedReplicaSet,
  signers: ReadonlySet<string>,
): string | undefined {
  const problem = stepProblem(set, previous)
  if (problem !== undefined) return problem
  const signed = previous.members.filter((member) => signers.has(toHex(member.node))).length
  const needed = signaturesNeeded(set, previous)
  return signed >= needed ? undefined : `${needed} members must sign, ${signed} did`
}

/** What is wrong with a step, whoever signs it: a member asks this before it does. */
export function stepProblem(set: ReplicaSet, previous: SignedReplicaSet): string | undefined {
  if (set.previous === undefined || !equalBytes(set.previous, previous.hash))
    return 'it names another predecessor'
  if (set.epoch !== previous.epoch || set.step !== previous.step + 1) return 'it skips a step'
  if (!equalBytes(set.owner, previous.owner) || !equalBytes(set.shard, previous.shard)) return 'another shard'
  if (set.copies !== previous.copies || set.expiresMs !== previous.expiresMs)
    return 'a step changes the policy'

  const { added, removed } = seatChanges(set, previous)
  if (added.length > 1 || removed.length > 1) return 'more than one seat changes in a step'
  if (added.length + removed.length === 0) return 'nothing changes'
  const allowed = new Map(previous.standby.map((one) => [toHex(one.node), one]))
  if (added.some((member) => !isSameSeat(member, allowed.get(toHex(member.node)))))
    return 'the added node is not on the standby list'
  if (set.standby.some((one) => !isSameSeat(one, allowed.get(toHex(one.node)))))
    return 'a step widens the standby list'
  // Whoever comes first leads, guests may go, and apps dial what a seat says: two members could turn all others out by an addition.
  const staying = previous.members.filter((one) => !removed.includes(one))
  if (!staying.every((one, place) => isSameSeat(one, set.members[place])))
    return 'a step changes a seat that stays'
  return undefined
}

function isSameSeat(a: Seat, b: Seat | undefined): boolean {
  return b !== undefined && equalBytes(encode(seatItems(a)), encode(seatItems(b)))
}

function seatItems({ node, role, addresses, operator, region }: Seat): unknown[] {
  return [node, roles.indexOf(role), addresses, operator, region]
}

/** Which nodes a set seats that its predecessor did not, and the other way round. */
export function seatChanges(set: ReplicaSet, previous: ReplicaSet): { added: Seat[]; removed: Seat[] } {
  const before = new Set(previous.members.map((member) => toHex(member.node)))
  const after = new Set(set.members.map((member) => toHex(member.node)))
  return {
    added: set.members.filter((member) => !before.has(toHex(member.node))),
    removed: previous.members.filter((member) => !after.has(toHex(member.node))),
  }
}

/** How many of the members before a step must sign it: a majority to remove, two (or the one) to add. */
export function signaturesNeeded(set: ReplicaSet, previous: ReplicaSet): number {
  const members = previous.members.length
  return seatChanges(set, previous).removed.length > 0 ? Math.floor(members / 2) + 1 : Math.min(2, members)
}
