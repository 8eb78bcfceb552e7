import { apiProtocol, serveApiStreams } from '../../daemon/api/stream.ts'
import { systemClock } from '../../daemon/clock.ts'
import { createMemoryNetwork, memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import { frameClient } from '../support/api-client.ts'
import type { FrameClient } from '../support/api-client.ts'
import type { ApiNode } from '../support/api-node.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { apiContract } from './api.ts'
import { frameContract } from './api-frames.ts'

function serve(node: ApiNode): AsyncDisposable & { connect(): Promise<FrameClient> } {
  const network = createMemoryNetwork({ clock: systemClock, random: createSeededRandom(3) })
  const server = network.join(memoryNodeId(1))
  const phone = network.join(memoryNodeId(2))
  serveApiStreams(server, node.dispatch, node.sessions, node.leave)
  return {
    async connect() {
      const stream = await phone.openStream(server.rpc.self, apiProtocol, new AbortController().signal)
      return frameClient({
        send: (bytes) => void stream.send(bytes),
        frames: stream.source,
        close: () => stream.close(),
      })
    },
    async [Symbol.asyncDispose]() {
      await phone[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

apiContract('a stream between peers', async (node) => {
  const served = serve(node)
  return {
    connect: async () => (await served.connect()).call,
    withSession: async (call) => call,
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  }
})

frameContract('a stream between peers', async (node) => serve(node))
