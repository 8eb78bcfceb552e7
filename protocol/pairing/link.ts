/**
 * The link in the QR: `http://HOST:PORT/phone/#p=` and base64url of the CBOR array
 * [version, node key, secret, addresses, lifetime in seconds]. A fragment never leaves the browser that opens it.
 * The lifetime is a duration, because the clocks of phone and node need not agree.
 */
import { fromBase64Url, toBase64Url } from '../bytes.ts'
import { decode, encode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { array, bytes, parse, struct, text, uint } from '../shape.ts'
import { pairingLimits } from './limits.ts'

export interface PairingOffer {
  /** The node's Ed25519 key: whom the phone must find at the other end. */
  readonly node: Uint8Array
  readonly secret: Uint8Array
  /** Multiaddrs without the /p2p part. */
  readonly addresses: readonly string[]
  readonly lifetimeS: number
}

const version = 1
const marker = '#p='

const offerShape = struct({
  version: uint(),
  node: bytes(32),
  secret: bytes(pairingLimits.secretBytes),
  addresses: array(text(pairingLimits.addressBytesMax, 1), limits.addressesPerNodeMax),
  lifetimeS: uint(pairingLimits.lifetimeSMax, 1),
})

/** `page` is the phone page's address, without a fragment. */
export function pairingLink(page: string, offer: PairingOffer): string {
  const fragment = [version, offer.node, offer.secret, offer.addresses, offer.lifetimeS]
  const link = `${page}${marker}${toBase64Url(encode(fragment))}`
  if (link.length > pairingLimits.linkLengthMax) {
    throw new OnehopError('TOO_LARGE', 'the pairing link is too long for a QR: announce fewer addresses')
  }
  return link
}

/** Takes a whole link, or the fragment alone. Throws BAD_MESSAGE, TOO_LARGE or, for a later version, UNSUPPORTED. */
export function parsePairingLink(link: string): PairingOffer {
  if (link.length > pairingLimits.linkLengthMax)
    throw new OnehopError('TOO_LARGE', 'the pairing link is too long')
  const at = link.indexOf(marker)
  const fragment = at === -1 ? undefined : fromBase64Url(link.slice(at + marker.length))
  if (fragment === undefined) throw new OnehopError('BAD_MESSAGE', 'this is no pairing link')
  const value = decode(fragment, { bytesMax: pairingLimits.linkLengthMax, depthMax: 2, itemsMax: 32 })
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] > version) {
    throw new OnehopError('UNSUPPORTED', 'the pairing link is of a later version', {
      help: 'Update this app, then scan again.',
    })
  }
  const { version: given, ...offer } = parse(offerShape, value, 'link')
  if (given !== version) throw new OnehopError('BAD_MESSAGE', `pairing link of version ${given}`)
  return offer
}
