import { pairingProtocol } from '../../daemon/pairing/pairing.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { addDevice, createIdentity, deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import {
  decodePairingMessage,
  encodePairingMessage,
  parsePairingLink,
  startPhonePairing,
  stepPhonePairing,
} from '../../protocol/pairing/index.ts'
import type { PairingRole, PhonePairing, PhonePairingAction } from '../../protocol/pairing/index.ts'
import { memoryNodeId, type MemoryNetwork } from '../../daemon/net/rpc-memory.ts'
import type { NodeId } from '../../daemon/net/rpc.ts'
import { testCrypto as crypto } from './api-node.ts'
import { createSeededRandom } from './seeded-random.ts'
import { until } from './until.ts'

const random = createSeededRandom(22)

export async function present<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  return (await until(look)) as T
}

/** A phone that answers whatever the machine asks of it. */
export async function scan(
  { network, id }: { readonly network: MemoryNetwork; readonly id: NodeId },
  link: string,
  role: PairingRole,
  peer = 2,
) {
  const offer = parsePairingLink(link)
  const keys = deviceFromSeed(crypto, random.bytes(32))
  const phone = network.join(memoryNodeId(peer))
  const stream = await phone.openStream(id, pairingProtocol, new AbortController().signal)
  const parties = {
    node: offer.node,
    transport: fromHex(phone.rpc.self) as Uint8Array,
    device: keys.key,
    box: keys.boxKey,
    role,
    label: 'Ada',
  }
  let identity = createIdentity(crypto, keys).state
  const start = startPhonePairing(crypto, offer.secret, parties, random.bytes(32))
  let machine: PhonePairing = start.pairing
  const ports = { crypto, prove: (id: Uint8Array) => provePossession(crypto, id, keys, role) }
  const step = (event: Parameters<typeof stepPhonePairing>[1]): void => {
    const next = stepPhonePairing(machine, event, ports)
    machine = next.pairing
    perform(next.actions)
  }
  const perform = (actions: readonly PhonePairingAction[]): void => {
    for (const action of actions) {
      if (action.type === 'send')
        void stream.send(encodePairingMessage(action.message)).catch(() => undefined)
      else if (action.type === 'close') stream.close()
      else if (action.type === 'identify') step({ type: 'identity', identity: identity.id })
      else {
        const admission = {
          key: action.node,
          boxKey: action.nodeBox,
          role: 'node' as const,
          capabilities: [],
          probation: false,
        }
        identity = append(crypto, identity, [addDevice(crypto, identity, keys, admission, action.possession)])
        step({ type: 'log', log: encodeLog(identity.entries) })
      }
    }
  }
  perform(start.actions)
  const ended = (async () => {
    for await (const frame of stream.source) step({ type: 'message', message: decodePairingMessage(frame) })
    step({ type: 'gone' })
  })()
  return {
    keys,
    identity: () => identity,
    state: () => machine,
    accept: () => step({ type: 'accepted' }),
    digits: () => present(() => (machine.state === 'code' ? machine.digits : undefined)),
    ended,
  }
}
