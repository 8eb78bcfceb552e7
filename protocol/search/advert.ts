import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { limits } from '../limits.ts'
import { scopeShape } from '../scope.ts'
import { array, boolean, bytes, decodeAs, literal, nullable, struct, text, uint } from '../shape.ts'
import { searchLimits } from './limits.ts'

/** What an aggregator says of itself, signed by its node: who is asked for a scope is chosen from these. */
export interface Advert {
  readonly node: Uint8Array
  readonly app: string
  readonly scope: string
  readonly collections: readonly string[]
  /** Multiaddrs. */
  readonly addresses: readonly string[]
  readonly documents: number
  readonly sources: number
  readonly sourcesCurrent: number
  /** Every registered source was current, at `asOfMs`. */
  readonly complete: boolean
  readonly asOfMs: number
  /** Hits it gives in one answer. */
  readonly hitsMax: number
  /** SHA-256 of the list of what it leaves out, so that leaving out is visible. */
  readonly blockList: Uint8Array | undefined
  readonly expiresMs: number
}

export interface SignedAdvert extends Advert {
  /** As it travels: [document, signature]. */
  readonly packed: Uint8Array
}

const documentShape = struct({
  context: literal(contexts.advert),
  version: literal(1),
  node: bytes(32),
  app: text(limits.nameBytesMax, 1),
  scope: scopeShape,
  collections: array(text(limits.nameBytesMax, 1), searchLimits.collectionsMax),
  addresses: array(text(256, 1), limits.addressesPerNodeMax),
  documents: uint(),
  sources: uint(),
  sourcesCurrent: uint(),
  complete: boolean,
  asOfMs: uint(),
  hitsMax: uint(searchLimits.hitsMax, 1),
  blockList: nullable(bytes(32)),
  expiresMs: uint(),
})
const signedShape = struct({ document: bytes(1, searchLimits.advertBytesMax), signature: bytes(64) })

export function signAdvert(crypto: CryptoProvider, advert: Advert, nodeSeed: Uint8Array): Uint8Array {
  const document = encode([
    contexts.advert,
    1,
    advert.node,
    advert.app,
    advert.scope,
    advert.collections,
    advert.addresses,
    advert.documents,
    advert.sources,
    advert.sourcesCurrent,
    advert.complete,
    advert.asOfMs,
    advert.hitsMax,
    advert.blockList ?? null,
    advert.expiresMs,
  ])
  return encode([document, crypto.sign(signedMessage(contexts.advert, document), nodeSeed)])
}

/** Undefined when the node did not sign it. Throws BAD_MESSAGE when it is not an advert at all. */
export function verifyAdvert(
  crypto: Pick<CryptoProvider, 'verifyStrict'>,
  packed: Uint8Array,
): SignedAdvert | undefined {
  const { document, signature } = decodeAs(signedShape, packed, 'advert')
  const { context: _, version: __, ...advert } = decodeAs(documentShape, document, 'advert')
  if (!crypto.verifyStrict(signedMessage(contexts.advert, document), signature, advert.node)) return undefined
  return { ...advert, packed }
}
