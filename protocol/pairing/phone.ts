/**
 * The phone's side of pairing. The connection is authenticated: the driver has dialled the key in the link and hands
 * in the two keys that the connection proved.
 *
 * The phone trusts no `confirmed` by itself: after a swapped QR it would come from the impostor. So the person says
 * on the phone that the node accepted the code (`accepted`), and only then anything is admitted.
 */
import { equalBytes } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { isErrorCode, OnehopError } from '../errors.ts'
import { possessionMessage } from '../identity/entry.ts'
import { commitment, helloProof, pairingDigits } from './exchange.ts'
import type { PairingParties } from './exchange.ts'
import { pairingLimits } from './limits.ts'
import type { PairingMessage } from './messages.ts'

export type PhonePairing =
  | {
      readonly state: 'hello'
      readonly secret: Uint8Array
      readonly parties: PairingParties
      readonly nonce: Uint8Array
    }
  | {
      readonly state: 'exchanging'
      readonly secret: Uint8Array
      readonly parties: PairingParties
      readonly nonce: Uint8Array
      readonly commitment: Uint8Array
    }
  /** Show the digits. `nodeBox` once the other side says that they were typed there. */
  | {
      readonly state: 'code'
      readonly parties: PairingParties
      readonly digits: string
      readonly nodeBox: Uint8Array | undefined
      readonly accepted: boolean
      /** What the node said meanwhile; heard once the person agrees. */
      readonly held: readonly PairingMessage[]
    }
  /** Role owner: have the node prove its key, then send the log that admits it. */
  | {
      readonly state: 'admitting'
      readonly parties: PairingParties
      readonly nodeBox: Uint8Array
      readonly identity: Uint8Array | undefined
    }
  /** Role app: wait for the log that admits this device. */
  | {
      readonly state: 'awaiting-admission'
      readonly parties: PairingParties
      readonly identity: Uint8Array | undefined
      readonly log: Uint8Array | undefined
    }
  /** `log` for an app: verify that it admits this device before relying on it. */
  | {
      readonly state: 'paired'
      readonly parties: PairingParties
      readonly identity: Uint8Array
      readonly log: Uint8Array | undefined
    }
  | { readonly state: 'failed'; readonly error: OnehopError }

export type PhonePairingEvent =
  | { readonly type: 'message'; readonly message: PairingMessage }
  /** The person says that the node took the code. */
  | { readonly type: 'accepted' }
  /** Role owner: which identity shall admit the node. */
  | { readonly type: 'identity'; readonly identity: Uint8Array }
  /** Role owner: its log, which admits the node. */
  | { readonly type: 'log'; readonly log: Uint8Array }
  | { readonly type: 'gone' }

export type PhonePairingAction =
  | { readonly type: 'send'; readonly message: PairingMessage }
  /** Role owner: make or open the identity, then say `identity`. */
  | { readonly type: 'identify' }
  /** Role owner: add an entry that admits these keys with the role node, then say `log`. */
  | {
      readonly type: 'admit'
      readonly node: Uint8Array
      readonly nodeBox: Uint8Array
      readonly possession: Uint8Array
    }
  | { readonly type: 'close' }

export interface PhonePairingPorts {
  readonly crypto: CryptoProvider
  /** Signs `possessionMessage` of this device's keys. */
  readonly prove: (identity: Uint8Array) => Uint8Array
}

export interface PhonePairingStep {
  readonly pairing: PhonePairing
  readonly actions: readonly PhonePairingAction[]
}

/** `nonce`: 32 bytes that nobody can guess. */
export function startPhonePairing(
  crypto: CryptoProvider,
  secret: Uint8Array,
  parties: PairingParties,
  nonce: Uint8Array,
): PhonePairingStep {
  const { device, box, role, label } = parties
  const proof = helloProof(crypto, secret, parties)
  return {
    pairing: { state: 'hello', secret, parties, nonce },
    actions: [{ type: 'send', message: { type: 'hello', version: 1, device, box, role, label, proof } }],
  }
}

export function stepPhonePairing(
  pairing: PhonePairing,
  event: PhonePairingEvent,
  ports: PhonePairingPorts,
): PhonePairingStep {
  if (pairing.state === 'failed' || pairing.state === 'paired') return stay(pairing)
  switch (event.type) {
    case 'gone':
      return fail(new OnehopError('PAIRING_BURNT', 'the connection to the node broke'))
    case 'accepted':
      return pairing.state === 'code' ? proceed({ ...pairing, accepted: true }, ports) : stay(pairing)
    case 'identity':
      if (pairing.state !== 'admitting') return stay(pairing)
      return {
        pairing: { ...pairing, identity: event.identity },
        actions: [{ type: 'send', message: { type: 'possess', identity: event.identity } }],
      }
    case 'log':
      if (pairing.state !== 'admitting') return stay(pairing)
      return { pairing, actions: [{ type: 'send', message: { type: 'identity', log: event.log } }] }
    case 'message':
      return receive(pairing, event.message, ports)
  }
}

