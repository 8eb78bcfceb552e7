/**
 * The node's side of pairing: states and events in, states and actions out.
 *
 * Invariants:
 * 1. A QR serves one scan. Whatever ends an exchange before the right code was typed burns the QR, so each gives an
 *    attacker at most one guess in a million.
 * 2. Nothing is granted before `confirmed`, and that is reached by the typed code alone.
 * 3. Only a hello that proves the secret counts as a scan; strangers on the network can burn nothing.
 * 4. Three burnt within ten minutes lock pairing until a person unlocks it here.
 * 5. An app that nobody could admit is told so before digits are shown: nobody types them for nothing.
 */
import { asOnehopError, OnehopError } from '../errors.ts'
import { possessionMessage } from '../identity/entry.ts'
import { commitment, isHelloProof, pairingDigits } from './exchange.ts'
import type { PairingParties } from './exchange.ts'
import { pairingLimits } from './limits.ts'
import type { PairingMessage } from './messages.ts'
import type {
  BurntReason,
  NodePairing,
  NodePairingAction,
  NodePairingEvent,
  NodePairingPorts,
  NodePairingStep,
} from './node-state.ts'

/** Throws BAD_REQUEST, PAIRING_BURNT or PAIRING_LOCKED to the person at the node, for `open` and `code` only. */
export function stepNodePairing(
  before: NodePairing,
  event: NodePairingEvent,
  ports: NodePairingPorts,
): NodePairingStep {
  const expired = expire(before, ports.nowMs)
  const { pairing } = expired
  const step = decide(pairing, event, ports)
  return { pairing: step.pairing, actions: [...expired.actions, ...step.actions] }
}

function decide(pairing: NodePairing, event: NodePairingEvent, ports: NodePairingPorts): NodePairingStep {
  const { phase } = pairing
  switch (event.type) {
    case 'open':
      return open(pairing, event.secret, event.lifetimeMs, ports.nowMs)
    case 'message':
      return event.message.type === 'hello'
        ? scan(pairing, event.channel, event.transport, event.message, ports)
        : answer(pairing, event.channel, event.message, ports)
    case 'gone':
      return 'channel' in phase && phase.channel === event.channel
        ? end(pairing, 'phone-gone', ports.nowMs)
        : stay(pairing)
    case 'code':
      return typed(pairing, event.code, event.identity, ports)
    case 'admitted': {
      if (phase.state !== 'confirmed' && phase.state !== 'awaiting-admission') return stay(pairing)
      const { channel, parties } = phase
      const log: readonly NodePairingAction[] =
        event.log === undefined
          ? []
          : [{ type: 'send', channel, message: { type: 'identity', log: event.log } }]
      return {
        pairing: { ...pairing, phase: { state: 'paired', parties, identity: event.identity } },
        actions: [...log, { type: 'send', channel, message: { type: 'done', identity: event.identity } }],
      }
    }
    case 'cancel':
      return end(pairing, 'cancelled', ports.nowMs)
    case 'unlock':
      return stay({ ...pairing, burntAtMs: [], locked: false })
    case 'tick':
      return stay(pairing)
  }
}

function stay(pairing: NodePairing): NodePairingStep {
  return { pairing, actions: [] }
}

function open(pairing: NodePairing, secret: Uint8Array, lifetimeMs: number, nowMs: number): NodePairingStep {
  if (pairing.locked) throw new OnehopError('PAIRING_LOCKED', 'three pairing links were burnt in ten minutes')
  const { phase } = pairing
  if ('channel' in phase) throw new OnehopError('BUSY', 'a phone is pairing now: type its code, or cancel')
  return stay({ ...pairing, phase: { state: 'waiting', secret, expiresAtMs: nowMs + lifetimeMs } })
}

function scan(
  pairing: NodePairing,
  channel: number,
  transport: Uint8Array,
  hello: PairingMessage & { type: 'hello' },
  ports: NodePairingPorts,
): NodePairingStep {
  const { phase } = pairing
  const { device, box, role, label } = hello
  const parties: PairingParties = { node: ports.node, transport, device, box, role, label }
  const secret = 'secret' in phase ? phase.secret : undefined
  if (pairing.locked) return refuse(pairing, channel, 'PAIRING_LOCKED', 'pairing is locked at the node')
  if (secret === undefined) return refuse(pairing, channel, 'PAIRING_BURNT', 'this link serves no more')
  if (hello.version !== 1) return refuse(pairing, channel, 'UNSUPPORTED', 'this node pairs by version 1')
  if (!isHelloProof(ports.crypto, secret, parties, hello.proof)) {
    return refuse(pairing, channel, 'FORBIDDEN', 'this link is not the one that the node shows')
  }
  if (phase.state !== 'waiting') {
    const burnt = end(pairing, 'second-scan', ports.nowMs)
    const told = refuse(burnt.pairing, channel, 'PAIRING_BURNT', 'this link was scanned before')
    return { pairing: told.pairing, actions: [...burnt.actions, ...told.actions] }
  }
  if (role === 'app' && !ports.hasPeople) {
    const burnt = end(pairing, 'no-owner', ports.nowMs)
    const told = refuse(burnt.pairing, channel, 'PAIRING_BURNT', burntWords('no-owner'))
    return { pairing: told.pairing, actions: [...burnt.actions, ...told.actions] }
  }
  const nonce = ports.random.bytes(pairingLimits.nonceBytes)
  return {
    pairing: {
      ...pairing,
      phase: { state: 'exchanging', secret, channel, parties, nonce, expiresAtMs: phase.expiresAtMs },
    },
    actions: [
      {
        type: 'send',
        channel,
        message: { type: 'commit', commitment: commitment(ports.crypto, nonce, parties) },
      },
    ],
  }
}

