import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { bytes, decodeAs, literal, struct, uint } from '../shape.ts'

/** A host's signed promise of bytes and time: a record within it never fails for space. */
export interface Lease {
  /** Who promises. */
  readonly host: Uint8Array
  readonly owner: Uint8Array
  readonly shard: Uint8Array
  /** The home node that asked on the owner's behalf. */
  readonly home: Uint8Array
  readonly bytes: number
  readonly largestRecordBytes: number
  readonly expiresMs: number
}

export interface SignedLease extends Lease {
  readonly document: Uint8Array
  readonly signature: Uint8Array
}

const documentShape = struct({
  context: literal(contexts.lease),
  version: literal(1),
  host: bytes(32),
  owner: bytes(32),
  shard: bytes(32),
  home: bytes(32),
  bytes: uint(),
  largestRecordBytes: uint(),
  expiresMs: uint(),
})
const signedShape = struct({ document: bytes(1, 512), signature: bytes(64) })

/** On the wire: [document, signature], signed by the host. */
export function signLease(crypto: CryptoProvider, lease: Lease, hostSeed: Uint8Array): Uint8Array {
  const document = encode([
    contexts.lease,
    1,
    lease.host,
    lease.owner,
    lease.shard,
    lease.home,
    lease.bytes,
    lease.largestRecordBytes,
    lease.expiresMs,
  ])
  return encode([document, crypto.sign(signedMessage(contexts.lease, document), hostSeed)])
}

/** Undefined when the host did not sign it. Throws BAD_MESSAGE when it is not a lease at all. */
export function verifyLease(crypto: CryptoProvider, packed: Uint8Array): SignedLease | undefined {
  const { document, signature } = decodeAs(signedShape, packed, 'lease')
  const { context: _, version: __, ...lease } = decodeAs(documentShape, document, 'lease')
  if (!crypto.verifyStrict(signedMessage(contexts.lease, document), signature, lease.host)) return undefined
  return { ...lease, document, signature }
}
