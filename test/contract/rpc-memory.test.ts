import { systemClock } from '../../daemon/clock.ts'
import { createMemoryNetwork, memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { rpcLimitsContract } from './rpc-limits.ts'
import { rpcContract, type RpcWorld } from './rpc.ts'

const createWorld = async (): Promise<RpcWorld> => {
  const network = createMemoryNetwork({ clock: systemClock, random: createSeededRandom(1) })
  const nodes: AsyncDisposable[] = []
  return {
    async start(index, options) {
      const node = network.join(memoryNodeId(index + 1), options)
      nodes.push(node)
      return node
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]()
    },
  }
}

const createSlowWorld = async (): Promise<RpcWorld> => {
  const network = createMemoryNetwork({
    clock: systemClock,
    random: createSeededRandom(2),
    link: { delayMs: 1, jitterMs: 4, reorder: true },
  })
  const nodes: AsyncDisposable[] = []
  return {
    async start(index, options) {
      const node = network.join(memoryNodeId(index + 1), options)
      nodes.push(node)
      return node
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]()
    },
  }
}

rpcContract('a memory network', createWorld)
rpcLimitsContract('a memory network', createWorld)
rpcContract('a memory network with delay and reordering', createSlowWorld)
rpcLimitsContract('a memory network with delay and reordering', createSlowWorld)
