/**
 * What both sides compute. Everything is bound to the secret of the QR and to the keys that the connection proved,
 * so a proof or a code made in one connection is worth nothing in another.
 *
 * The node is bound to its nonce before it sees the phone's, and the phone sends its own before it sees the node's:
 * nobody in the middle can choose a nonce that makes the two codes meet, and each try burns the QR.
 */
import { equalBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { PairingRole } from './messages.ts'
import { pairingLimits } from './limits.ts'

/** What the two sides know of each other once the phone has said hello. */
export interface PairingParties {
  readonly node: Uint8Array
  /** The phone's key in this connection (its libp2p identity), which may be another than its device key. */
  readonly transport: Uint8Array
  readonly device: Uint8Array
  readonly box: Uint8Array
  readonly role: PairingRole
  readonly label: string
}

const version = 1

function message(purpose: 'hello' | 'commit' | 'digits', ...parts: readonly unknown[]): Uint8Array {
  return signedMessage(contexts.pairing, encode([contexts.pairing, version, purpose, ...parts]))
}

function listed(parties: PairingParties): readonly unknown[] {
  return [parties.node, parties.transport, parties.device, parties.box, parties.role, parties.label]
}

/** Shows that the phone scanned the QR. Without it a stranger on the network could burn QRs that he never saw. */
export function helloProof(crypto: CryptoProvider, secret: Uint8Array, parties: PairingParties): Uint8Array {
  return crypto.hmacSha256(secret, message('hello', ...listed(parties)))
}

export function isHelloProof(
  crypto: CryptoProvider,
  secret: Uint8Array,
  parties: PairingParties,
  proof: Uint8Array,
): boolean {
  // Compared under a keyed hash: where the comparison stops tells nothing about the right proof.
  const blind = (bytes: Uint8Array): Uint8Array => crypto.hmacSha256(secret, bytes)
  return equalBytes(blind(helloProof(crypto, secret, parties)), blind(proof))
}

export function commitment(
  crypto: CryptoProvider,
  nodeNonce: Uint8Array,
  parties: PairingParties,
): Uint8Array {
  return crypto.sha256(message('commit', nodeNonce, ...listed(parties)))
}

/** Six decimal digits. 64 bits modulo a million: no digit string is likelier than another by more than 2^-44. */
export function pairingDigits(
  crypto: CryptoProvider,
  secret: Uint8Array,
  nodeNonce: Uint8Array,
  phoneNonce: Uint8Array,
  parties: PairingParties,
): string {
  const info = message('digits', nodeNonce, phoneNonce, ...listed(parties))
  const bytes = crypto.hkdfSha256(secret, new Uint8Array(0), info, 8)
  const value =
    new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0) % 10n ** BigInt(pairingLimits.digits)
  return value.toString().padStart(pairingLimits.digits, '0')
}
