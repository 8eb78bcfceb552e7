import { OnehopError } from '../../protocol/errors.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { possessionMessage } from '../../protocol/identity/entry.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import {
  decodePairingMessage,
  encodePairingMessage,
  nodePairingStart,
  pairingLimits,
  startPhonePairing,
  stepNodePairing,
  stepPhonePairing,
} from '../../protocol/pairing/index.ts'
import type {
  NodePairing,
  NodePairingAction,
  NodePairingEvent,
  PairingMessage,
  PairingParties,
  PairingRole,
  PhonePairing,
  PhonePairingAction,
  PhonePairingEvent,
} from '../../protocol/pairing/index.ts'
import { createSeededRandom } from './seeded-random.ts'

export const random = createSeededRandom(7)
export const crypto = portableCrypto(random.bytes)
export const nodeKeys = deviceFromSeed(crypto, random.bytes(32))
export const impostorKeys = deviceFromSeed(crypto, random.bytes(32))
export const lifetimeMs = 300_000

/** The node's side, with what it says and does. */
export class Node {
  pairing: NodePairing = nodePairingStart
  nowMs: number
  hasPeople = true
  readonly sent: { channel: number; message: PairingMessage }[] = []
  readonly actions: NodePairingAction[] = []
  readonly keys

  constructor(keys = nodeKeys, nowMs = 1_000) {
    this.keys = keys
    this.nowMs = nowMs
  }

  step(event: NodePairingEvent): void {
    const { keys } = this
    const step = stepNodePairing(this.pairing, event, {
      crypto,
      random,
      node: keys.key,
      box: keys.boxKey,
      prove: (identity) => crypto.sign(possessionMessage(identity, keys.key, keys.boxKey, 'node'), keys.seed),
      hasPeople: this.hasPeople,
      nowMs: this.nowMs,
    })
    this.pairing = step.pairing
    this.actions.push(...step.actions)
    for (const action of step.actions) if (action.type === 'send') this.sent.push(action)
  }

  open(): Uint8Array {
    const secret = random.bytes(pairingLimits.secretBytes)
    this.step({ type: 'open', secret, lifetimeMs })
    return secret
  }

  hear(channel: number, transport: Uint8Array, message: PairingMessage): void {
    this.step({ type: 'message', channel, transport, message: overWire(message) })
  }

  get state(): string {
    return this.pairing.phase.state
  }

  /** Types what the phone shows. */
  type(code: string, identity?: Uint8Array): void {
    this.step({ type: 'code', code, identity })
  }
}

function overWire(message: PairingMessage): PairingMessage {
  return decodePairingMessage(encodePairingMessage(message))
}

/** The phone's side. */
export class Phone {
  pairing: PhonePairing
  readonly outbox: PairingMessage[] = []
  readonly actions: PhonePairingAction[] = []
  readonly keys = deviceFromSeed(crypto, random.bytes(32))
  readonly parties: PairingParties

  constructor(
    secret: Uint8Array,
    node: Uint8Array,
    options: { role?: PairingRole; transport?: Uint8Array } = {},
  ) {
    const { key, boxKey } = this.keys
    const { role = 'owner', transport = random.bytes(32) } = options
    this.parties = { node, transport, device: key, box: boxKey, role, label: 'phone' }
    const start = startPhonePairing(crypto, secret, this.parties, random.bytes(32))
    this.pairing = start.pairing
    this.#do(start.actions)
  }

  hear(message: PairingMessage): void {
    this.step({ type: 'message', message: overWire(message) })
  }

  step(event: PhonePairingEvent): void {
    const { key, boxKey, seed } = this.keys
    const step = stepPhonePairing(this.pairing, event, {
      crypto,
      prove: (identity) => crypto.sign(possessionMessage(identity, key, boxKey, 'app'), seed),
    })
    this.pairing = step.pairing
    this.#do(step.actions)
  }

  #do(actions: readonly PhonePairingAction[]): void {
    this.actions.push(...actions)
    for (const action of actions) if (action.type === 'send') this.outbox.push(action.message)
  }

  get digits(): string {
    if (this.pairing.state !== 'code') throw new Error(`phone is at ${this.pairing.state}`)
    return this.pairing.digits
  }
}

/** Carries messages both ways until neither has any left. */
export function talk(node: Node, phone: Phone, channel = 1): void {
  while (true) {
    const toNode = phone.outbox.shift()
    if (toNode !== undefined) node.hear(channel, phone.parties.transport, toNode)
    const index = node.sent.findIndex((sent) => sent.channel === channel)
    const [toPhone] = index === -1 ? [] : node.sent.splice(index, 1)
    if (toPhone !== undefined) phone.hear(toPhone.message)
    if (toNode === undefined && toPhone === undefined) return
  }
}

/** Both, as far as the code that the phone shows. */
export function scanned(options: { role?: PairingRole } = {}): {
  node: Node
  phone: Phone
  secret: Uint8Array
} {
  const node = new Node()
  const secret = node.open()
  const phone = new Phone(secret, nodeKeys.key, options)
  talk(node, phone)
  return { node, phone, secret }
}

export const otherCode = (digits: string): string => (digits === '000000' ? '000001' : '000000')

export function codeOf(act: () => void): string {
  try {
    act()
  } catch (error) {
    if (error instanceof OnehopError) return error.code
    throw error
  }
  return 'none'
}

/** With a wrong code. */
export function burn(node: Node): void {
  const phone = new Phone(node.open(), nodeKeys.key)
  talk(node, phone)
  node.type(otherCode(phone.digits))
  talk(node, phone)
}
