/** Bodies and frames that are too large, or never come to an end: for every route, operation and kind of caller. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HttpServer } from '../../daemon/api/http.ts'
import { serverLimits } from '../../daemon/api/limits.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { operations } from '../../protocol/api/operations.ts'
import { encodedPayload, encodeFrame } from '../../protocol/api/frames.ts'
import { toHex } from '../../protocol/bytes.ts'
import { httpCaller, rawRequest } from '../support/api-client.ts'
import { adminToken, createApiNode, openSession, owner } from '../support/api-node.ts'
import { openRaw, socketPiece, upgradeRequest, type RawSocket } from '../support/raw-socket.ts'
import { until } from '../support/until.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const names = Object.keys(operations)
const api = createApiNode()
let http: HttpServer
let session: string

beforeAll(async () => {
  http = await api.openHttp()
  session = await openSession(httpCaller(http.port))
})
afterAll(() => http.close())

/** Nobody, a person, whoever runs the node. */
const tokens = (): readonly (string | undefined)[] => [undefined, session, adminToken]
const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }
const cbor = { 'content-type': 'application/cbor' }

const routes = [
  ...names.map((operation) => ['POST', `/api/v1/${operation}`] as const),
  ['GET', `/.well-known/onehop/${toHex(owner)}`],
  ['GET', '/'],
  ['GET', '/phone'],
  ['GET', '/phone/'],
  ['GET', '/api/v1/node.info'],
  ['POST', '/nowhere'],
] as const

function headOf([method, path]: (typeof routes)[number], headers: Record<string, string>): string {
  const all = { host: '127.0.0.1', ...cbor, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1])

/** A few at a time: each of them is a megabyte. */
async function inPortions<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < all.length; start += 8) await Promise.all(all.slice(start, start + 8).map(work))
}

describe('over HTTP', () => {
  test('a length over the limit is refused before any of it has come, whoever sends it', async () => {
    const length = { 'content-length': String(apiLimits.bodyBytesMax + 1) }
    const visits = names.flatMap((operation) => tokens().map((token) => ({ operation, token })))
    await Promise.all(
      visits.map(async ({ operation, token }) => {
        const raw = openRaw(http.port)
        raw.write(headOf(['POST', `/api/v1/${operation}`], { ...length, ...bearer(token) }))
        // Told at once it may be; what is still on its way is read on for a moment, so that the answer is read.
        expect(statusOf(await raw.closed), operation).toBe(413)
      }),
    )
  })

  test('a length that is not told is counted as it comes', async () => {
    const body = new Uint8Array(apiLimits.bodyBytesMax + 1)
    const visits = names.flatMap((operation) => tokens().map((token) => ({ operation, token })))
    await inPortions(visits, async ({ operation, token }) => {
      const headers = { ...cbor, ...bearer(token), 'transfer-encoding': 'chunked' }
      const path = `/api/v1/${operation}`
      expect((await rawRequest({ port: http.port, path, headers, body })).status, operation).toBe(413)
    })
  })

  test('what comes as the body of a route that reads none is not taken for a request', async () => {
    const inner = headOf(['POST', '/api/v1/node.info'], { 'content-length': '1' })
    await Promise.all(
      routes
        .filter(([method]) => method === 'GET')
        .map(async (route) => {
          const raw = openRaw(http.port)
          raw.write(headOf(route, { 'content-length': String(inner.length), connection: 'close' }) + inner)
          expect((await raw.closed).match(/HTTP\/1\.1 /g), route[1]).toHaveLength(1)
        }),
    )
  })

  test.each(['that stops in the middle', 'that drips'])(
    'a request %s is cut off, at every route',
    async (how) => {
      await using slow = await api.openHttp({ requestTimeoutMs: 300 })
      const open = new Set<RawSocket>()
      const begin = (head: string, piece: string): RawSocket => {
        const raw = openRaw(slow.port)
        open.add(raw)
        raw.write(head)
        if (how === 'that drips') {
          const drip = setInterval(() => raw.write(piece), 40)
          void raw.closed.then(() => clearInterval(drip))
        } else raw.write(piece)
        return raw
      }
      await Promise.all(
        routes.map(async (route) => {
          const byLength = begin(headOf(route, { 'content-length': '9999' }), 'a')
          const byChunk = begin(headOf(route, { 'transfer-encoding': 'chunked' }), '1\r\na\r\n')
          // Routes that read no body have answered by then; theirs is as little waited for.
          const said =
            route[0] === 'POST' && route[1] !== '/nowhere' ? [408, 499] : [200, 302, 400, 404, 408, 499]
          for (const raw of [byLength, byChunk]) expect(said, route[1]).toContain(statusOf(await raw.closed))
          const head = begin(headOf(route, {}).slice(0, -4), '\r\nx: y')
          expect(statusOf(await head.closed), route[1]).toBe(408)
        }),
      )
      expect([...open].every(({ socket }) => socket.destroyed)).toBe(true)
    },
  )
})

