import { afterAll, beforeAll, expect, test } from 'vitest'
import { httpTransport } from '../../client/http.ts'
import type { HttpTransportOptions } from '../../client/http.ts'
import { requestSigner } from '../../client/request-signer.ts'
import type { HttpServer } from '../../daemon/api/http.ts'
import { systemClock } from '../../daemon/clock.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { createApiNode, device, owner, strangerDevice, testCrypto } from '../support/api-node.ts'

const api = createApiNode()
let http: HttpServer
let address: string

beforeAll(async () => {
  http = await api.openHttp()
  address = `http://127.0.0.1:${http.port}`
})
afterAll(() => http.close())

/** A transport that signs, and the operations that it asked for. */
function signing(changes: Partial<HttpTransportOptions> = {}, node?: Uint8Array) {
  const asked: string[] = []
  const transport = httpTransport({
    address,
    sign: { crypto: testCrypto, owner, device, node },
    fetch(input, init) {
      asked.push((input as string).split('/').at(-1) ?? '')
      return fetch(input, init)
    },
    ...changes,
  })
  return { transport, asked }
}

const schema = { schema: Uint8Array.of(1) }

test('calls that speak for somebody are signed, one by one, and no session is opened', async () => {
  const { transport, asked } = signing({}, api.node)
  expect(await transport.call('schema.put', schema)).toMatchObject({ app: 'demo' })
  expect(await transport.call('schema.put', schema)).toMatchObject({ app: 'demo' })
  expect(asked).toEqual(['node.info', 'schema.put', 'schema.put'])
})

test('a clock that is off, and one that is set between two calls', async () => {
  let offMs = 10 * 60_000
  const { transport, asked } = signing({ clock: { ...systemClock, nowMs: () => Date.now() + offMs } })
  expect(await transport.call('schema.put', schema)).toMatchObject({ app: 'demo' })
  offMs = -10 * 60_000
  expect(await transport.call('schema.put', schema)).toMatchObject({ app: 'demo' })
  expect(asked).toEqual(['node.info', 'schema.put', 'schema.put', 'node.info', 'schema.put'])
})

test('what the node refuses is refused once', async () => {
  const { transport, asked } = signing({ sign: { crypto: testCrypto, owner, device: strangerDevice } })
  await expect(transport.call('schema.put', schema)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(asked).toEqual(['node.info', 'schema.put'])
})

test('another node at the address gets no signature', async () => {
  const { transport, asked } = signing({}, owner)
  await expect(transport.call('schema.put', schema)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(asked).toEqual(['node.info'])
})

test('live queries open a session on their WebSocket', async () => {
  const { transport } = signing()
  const { events } = await transport.open('live.open', { of: 'feed', owner, app: 'a', name: '' })
  for await (const { type } of events) {
    expect(type).toBe('changed')
    break
  }
  expect(api.opened.at(-1)?.caller).toMatchObject({ kind: 'session', device: device.key })
  await transport.close()
})

test('plain fetch, with nothing of ours but the signer', async () => {
  const sign = requestSigner({ owner, device })
  const url = `${address}/api/v1/schema.put`
  const body = utf8('{"schema":"01"}')
  const ask = async (headers: Record<string, string>): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: body as BodyInit,
    })
  const headers = sign({ method: 'post', url, body })
  const answer = await ask(headers)
  expect([answer.status, await answer.json()]).toMatchObject([200, { app: 'demo' }])
  expect((await ask(headers)).status).toBe(401)
  expect((await ask(sign({ method: 'POST', url, body }))).status).toBe(200)
})