function stay(pairing: PhonePairing): PhonePairingStep {
  return { pairing, actions: [] }
}

function receive(pairing: PhonePairing, message: PairingMessage, ports: PhonePairingPorts): PhonePairingStep {
  if (message.type === 'failed') {
    const code = isErrorCode(message.code) ? message.code : 'INTERNAL'
    return fail(new OnehopError(code, message.message))
  }
  switch (pairing.state) {
    case 'hello': {
      if (message.type !== 'commit') break
      const { secret, parties, nonce } = pairing
      return {
        pairing: { state: 'exchanging', secret, parties, nonce, commitment: message.commitment },
        actions: [{ type: 'send', message: { type: 'nonce', nonce } }],
      }
    }
    case 'exchanging': {
      if (message.type !== 'reveal') break
      const { secret, parties, nonce } = pairing
      if (!equalBytes(commitment(ports.crypto, message.nonce, parties), pairing.commitment)) {
        return fail(new OnehopError('FORBIDDEN', 'the other side changed its nonce: this is not your node'))
      }
      const digits = pairingDigits(ports.crypto, secret, message.nonce, nonce, parties)
      return stay({ state: 'code', parties, digits, nodeBox: undefined, accepted: false, held: [] })
    }
    case 'code':
      if (pairing.nodeBox !== undefined && pairing.held.length < pairingLimits.heldMessagesMax) {
        return stay({ ...pairing, held: [...pairing.held, message] })
      }
      if (message.type === 'confirmed' && pairing.nodeBox === undefined) {
        return proceed({ ...pairing, nodeBox: message.box }, ports)
      }
      break
    case 'admitting':
      return admitting(pairing, message, ports)
    case 'awaiting-admission':
      return awaiting(pairing, message, ports)
    case 'paired':
    case 'failed':
      return stay(pairing)
  }
  return unexpected(pairing, message)
}

function admitting(
  pairing: PhonePairing & { state: 'admitting' },
  message: PairingMessage,
  ports: PhonePairingPorts,
): PhonePairingStep {
  const { parties, nodeBox, identity } = pairing
  if (identity === undefined) return unexpected(pairing, message)
  if (message.type === 'possession') {
    const proof = possessionMessage(identity, parties.node, nodeBox, 'node')
    if (!ports.crypto.verifyStrict(proof, message.signature, parties.node)) {
      return fail(new OnehopError('BAD_SIGNATURE', 'the node did not prove its key'))
    }
    return {
      pairing,
      actions: [{ type: 'admit', node: parties.node, nodeBox, possession: message.signature }],
    }
  }
  if (message.type === 'done' && equalBytes(message.identity, identity)) {
    return { pairing: { state: 'paired', parties, identity, log: undefined }, actions: [{ type: 'close' }] }
  }
  return unexpected(pairing, message)
}

function awaiting(
  pairing: PhonePairing & { state: 'awaiting-admission' },
  message: PairingMessage,
  ports: PhonePairingPorts,
): PhonePairingStep {
  const { parties, identity, log } = pairing
  if (message.type === 'possess' && identity === undefined) {
    const signature = ports.prove(message.identity)
    return {
      pairing: { ...pairing, identity: message.identity },
      actions: [{ type: 'send', message: { type: 'possession', signature } }],
    }
  }
  if (message.type === 'identity' && identity !== undefined) return stay({ ...pairing, log: message.log })
  const done = message.type === 'done' && identity !== undefined && equalBytes(message.identity, identity)
  if (done && log !== undefined) {
    return { pairing: { state: 'paired', parties, identity, log }, actions: [{ type: 'close' }] }
  }
  return unexpected(pairing, message)
}

/** Both must have spoken: the node that the code was typed, the person that it was typed at their own node. */
function proceed(pairing: PhonePairing & { state: 'code' }, ports: PhonePairingPorts): PhonePairingStep {
  const { parties, nodeBox, accepted, held } = pairing
  if (nodeBox === undefined || !accepted) return stay(pairing)
  const app = parties.role === 'app'
  let step: PhonePairingStep = app
    ? stay({ state: 'awaiting-admission', parties, identity: undefined, log: undefined })
    : {
        pairing: { state: 'admitting', parties, nodeBox, identity: undefined },
        actions: [{ type: 'identify' }],
      }
  for (const message of held) {
    const next = receive(step.pairing, message, ports)
    step = { pairing: next.pairing, actions: [...step.actions, ...next.actions] }
  }
  return step
}

function unexpected(pairing: PhonePairing, message: PairingMessage): PhonePairingStep {
  return fail(
    new OnehopError('BAD_MESSAGE', `the node said ${message.type} while pairing was at ${pairing.state}`),
  )
}

function fail(error: OnehopError): PhonePairingStep {
  return { pairing: { state: 'failed', error }, actions: [{ type: 'close' }] }
}
