import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { bytes, decodeAs, literal, struct, uint } from '../shape.ts'

/** What a home asks of a host, on an owner's behalf. */
export interface LeaseTerms {
  readonly host: Uint8Array
  readonly owner: Uint8Array
  readonly shard: Uint8Array
  /** The node that asks: the home, or another holder that mends. */
  readonly home: Uint8Array
  readonly askedBytes: number
  /** No longer than this, as for a guest who stays some days; 0: as long as the host gives. */
  readonly askedMs: number
}

/** A host's promise of bytes and time, signed by both: a record within it never fails for space. */
export interface Lease extends LeaseTerms {
  /** No less than was asked. */
  readonly bytes: number
  readonly largestRecordBytes: number
  /** What may be written into it in a day, once as many bytes as the lease has were written. */
  readonly bytesPerDay: number
  /** By the host's clock. */
  readonly expiresMs: number
}

export interface SignedLease extends Lease {
  readonly document: Uint8Array
  readonly signature: Uint8Array
}

const key = bytes(32)
const documentShape = struct({
  context: literal(contexts.lease),
  version: literal(1),
  host: key,
  owner: key,
  shard: key,
  home: key,
  askedBytes: uint(),
  askedMs: uint(),
  asked: bytes(64),
  bytes: uint(),
  largestRecordBytes: uint(),
  bytesPerDay: uint(),
  expiresMs: uint(),
})
const signedShape = struct({ document: bytes(1, 512), signature: bytes(64) })

/** The home's signature under what it asks. */
export function signLeaseAsk(crypto: CryptoProvider, terms: LeaseTerms, homeSeed: Uint8Array): Uint8Array {
  return crypto.sign(askMessage(terms), homeSeed)
}

export function isAskedBy(crypto: CryptoProvider, terms: LeaseTerms, asked: Uint8Array): boolean {
  return crypto.verifyStrict(askMessage(terms), asked, terms.home)
}

/** On the wire: [document, signature of the host]; the document holds the home's. */
export function signLease(
  crypto: CryptoProvider,
  lease: Lease,
  asked: Uint8Array,
  hostSeed: Uint8Array,
): Uint8Array {
  const document = encode([
    contexts.lease,
    1,
    lease.host,
    lease.owner,
    lease.shard,
    lease.home,
    lease.askedBytes,
    lease.askedMs,
    asked,
    lease.bytes,
    lease.largestRecordBytes,
    lease.bytesPerDay,
    lease.expiresMs,
  ])
  return encode([document, crypto.sign(signedMessage(contexts.lease, document), hostSeed)])
}

/** Undefined when the host or the home did not sign it. Throws BAD_MESSAGE when it is not a lease at all. */
export function verifyLease(crypto: CryptoProvider, packed: Uint8Array): SignedLease | undefined {
  const { asked, ...lease } = readLease(packed)
  const { document, signature } = lease
  if (!crypto.verifyStrict(signedMessage(contexts.lease, document), signature, lease.host)) return undefined
  return isAskedBy(crypto, lease, asked) ? lease : undefined
}

/** Of a lease that was verified before, as it lies on the disk. */
export function readLease(packed: Uint8Array): SignedLease & { readonly asked: Uint8Array } {
  const { document, signature } = decodeAs(signedShape, packed, 'lease')
  const { context: _, version: __, ...lease } = decodeAs(documentShape, document, 'lease')
  return { ...lease, document, signature }
}

function askMessage({ host, owner, shard, home, askedBytes, askedMs }: LeaseTerms): Uint8Array {
  return signedMessage(
    contexts.leaseAsk,
    encode([contexts.leaseAsk, 1, host, owner, shard, home, askedBytes, askedMs]),
  )
}
