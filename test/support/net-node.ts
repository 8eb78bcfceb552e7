import { systemClock } from '../../daemon/clock.ts'
import { createLog } from '../../daemon/log.ts'
import type { Libp2pNetwork, Libp2pNetworkOptions } from '../../daemon/net/libp2p.ts'
import { createLibp2pNetwork } from '../../daemon/net/libp2p.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { systemRandom } from '../../daemon/random.ts'

export interface NetNodeOptions extends Partial<Omit<Libp2pNetworkOptions, 'config'>> {
  /** Number of the node: its key, and its address 127.0.0.N. */
  readonly number: number
  readonly bootstrap?: readonly string[]
  readonly allowDial?: readonly string[]
  readonly host?: string
  readonly tcp?: number
  readonly announce?: readonly string[]
  readonly relay?: boolean
  readonly relays?: readonly string[]
}

/** A real libp2p node on loopback. `DEBUG_NET=1` shows what it logs. */
export function startNetNode({
  number,
  bootstrap = [],
  allowDial,
  host,
  tcp,
  announce = [],
  relay = false,
  relays = [],
  ...rest
}: NetNodeOptions): Promise<Libp2pNetwork> {
  return createLibp2pNetwork({
    seed: new Uint8Array(32).fill(number),
    clock: systemClock,
    random: systemRandom,
    log: createLog({
      level: process.env.DEBUG_NET === undefined ? 'silent' : 'debug',
      format: 'pretty',
      clock: systemClock,
      write: (line) => process.stderr.write(`${number} ${line}`),
    }),
    ...rest,
    config: {
      listen: { host: host ?? `127.0.0.${number}`, tcp: tcp ?? 0, websocket: 0, http: 0 },
      network: {
        bootstrap: [...bootstrap],
        mdns: false,
        allowDial: [...(allowDial ?? ['127.0.0.0/8'])],
        announce: [...announce],
        providesPerS: 10,
        inboundConnectionsPerS: 100,
        relay,
        relays: [...relays],
      },
    },
  })
}

/** What another node needs as its bootstrap address. */
export function bootstrapOf(node: Libp2pNetwork): string {
  const tcp = node.addresses().find((address) => !address.endsWith('/ws'))
  if (tcp === undefined) throw new Error('the node listens on no TCP address')
  return fullAddress(node.rpc.self, tcp)
}
