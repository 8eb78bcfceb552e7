import type { Libp2pNetwork } from '../../daemon/net/libp2p.ts'
import { startNetNode } from '../support/net-node.ts'
import { rpcContract } from './rpc.ts'

rpcContract('libp2p', async () => {
  const nodes = new Map<number, Libp2pNetwork>()
  return {
    async start(index, options) {
      const node = await startNetNode({ number: index + 1, ...options })
      nodes.set(index, node)
      // Each knows where the others are, as a replica set would tell it.
      for (const [number, other] of nodes) {
        if (number === index) continue
        await other.routing.learn({ node: node.rpc.self, addresses: node.addresses() })
        await node.routing.learn({ node: other.rpc.self, addresses: other.addresses() })
      }
      return node
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes.values()) await node[Symbol.asyncDispose]()
    },
  }
})