function answer(
  pairing: NodePairing,
  channel: number,
  message: PairingMessage,
  ports: NodePairingPorts,
): NodePairingStep {
  const { phase } = pairing
  if (!('channel' in phase) || phase.channel !== channel) {
    return refuse(pairing, channel, 'PAIRING_BURNT', 'no pairing is under way in this connection')
  }
  if (phase.state === 'exchanging' && message.type === 'nonce') {
    const { secret, parties, nonce, expiresAtMs } = phase
    const digits = pairingDigits(ports.crypto, secret, nonce, message.nonce, parties)
    return {
      pairing: { ...pairing, phase: { state: 'code', secret, channel, parties, digits, expiresAtMs } },
      actions: [{ type: 'send', channel, message: { type: 'reveal', nonce } }],
    }
  }
  if (phase.state === 'confirmed' && message.type === 'possess') {
    const signature = ports.prove(message.identity)
    return { pairing, actions: [{ type: 'send', channel, message: { type: 'possession', signature } }] }
  }
  if (phase.state === 'confirmed' && message.type === 'identity') {
    return { pairing, actions: [{ type: 'admit', channel, parties: phase.parties, log: message.log }] }
  }
  if (phase.state === 'awaiting-admission' && message.type === 'possession') {
    const { device, box, role } = phase.parties
    const proof = possessionMessage(phase.identity, device, box, role)
    if (ports.crypto.verifyStrict(proof, message.signature, device)) {
      return stay({ ...pairing, phase: { ...phase, possession: message.signature } })
    }
  }
  return end(pairing, 'broken-exchange', ports.nowMs)
}

function typed(
  pairing: NodePairing,
  code: string,
  identity: Uint8Array | undefined,
  ports: NodePairingPorts,
): NodePairingStep {
  const { phase } = pairing
  if (pairing.locked) throw new OnehopError('PAIRING_LOCKED', 'three pairing links were burnt in ten minutes')
  if (phase.state === 'burnt') throw new OnehopError('PAIRING_BURNT', `the link was burnt: ${phase.reason}`)
  if (phase.state !== 'code') throw new OnehopError('BAD_REQUEST', 'no phone shows a code now')
  const { channel, parties } = phase
  // Who lived here when it scanned may have moved out.
  if (parties.role === 'app' && !ports.hasPeople) return end(pairing, 'no-owner', ports.nowMs)
  if (parties.role === 'app' && identity === undefined) {
    throw new OnehopError('BAD_REQUEST', 'this phone pairs as an app: name the identity that admits it')
  }
  // Whoever types here could read the memory too; the comparison need not hide its time.
  if (code !== phase.digits) return end(pairing, 'wrong-code', ports.nowMs)
  const confirmed: NodePairingAction = {
    type: 'send',
    channel,
    message: { type: 'confirmed', box: ports.box },
  }
  // From here on the secret is spent: no state carries it.
  if (parties.role === 'owner' || identity === undefined) {
    const expiresAtMs = ports.nowMs + pairingLimits.identityWaitMs
    return {
      pairing: { ...pairing, phase: { state: 'confirmed', channel, parties, expiresAtMs } },
      actions: [confirmed],
    }
  }
  const expiresAtMs = ports.nowMs + pairingLimits.admissionWaitMs
  return {
    pairing: {
      ...pairing,
      phase: { state: 'awaiting-admission', channel, parties, expiresAtMs, identity, possession: undefined },
    },
    actions: [confirmed, { type: 'send', channel, message: { type: 'possess', identity } }],
  }
}

function expire(pairing: NodePairing, nowMs: number): NodePairingStep {
  const { phase } = pairing
  return 'expiresAtMs' in phase && nowMs >= phase.expiresAtMs ? end(pairing, 'expired', nowMs) : stay(pairing)
}

/**
 * Ends whatever is under way; tells the phone. Before the right code it burns, unless a person cancelled or the phone
 * could not be admitted whatever was typed: neither was a guess.
 */
function end(pairing: NodePairing, reason: BurntReason, nowMs: number): NodePairingStep {
  const { phase } = pairing
  if (!('expiresAtMs' in phase)) return stay(pairing)
  const counts = 'secret' in phase && reason !== 'cancelled' && reason !== 'no-owner'
  const burntAtMs = counts
    ? [...pairing.burntAtMs.filter((at) => nowMs - at < pairingLimits.burntWindowMs), nowMs]
    : pairing.burntAtMs
  const ended: NodePairing = {
    phase: { state: 'burnt', reason },
    burntAtMs,
    locked: pairing.locked || burntAtMs.length >= pairingLimits.burntMax,
  }
  if (!('channel' in phase)) return stay(ended)
  return refuse(ended, phase.channel, 'PAIRING_BURNT', burntWords(reason))
}

function burntWords(reason: BurntReason): string {
  return reason === 'no-owner'
    ? 'nobody lives at this node yet who could admit this phone; first run at the node: onehop init --user NAME'
    : `the pairing link was burnt: ${reason}`
}

function refuse(
  pairing: NodePairing,
  channel: number,
  code: 'PAIRING_BURNT' | 'PAIRING_LOCKED' | 'FORBIDDEN' | 'UNSUPPORTED',
  message: string,
): NodePairingStep {
  return {
    pairing,
    actions: [
      { type: 'send', channel, message: { type: 'failed', code, message } },
      { type: 'close', channel },
    ],
  }
}

/** What the phone is told when its log was refused; the exchange stays open, so that it may send a better one. */
export function failedMessage(error: unknown): PairingMessage {
  const { code, message } = asOnehopError(error)
  return { type: 'failed', code, message: message.slice(0, 500) }
}
