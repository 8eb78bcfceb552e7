import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { limits } from '../limits.ts'
import { bytes, decodeAs, literal, struct, text, uint } from '../shape.ts'

/** What two neighbours agreed on: how much each keeps for the other. A gift is a pact in which one of them keeps nothing. */
export interface Pact {
  /** Who wrote the invitation. */
  readonly inviter: Uint8Array
  /** Who came with it. */
  readonly invited: Uint8Array
  readonly inviterBytes: number
  readonly invitedBytes: number
  readonly madeMs: number
}

export interface SignedPact extends Pact {
  /** On the wire: [document, signature of the inviter, signature of the invited]. */
  readonly packed: Uint8Array
}

const key = bytes(32)
const signature = bytes(64)
const documentShape = struct({
  context: literal(contexts.pact),
  version: literal(1),
  inviter: key,
  invited: key,
  inviterBytes: uint(),
  invitedBytes: uint(),
  madeMs: uint(),
})
const signedShape = struct({ document: bytes(1, 256), inviter: signature, invited: signature })

export function encodePact({ inviter, invited, inviterBytes, invitedBytes, madeMs }: Pact): Uint8Array {
  return encode([contexts.pact, 1, inviter, invited, inviterBytes, invitedBytes, madeMs])
}

/** Throws BAD_MESSAGE when it is no pact. */
export function decodePact(document: Uint8Array): Pact {
  const { context: _, version: __, ...pact } = decodeAs(documentShape, document, 'pact')
  return pact
}

export function signPact(crypto: CryptoProvider, document: Uint8Array, seed: Uint8Array): Uint8Array {
  return crypto.sign(signedMessage(contexts.pact, document), seed)
}

export function isPactOf(
  crypto: CryptoProvider,
  document: Uint8Array,
  signed: Uint8Array,
  node: Uint8Array,
): boolean {
  return crypto.verifyStrict(signedMessage(contexts.pact, document), signed, node)
}

/** Undefined when one of the two did not sign it. Throws BAD_MESSAGE when it is no pact at all. */
export function verifyPact(crypto: CryptoProvider, packed: Uint8Array): SignedPact | undefined {
  const { document, inviter, invited } = decodeAs(signedShape, packed, 'pact')
  const pact = decodePact(document)
  const isSigned =
    isPactOf(crypto, document, inviter, pact.inviter) && isPactOf(crypto, document, invited, pact.invited)
  return isSigned ? { ...pact, packed } : undefined
}

export function packPact(document: Uint8Array, inviter: Uint8Array, invited: Uint8Array): Uint8Array {
  return encode([document, inviter, invited])
}

const askShape = struct({
  secret: bytes(16),
  /** What the asker calls itself. */
  label: text(limits.nameBytesMax),
  document: bytes(1, 256),
  signature,
})

/** Whoever was invited comes with the invitation's secret and the pact, signed. */
export interface PactAsk {
  readonly secret: Uint8Array
  readonly label: string
  readonly document: Uint8Array
  readonly signature: Uint8Array
}

export function encodePactAsk(ask: PactAsk): Uint8Array {
  return encode([ask.secret, ask.label, ask.document, ask.signature])
}

export function decodePactAsk(body: Uint8Array): PactAsk {
  return decodeAs(askShape, body, 'pact')
}

/** The answer: the inviter's signature. */
export function encodePactAnswer(signed: Uint8Array): Uint8Array {
  return encode(signed)
}

export function decodePactAnswer(body: Uint8Array): Uint8Array {
  return decodeAs(signature, body, 'pact')
}
