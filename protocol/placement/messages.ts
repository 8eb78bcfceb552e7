/** What nodes say to each other about who holds which shard. Methods `shard/hello` to `shard/sign-step`. */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { array, boolean, bytes, decodeAs, nullable, struct, text, uint, type Typed } from '../shape.ts'

const id = bytes(32)
const chain = bytes(1, limits.frameBytesMax)
const log = bytes(1, limits.identityLogBytesMax)

const helloShape = struct({
  region: text(limits.scopeBytesMax),
  operator: text(limits.nameBytesMax),
  addresses: array(text(256), limits.addressesPerNodeMax),
  roles: array(text(limits.nameBytesMax), 8),
  /** Bytes that it would lease to the one it says hello to. */
  offeredBytes: uint(),
  clockMs: uint(),
})
export type Hello = Typed<typeof helloShape>

export function encodeHello(hello: Hello): Uint8Array {
  const { region, operator, addresses, roles, offeredBytes, clockMs } = hello
  return encode([region, operator, addresses, roles, offeredBytes, clockMs])
}

export function decodeHello(body: Uint8Array): Hello {
  return decodeAs(helloShape, body, 'hello')
}

/** With the home's signature under it: see lease.ts. */
const leaseAsk = struct({ owner: id, shard: id, bytes: uint(), lastsMs: uint(), signature: bytes(64) })
export type LeaseAsk = Typed<typeof leaseAsk>

export function encodeLeaseAsks(asks: readonly LeaseAsk[]): Uint8Array {
  return encode(asks.map((ask) => [ask.owner, ask.shard, ask.bytes, ask.lastsMs, ask.signature]))
}

export function decodeLeaseAsks(body: Uint8Array): LeaseAsk[] {
  return decodeAs(array(leaseAsk, limits.placementShardsMax), body, 'leases')
}

/** In the order asked; undefined where the host refuses. */
export function encodeLeases(leases: readonly (Uint8Array | undefined)[]): Uint8Array {
  return encode(leases.map((lease) => lease ?? null))
}

export function decodeLeases(body: Uint8Array): (Uint8Array | undefined)[] {
  return decodeAs(array(nullable(bytes(1, 1024)), limits.placementShardsMax), body, 'leases')
}

/** A replica set with what is needed to check it: the owner's log, and where the owner is a group its members' logs. */
const placed = struct({ chain, log, people: array(log, limits.identityPeopleMax) })
export type Placed = Typed<typeof placed>

export function encodePlaced(many: readonly (Placed | undefined)[]): Uint8Array {
  return encode(many.map((one) => (one === undefined ? null : [one.chain, one.log, one.people])))
}

export function placedBytes({ chain: packed, log: own, people }: Placed): number {
  return people.reduce((sum, one) => sum + one.length + 5, packed.length + own.length + 20)
}

export function decodePlaced(body: Uint8Array): (Placed | undefined)[] {
  return decodeAs(array(nullable(placed), limits.placementShardsMax), body, 'replicaSets')
}

/** `take` is answered with one flag per replica set: kept, or refused. */
export function encodeTaken(taken: readonly boolean[]): Uint8Array {
  return encode(taken)
}

export function decodeTaken(body: Uint8Array): boolean[] {
  return decodeAs(array(boolean, limits.placementShardsMax), body, 'taken')
}

export function encodeIds(ids: readonly Uint8Array[]): Uint8Array {
  return encode(ids)
}

export function decodeIds(body: Uint8Array): Uint8Array[] {
  return decodeAs(array(id, limits.placementShardsMax), body, 'ids')
}

/** Documents of steps that the asker wants signed; the answers are signatures, undefined for a refusal. */
export function encodeSteps(documents: readonly Uint8Array[]): Uint8Array {
  return encode(documents)
}

export function decodeSteps(body: Uint8Array): Uint8Array[] {
  return decodeAs(array(bytes(1, limits.replicaSetBytesMax), limits.placementShardsMax), body, 'steps')
}

export function encodeStepSignatures(signatures: readonly (Uint8Array | undefined)[]): Uint8Array {
  return encode(signatures.map((signature) => signature ?? null))
}

export function decodeStepSignatures(body: Uint8Array): (Uint8Array | undefined)[] {
  return decodeAs(array(nullable(bytes(64)), limits.placementShardsMax), body, 'signatures')
}
