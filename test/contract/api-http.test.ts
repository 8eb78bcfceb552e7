import { httpCaller } from '../support/api-client.ts'
import { apiContract } from './api.ts'

apiContract('HTTP', async (node) => {
  const http = await node.openHttp()
  return {
    connect: async (token) => httpCaller(http.port, token),
    withSession: async (_call, token) => httpCaller(http.port, token),
    [Symbol.asyncDispose]: () => http.close(),
  }
})
