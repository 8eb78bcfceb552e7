import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { NodeId, Routing } from './rpc.ts'

export interface MemoryRoutingOptions {
  readonly clock: Clock
  /** In [0, 1), seeded. */
  readonly random: () => number
  readonly validityMs: number
  /** How many others the node reaches. */
  readonly peers: (self: NodeId) => number
}

/** Provider records that all nodes of a memory network share. They run out as in the DHT. */
export function createMemoryRouting(options: MemoryRoutingOptions): (self: NodeId) => Routing {
  const { clock } = options
  const records = new Map<string, Map<NodeId, number>>()
  return (self) => ({
    async provide(key, signal) {
      signal.throwIfAborted()
      if (options.peers(self) === 0) throw new OnehopError('UNREACHABLE', 'no peers to keep the record')
      const providers = records.get(toHex(key)) ?? new Map<NodeId, number>()
      records.set(toHex(key), providers.set(self, clock.nowMs() + options.validityMs))
    },
    async *findProviders(key, signal) {
      const found = [...(records.get(toHex(key)) ?? [])].filter(
        ([node, expiresMs]) => node !== self && expiresMs > clock.nowMs(),
      )
      const shuffled = found.map(([node]) => ({ node, place: options.random() }))
      for (const { node } of shuffled.sort((a, b) => a.place - b.place)) {
        signal.throwIfAborted()
        yield { node, addresses: [`/memory/${node}`] }
      }
    },
    // Every node of the network can be dialled by its id alone.
    async learn() {},
    size: () => options.peers(self),
    async withdraw(key) {
      records.get(toHex(key))?.delete(self)
    },
  })
}
