import { describe, expect, test } from 'vitest'
import { apiLimits } from '../../protocol/api/limits.ts'
import type { EventOf } from '../../protocol/api/operations.ts'
import { encode } from '../../protocol/codec.ts'
import type { FrameClient } from '../support/api-client.ts'
import { createApiNode, device, openSession, owner } from '../support/api-node.ts'
import type { ApiNode } from '../support/api-node.ts'
import { until } from '../support/until.ts'

const feed = { of: 'feed', owner, app: 'demo', name: '' }

const silent = { source: new Uint8Array(32), epoch: 1, position: 0 }

/** A live query of which nothing changes after the first event. */
async function* onlyOne(signal: AbortSignal): AsyncGenerator<EventOf<'live.open'>> {
  yield { type: 'changed', position: silent, records: [] }
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
}

/** What transports owe that carry frames. */
export function frameContract(
  transport: string,
  serve: (node: ApiNode) => Promise<AsyncDisposable & { connect(): Promise<FrameClient> }>,
): void {
  describe(`frames over ${transport}`, () => {
    test('a live query answers where it starts, then events, and ends when it is cancelled', async () => {
      const node = createApiNode()
      await using served = await serve(node)
      await using client = await served.connect()
      const { id, frames } = client.open('live.open', feed)
      const seen: unknown[] = []
      for await (const frame of frames) {
        if (frame.kind === 'event') seen.push(frame.payload)
        if (seen.length === 3) client.sendFrame(id, 'cancel', '', null)
        if (frame.kind === 'end') break
      }
      expect(seen.slice(0, 3)).toMatchObject([1, 2, 3].map((position) => ({ position: { position } })))
      await until(() => node.opened[0]?.signal.aborted)
    })

    test('a live query goes on from where an earlier one was', async () => {
      await using served = await serve(createApiNode())
      await using client = await served.connect()
      const from = { source: new Uint8Array(32), epoch: 1, position: 41 }
      const { frames } = client.open('live.open', { ...feed, from })
      await frames.next()
      const { value } = await frames.next()
      expect(value).toMatchObject({ kind: 'event', payload: { position: { position: 42 } } })
    })

    test('live queries end when the connection does', async () => {
      const node = createApiNode()
      await using served = await serve(node)
      const client = await served.connect()
      await client.open('live.open', feed).frames.next()
      await client[Symbol.asyncDispose]()
      await until(() => node.opened[0]?.signal.aborted)
    })

    test('a device that is revoked is told so and loses its connection at once, silent live queries too', async () => {
      const node = createApiNode({
        'live.open': async (_, call) => ({ reply: { position: silent }, events: onlyOne(call.signal) }),
      })
      await using served = await serve(node)
      await using client = await served.connect()
      await openSession(client.call)
      const { frames } = client.open('live.open', feed)
      expect((await frames.next()).value).toMatchObject({ kind: 'reply' })
      expect((await frames.next()).value).toMatchObject({ kind: 'event' })
      node.revoke(device.key)
      const { value } = await client.loose.next()
      expect(value).toMatchObject({ kind: 'error', payload: { code: 'REVOKED' } })
      await client.closed
      await using again = await served.connect()
      await expect(openSession(again.call)).rejects.toMatchObject({ code: 'REVOKED' })
      await again.closed
    })

    test('calls beyond the limit are answered BUSY, the others are not harmed', async () => {
      const release = new AbortController()
      const node = createApiNode({
        'schema.get': async () => {
          await new Promise((resolve) => release.signal.addEventListener('abort', resolve))
          return { schema: Uint8Array.of(1) }
        },
      })
      await using served = await serve(node)
      await using client = await served.connect()
      const request = { schema: new Uint8Array(32) }
      const waiting = Array.from({ length: apiLimits.callsPerConnectionMax }, () =>
        client.call('schema.get', request),
      )
      await expect(client.call('schema.get', request)).rejects.toMatchObject({ code: 'BUSY' })
      release.abort()
      expect(await Promise.all(waiting)).toHaveLength(apiLimits.callsPerConnectionMax)
    })

    test.each([
      ['no CBOR', Uint8Array.of(0xff)],
      ['no bytes', new Uint8Array(0)],
      ['no frame', encode({ a: 1 })],
      ['an item too many', encode([1, 0, 'node.info', {}, 1])],
      ['a negative id', encode([-1, 0, 'node.info', {}])],
      ['an unknown kind', encode([1, 6, 'node.info', {}])],
      ['a reply from a caller', encode([1, 1, '', {}])],
      ['a long operation name', encode([1, 0, 'x'.repeat(65), {}])],
      ['CBOR that is not deterministic', Uint8Array.of(0x84, 0x18, 0x01, 0x00, 0x60, 0xf6)],
    ])('a frame that is %s closes the connection with the reason', async (_what, bytes) => {
      const node = createApiNode()
      await using served = await serve(node)
      await using client = await served.connect()
      client.send(bytes)
      const { value } = await client.loose.next()
      expect(value).toMatchObject({ kind: 'error', payload: { code: 'BAD_MESSAGE' } })
      await client.closed
      expect(node.dispatch.counters()['api.BAD_MESSAGE']).toBe(1)
    })

    test('an id that is in use closes the connection', async () => {
      await using served = await serve(createApiNode())
      await using client = await served.connect()
      const { id } = client.open('live.open', feed)
      client.sendFrame(id, 'request', 'node.info', {})
      const { value } = await client.loose.next()
      expect(value).toMatchObject({ kind: 'error', payload: { code: 'BAD_MESSAGE' } })
      await client.closed
    })
  })
}
