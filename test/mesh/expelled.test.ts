/** Over real connections: what a device loses when it is revoked while it looks. */
import { expect, test } from 'vitest'
import { apiProtocol, serveApiStreams } from '../../daemon/api/stream.ts'
import { frameClient } from '../support/api-client.ts'
import { createApiNode, device, openSession } from '../support/api-node.ts'
import { bootstrapOf, startNetNode } from '../support/net-node.ts'
import { until } from '../support/until.ts'

test('a revoked device hears why, and its libp2p connection is closed with all that runs over it', async () => {
  await using home = await startNetNode({ number: 1 })
  const api = createApiNode()
  serveApiStreams(home, api.dispatch, api.sessions, api.leave)
  await using phone = await startNetNode({ number: 2, bootstrap: [bootstrapOf(home)] })
  await until(() => phone.rpc.connected().includes(home.rpc.self))
  const connect = async () => {
    const stream = await phone.openStream(home.rpc.self, apiProtocol, AbortSignal.timeout(5_000))
    return frameClient({
      send: (bytes) => void stream.send(bytes),
      frames: stream.source,
      close: () => stream.close(),
    })
  }
  await using client = await connect()
  await using other = await connect()
  await openSession(client.call)
  expect(await other.call('node.info', {})).toMatchObject({ version: '0.1.0' })

  let wasCut = false
  const cut = until(() => !phone.rpc.connected().includes(home.rpc.self)).then(() => (wasCut = true))
  api.revoke(device.key)
  const { value } = await client.loose.next()
  expect(value).toMatchObject({ kind: 'error', payload: { code: 'REVOKED' } })
  await Promise.all([client.closed, other.closed, cut])
  expect(wasCut).toBe(true)

  // Whoever comes again, under whatever transport key, is as unknown as anybody until it proves the key: then it is out again.
  await using again = await connect()
  await expect(openSession(again.call)).rejects.toMatchObject({ code: 'REVOKED' })
  await again.closed
})
