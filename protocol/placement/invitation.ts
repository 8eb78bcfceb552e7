/**
 * What a person sends a friend who has a box too: `onehop-invitation:` and base64url of the CBOR array
 * [version, node key, secret, addresses, bytes that the inviter keeps, bytes that the invited keeps, name, lifetime in seconds].
 * It is good once, for whoever comes first: it is sent as a letter is, not posted on a wall.
 */
import { fromBase64Url, toBase64Url } from '../bytes.ts'
import { decode, encode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { array, bytes, parse, struct, text, uint } from '../shape.ts'

export interface Invitation {
  /** The inviter's node. */
  readonly node: Uint8Array
  readonly secret: Uint8Array
  readonly addresses: readonly string[]
  readonly inviterBytes: number
  readonly invitedBytes: number
  /** What the inviter calls itself. */
  readonly name: string
  /** A duration: the clocks of two boxes need not agree. */
  readonly lifetimeS: number
}

export const invitationLimits = {
  secretBytes: 16,
  linkLengthMax: 4_096,
  lifetimeSMax: 90 * 86_400,
  /** Open at a time, at one node. */
  openMax: 256,
} as const

const version = 1
const scheme = 'onehop-invitation:'

const shape = struct({
  version: uint(),
  node: bytes(32),
  secret: bytes(invitationLimits.secretBytes),
  addresses: array(text(256, 1), limits.addressesPerNodeMax),
  inviterBytes: uint(),
  invitedBytes: uint(),
  name: text(limits.nameBytesMax),
  lifetimeS: uint(invitationLimits.lifetimeSMax, 1),
})

export function invitationLink(invitation: Invitation): string {
  const { node, secret, addresses, inviterBytes, invitedBytes, name, lifetimeS } = invitation
  const items = [version, node, secret, addresses, inviterBytes, invitedBytes, name, lifetimeS]
  return `${scheme}${toBase64Url(encode(items))}`
}

/** Spaces and line ends that a letter put in are no matter. Throws BAD_MESSAGE, TOO_LARGE or, for a later version, UNSUPPORTED. */
export function parseInvitation(text_: string): Invitation {
  const link = text_.replaceAll(/\s/g, '')
  if (link.length > invitationLimits.linkLengthMax)
    throw new OnehopError('TOO_LARGE', 'the invitation is too long')
  const packed = link.startsWith(scheme) ? fromBase64Url(link.slice(scheme.length)) : undefined
  if (packed === undefined)
    throw new OnehopError('BAD_MESSAGE', 'this is no invitation', {
      help: `An invitation begins with ${scheme} and is made by onehop invite.`,
    })
  const value = decode(packed, { bytesMax: invitationLimits.linkLengthMax, depthMax: 2, itemsMax: 32 })
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] > version)
    throw new OnehopError('UNSUPPORTED', 'the invitation is of a later version', {
      help: 'Update onehop, then take it again.',
    })
  const { version: given, ...invitation } = parse(shape, value, 'invitation')
  if (given !== version) throw new OnehopError('BAD_MESSAGE', `invitation of version ${given}`)
  return invitation
}
