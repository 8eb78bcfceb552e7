import { socketClient } from '../support/api-client.ts'
import { apiContract } from './api.ts'
import { frameContract } from './api-frames.ts'

apiContract('a WebSocket', async (node) => {
  const http = await node.openHttp()
  return {
    connect: async (token) => (await socketClient(http.port, token === undefined ? {} : { token })).call,
    withSession: async (call) => call,
    [Symbol.asyncDispose]: () => http.close(),
  }
})

frameContract('a WebSocket', async (node) => {
  const http = await node.openHttp()
  return {
    connect: () => socketClient(http.port),
    [Symbol.asyncDispose]: () => http.close(),
  }
})
