/** What the node's side of pairing can be in, hear and do; node.ts decides. */
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Random } from '../ports.ts'
import type { PairingParties } from './exchange.ts'
import type { PairingMessage } from './messages.ts'

export type BurntReason =
  | 'wrong-code'
  | 'second-scan'
  | 'expired'
  /** Something came that does not belong there. */
  | 'broken-exchange'
  /** The connection ended before pairing did. */
  | 'phone-gone'
  | 'cancelled'
  /** The phone pairs as an app, and nobody lives here who could admit it. */
  | 'no-owner'

interface Scanned {
  readonly channel: number
  readonly parties: PairingParties
  readonly expiresAtMs: number
}

export type NodePhase =
  | { readonly state: 'closed' }
  | { readonly state: 'waiting'; readonly secret: Uint8Array; readonly expiresAtMs: number }
  /** Bound to our nonce, waiting for the phone's. */
  | (Scanned & { readonly state: 'exchanging'; readonly secret: Uint8Array; readonly nonce: Uint8Array })
  /** The phone shows these digits; nobody but the phone's person can tell us. */
  | (Scanned & { readonly state: 'code'; readonly secret: Uint8Array; readonly digits: string })
  /** Role owner: the phone makes or extends its identity log. */
  | (Scanned & { readonly state: 'confirmed' })
  /** Role app: an owner's device has to admit the phone. */
  | (Scanned & {
      readonly state: 'awaiting-admission'
      readonly identity: Uint8Array
      /** The phone's proof that it holds its keys; the admission carries it. */
      readonly possession: Uint8Array | undefined
    })
  | { readonly state: 'paired'; readonly parties: PairingParties; readonly identity: Uint8Array }
  | { readonly state: 'burnt'; readonly reason: BurntReason }

export interface NodePairing {
  readonly phase: NodePhase
  readonly burntAtMs: readonly number[]
  readonly locked: boolean
}

export const nodePairingStart: NodePairing = { phase: { state: 'closed' }, burntAtMs: [], locked: false }

export type NodePairingEvent =
  /** Shows a QR, in place of one that nobody scanned yet. */
  | { readonly type: 'open'; readonly secret: Uint8Array; readonly lifetimeMs: number }
  | {
      readonly type: 'message'
      readonly channel: number
      /** The key that the connection proved. */
      readonly transport: Uint8Array
      readonly message: PairingMessage
    }
  | { readonly type: 'gone'; readonly channel: number }
  /** `identity`: who admits the phone, needed when it pairs as an app. */
  | { readonly type: 'code'; readonly code: string; readonly identity: Uint8Array | undefined }
  /** The identity log was verified and taken in; `log` is what an app gets to see. */
  | { readonly type: 'admitted'; readonly identity: Uint8Array; readonly log: Uint8Array | undefined }
  | { readonly type: 'cancel' }
  | { readonly type: 'unlock' }
  | { readonly type: 'tick' }

export type NodePairingAction =
  | { readonly type: 'send'; readonly channel: number; readonly message: PairingMessage }
  | { readonly type: 'close'; readonly channel: number }
  /** Verify that this log belongs to the phone and admits this node, host it, then say `admitted`. */
  | {
      readonly type: 'admit'
      readonly channel: number
      readonly parties: PairingParties
      readonly log: Uint8Array
    }

export interface NodePairingPorts {
  readonly crypto: CryptoProvider
  readonly random: Random
  readonly node: Uint8Array
  readonly box: Uint8Array
  /** Signs `possessionMessage` of this node's keys. */
  readonly prove: (identity: Uint8Array) => Uint8Array
  /** Whether anybody lives at this node, whose device could admit an app. */
  readonly hasPeople: boolean
  /** Monotonic milliseconds: a corrected wall clock must neither extend nor end a lifetime. */
  readonly nowMs: number
}

export interface NodePairingStep {
  readonly pairing: NodePairing
  readonly actions: readonly NodePairingAction[]
}
