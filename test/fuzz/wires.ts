/**
 * The API's two wires as strangers see them: HTTP from its first byte, and frames of a WebSocket. The answers' sizes, that
 * the server lives on, and that nothing is left open are looked at; what the operations do is for services.ts.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { emptyPayload, encodedPayload, encodeFrame } from '../../protocol/api/frames.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { operations } from '../../protocol/api/operations.ts'
import { concatBytes, toHex, utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { createApiNode, owner } from '../support/api-node.ts'
import { Fault, type Target } from './fuzzer.ts'
import { seedsOf } from './seeds.ts'

const growthMax = 10
/** An answer is a status line, six headers and a failure with its help, whatever was asked. */
const answerBytesMin = 1_280

/** An id that no mutation begins with. */
const probeId = 2 ** 47 + 1
const probe = encodeFrame(probeId, 'request', 'node.info', encodedPayload({}))
const probeHead = Buffer.from(encodeFrame(probeId, 'reply', '', emptyPayload).subarray(0, 11))

export interface Wires extends AsyncDisposable {
  readonly targets: readonly Target[]
}

export async function openWires(): Promise<Wires> {
  const node = createApiNode()
  const http = await node.openHttp()
  const { port } = http
  return {
    targets: [
      {
        name: 'wire/http',
        seeds: requests(port),
        async run(input) {
          const answer = await exchange(port, input)
          checkGrowth(input, answer.length)
          // Past the parser and the routes, to the rule at least.
          return !/^(?:HTTP\/1\.1 (?:400|404|408|431)|$)/.test(answer.subarray(0, 12).toString('latin1'))
        },
      },
      {
        name: 'wire/socket',
        seeds: seedsOf('api-frames').filter(({ length }) => length < 4_096),
        run: (input) => sendFrame(port, input),
      },
    ],
    [Symbol.asyncDispose]: () => http.close(),
  }
}

/** All that comes back until the server ends the connection, which the last request of each input asks for. */
async function exchange(port: number, input: Uint8Array): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1' })
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  const closed = once(socket, 'close')
  // Reset by a server that has heard enough.
  socket.on('error', () => socket.destroy())
  socket.end(input)
  await closed
  return Buffer.concat(parts)
}

/** After the input a question whose answer tells that the connection outlived it, and that all before is answered. */
async function sendFrame(port: number, input: Uint8Array): Promise<boolean> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/socket`)
  let length = 0
  let outlived = false
  socket.on('message', (part: Buffer) => {
    outlived = part.subarray(0, probeHead.length).equals(probeHead)
    if (outlived) socket.close()
    else length += part.length
  })
  socket.on('error', () => socket.terminate())
  const closed = once(socket, 'close')
  await Promise.race([once(socket, 'open'), closed])
  socket.send(input)
  socket.send(probe)
  await closed
  checkGrowth(input, length)
  return outlived
}

function checkGrowth(input: Uint8Array, answered: number): void {
  if (answered > Math.max(answerBytesMin, growthMax * input.length)) {
    throw new Fault('a stranger is told more than ten times what it sent')
  }
}

function requests(port: number): Uint8Array[] {
  const host = `host: 127.0.0.1:${port}\r\n`
  const get = (path: string, more = ''): Uint8Array => utf8(`GET ${path} HTTP/1.1\r\n${host}${more}\r\n`)
  const post = (operation: string, type: string, body: Uint8Array): Uint8Array => {
    const head = `POST /api/v1/${operation} HTTP/1.1\r\n${host}content-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`
    return concatBytes(utf8(head), body)
  }
  const token = `authorization: Bearer ${'ab'.repeat(32)}\r\n`
  const chunked = `POST /api/v1/node.info HTTP/1.1\r\n${host}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`
  const huge = `POST /api/v1/node.info HTTP/1.1\r\n${host}content-length: ${apiLimits.bodyBytesMax + 1}\r\n\r\n{}`
  const upgrade =
    'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  return [
    ...Object.keys(operations).flatMap((operation) => [
      post(operation, 'application/cbor', encode({})),
      post(operation, 'application/json', utf8('{"owner":"00","nonce":1e9}')),
    ]),
    get(`/.well-known/onehop/${toHex(owner)}`),
    get(`/.well-known/onehop/${toHex(owner)}`, 'accept: application/cbor\r\n'),
    get('/'),
    get('/phone'),
    get('/phone/../../etc/passwd'),
    get('/phone/%2e%2e/%00', 'if-none-match: "x"\r\n'),
    get('/', token),
    get('/', 'origin: https://evil.example\r\n'),
    get('/api/v1/socket', upgrade),
    utf8(`OPTIONS /api/v1/node.info HTTP/1.1\r\n${host}origin: null\r\n\r\n`),
    utf8(`HEAD / HTTP/1.1\r\n${host}x-forwarded-for: 127.0.0.1\r\n\r\n`),
    utf8(chunked),
    utf8(huge),
    concatBytes(get('/'), get('/phone')),
  ]
}