/** A WebSocket of which every byte is ours; it answers pings if told to. */
async function openSocket(port: number, { token, pongs }: { token?: string | undefined; pongs: boolean }) {
  const raw = openRaw(port)
  raw.write(upgradeRequest(token))
  await until(() => raw.heard().includes('\r\n\r\n'))
  expect(raw.heard()).toMatch(/^HTTP\/1\.1 101 /)
  if (pongs)
    raw.socket.on('data', (part: Buffer) => {
      if (part.includes(Buffer.of(0x89, 0x00))) raw.write(socketPiece(10, new Uint8Array(0), true))
    })
  return raw
}

/** A close frame of the node's with this code: 1009 is "too big". */
const closeOf = (code: number): string => Buffer.of(0x88, 0x02, code >> 8, code & 0xff).toString('latin1')

describe('over a WebSocket', () => {
  const visits = () => names.flatMap((operation) => tokens().map((token) => ({ operation, token })))
  /** A request that would be one, followed by more than a frame may hold. */
  const oversized = (operation: string): Uint8Array => {
    const frame = encodeFrame(1, 'request', operation, encodedPayload({}))
    return Buffer.concat([frame, new Uint8Array(apiLimits.frameBytesMax + 1 - frame.length)])
  }

  test('a frame over the limit ends the connection, whatever it asks and whoever sends it', async () => {
    await inPortions(visits(), async ({ operation, token }) => {
      const raw = await openSocket(http.port, { token, pongs: false })
      raw.write(socketPiece(2, oversized(operation), true))
      expect(await raw.closed, operation).toContain(closeOf(1009))
    })
  })

  test('one that comes in pieces no less', async () => {
    await inPortions(visits(), async ({ operation, token }) => {
      const raw = await openSocket(http.port, { token, pongs: false })
      const bytes = oversized(operation)
      const half = bytes.length >> 1
      raw.write(socketPiece(2, bytes.subarray(0, half), false))
      raw.write(socketPiece(0, bytes.subarray(half), true))
      expect(await raw.closed, operation).toContain(closeOf(1009))
    })
  })

  test('a frame that never ends is cut off, though its sender answers pings; who says nothing may stay', async () => {
    const clock = createVirtualClock()
    await using slow = await api.openHttp({ clock })
    const quiet = await openSocket(slow.port, { pongs: true })
    const talking = await openSocket(slow.port, { token: session, pongs: true })
    const dripping = await Promise.all(
      names.map(async (operation) => {
        const raw = await openSocket(slow.port, { token: session, pongs: true })
        raw.write(socketPiece(2, encodeFrame(1, 'request', operation, encodedPayload({})), false))
        return raw
      }),
    )
    const isOpen = ({ socket }: RawSocket): boolean => !socket.destroyed
    const pings = (raw: RawSocket): number => raw.heard().split('\u0089\u0000').length
    for (let rounds = 0; rounds < 6; rounds++) {
      const before = pings(quiet)
      await clock.advance(serverLimits.pingEveryMs)
      for (const raw of dripping) raw.write(socketPiece(0, Uint8Array.of(0), false))
      const frame = encodeFrame(rounds, 'request', 'node.info', encodedPayload({}))
      talking.write(socketPiece(2, frame, true))
      const answers = talking.heard().length
      await until(() => pings(quiet) > before && talking.heard().length > answers)
      // A round trip later the node has read what answered its pings, too.
      await httpCaller(slow.port)('node.info', {})
    }
    await Promise.all(dripping.map(({ closed }) => closed))
    expect([quiet, talking].map(isOpen)).toEqual([true, true])
    for (const raw of [quiet, talking]) raw.socket.destroy()
  })
})
