/**
 * A session proves to one node, once, that the caller holds a device key of an identity. The node's nonce makes
 * each proof new; its key keeps a node from using the proof at another one; the expiry is the node's own time, so
 * that the clocks of the two need not agree.
 */
import { encode } from '../codec.ts'
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { DeviceKey, IdentityId } from '../record/types.ts'

export interface SessionClaim {
  readonly node: Uint8Array
  readonly nonce: Uint8Array
  readonly owner: IdentityId
  readonly device: DeviceKey
  /** As the node gave it in the challenge. */
  readonly expiresMs: number
}

const version = 1

function claimMessage(claim: SessionClaim): Uint8Array {
  const document = [
    contexts.session,
    version,
    claim.node,
    claim.nonce,
    claim.owner,
    claim.device,
    claim.expiresMs,
  ]
  return signedMessage(contexts.session, encode(document))
}

export function signSession(crypto: CryptoProvider, claim: SessionClaim, deviceSeed: Uint8Array): Uint8Array {
  return crypto.sign(claimMessage(claim), deviceSeed)
}

/** Whether the device signed. That the device belongs to the owner is for the identity log to say. */
export function verifySession(crypto: CryptoProvider, claim: SessionClaim, signature: Uint8Array): boolean {
  return crypto.verifyStrict(claimMessage(claim), signature, claim.device)
}
