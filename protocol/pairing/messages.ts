/**
 * Messages of /onehop/pair/1: CBOR arrays [tag, [field...]], each behind its length. See protocol/README.md.
 */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { bytes, choice, decodeAs, struct, text, uint, variant } from '../shape.ts'
import { pairingLimits } from './limits.ts'

const roles = ['owner', 'app'] as const
/** owner: the phone holds the identity and admits the node. app: an owner's device admits the phone. */
export type PairingRole = (typeof roles)[number]

export type PairingMessage =
  /** phone: I scanned the QR, this is who I am. */
  | {
      readonly type: 'hello'
      readonly version: number
      readonly device: Uint8Array
      readonly box: Uint8Array
      readonly role: PairingRole
      readonly label: string
      readonly proof: Uint8Array
    }
  /** node */
  | { readonly type: 'commit'; readonly commitment: Uint8Array }
  /** phone */
  | { readonly type: 'nonce'; readonly nonce: Uint8Array }
  /** node */
  | { readonly type: 'reveal'; readonly nonce: Uint8Array }
  /** node: the right code was typed. Its X25519 key, for the phone to admit. */
  | { readonly type: 'confirmed'; readonly box: Uint8Array }
  /** Either side: show that you are willing to be admitted to this identity (possessionMessage of identity/entry.ts). */
  | { readonly type: 'possess'; readonly identity: Uint8Array }
  | { readonly type: 'possession'; readonly signature: Uint8Array }
  /** From the phone: the log that admits the node. From the node: the log that admits the app's key. */
  | { readonly type: 'identity'; readonly log: Uint8Array }
  /** node: the identity is hosted. */
  | { readonly type: 'done'; readonly identity: Uint8Array }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }

const names = [
  'hello',
  'commit',
  'nonce',
  'reveal',
  'confirmed',
  'possess',
  'possession',
  'identity',
  'done',
  'failed',
] as const

const nonce = bytes(pairingLimits.nonceBytes)

const shape = variant({
  0: struct({
    version: uint(),
    device: bytes(32),
    box: bytes(32),
    role: choice(...roles),
    label: text(pairingLimits.labelBytesMax),
    proof: bytes(32),
  }),
  1: struct({ commitment: bytes(32) }),
  2: struct({ nonce }),
  3: struct({ nonce }),
  4: struct({ box: bytes(32) }),
  5: struct({ identity: bytes(32) }),
  6: struct({ signature: bytes(64) }),
  7: struct({ log: bytes(1, limits.personLogBytesMax) }),
  8: struct({ identity: bytes(32) }),
  9: struct({ code: text(64), message: text(1024) }),
})

export function encodePairingMessage(message: PairingMessage): Uint8Array {
  return encode([names.indexOf(message.type), fieldsOf(message)])
}

function fieldsOf(message: PairingMessage): readonly unknown[] {
  switch (message.type) {
    case 'hello': {
      const { version, device, box, role, label, proof } = message
      return [version, device, box, roles.indexOf(role), label, proof]
    }
    case 'commit':
      return [message.commitment]
    case 'nonce':
    case 'reveal':
      return [message.nonce]
    case 'confirmed':
      return [message.box]
    case 'possession':
      return [message.signature]
    case 'identity':
      return [message.log]
    case 'possess':
    case 'done':
      return [message.identity]
    case 'failed':
      return [message.code, message.message]
  }
}

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodePairingMessage(encoded: Uint8Array): PairingMessage {
  const bounds = { bytesMax: pairingLimits.messageBytesMax, depthMax: 3, itemsMax: 16 }
  const { tag, value } = decodeAs(shape, encoded, 'pairing', bounds)
  return { type: names[tag], ...value } as PairingMessage
}
