/** The least of a client: what the contract suite needs to speak to a node over each transport. */
import { request as httpRequest } from 'node:http'
import { WebSocket } from 'ws'
import { fromFailure } from '../../protocol/api/failure.ts'
import { decodeFrame, encodedPayload, encodeFrame } from '../../protocol/api/frames.ts'
import type { Frame } from '../../protocol/api/frames.ts'
import { readReply } from '../../protocol/api/operations.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Caller } from './api-node.ts'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface RawRequest {
  readonly port: number
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

/** As fetch, but the Host header is ours to choose. */
export function rawRequest({
  port,
  path,
  method = 'POST',
  headers = {},
  body,
}: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

export function httpCaller(port: number, token?: string): Caller {
  return async (operation, request) => {
    const answer = await rawRequest({
      port,
      path: `/api/v1/${operation}`,
      headers: {
        'content-type': 'application/cbor',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: encode(request),
    })
    const value = decode(answer.body)
    if (answer.status !== 200) throw fromFailure(value, 'cbor')
    return readReply(operation, value, 'cbor')
  }
}

export interface FrameClient extends AsyncDisposable {
  readonly call: Caller
  /** Frames that answer one request, as they come; the first may be an error. */
  open(operation: string, payload: unknown): { readonly id: number; readonly frames: AsyncGenerator<Frame> }
  send(bytes: Uint8Array): void
  sendFrame(id: number, kind: Frame['kind'], operation: string, payload: unknown): void
  /** Frames of no request: what the node says before it closes. */
  readonly loose: AsyncGenerator<Frame>
  readonly closed: Promise<void>
}

interface Wire {
  send(bytes: Uint8Array): void
  readonly frames: AsyncIterable<Uint8Array>
  close(): void
}

export function frameClient(wire: Wire): FrameClient {
  const inboxes = new Map<number, Inbox>()
  let nextId = 1
  const inboxOf = (id: number): Inbox => {
    const inbox = inboxes.get(id) ?? new Inbox()
    inboxes.set(id, inbox)
    return inbox
  }
  const loose = inboxOf(0)
  /** Why the node closed the connection, if it said so. */
  let said = new OnehopError('CLOSED', 'the connection closed')
  let isEnded = false
  const closed = (async () => {
    for await (const bytes of wire.frames) {
      const frame = decodeFrame(bytes)
      inboxOf(frame.id).push(frame)
      if (frame.id === 0 && frame.kind === 'error') said = fromFailure(frame.payload, 'cbor')
    }
    isEnded = true
    for (const inbox of inboxes.values()) inbox.end()
  })()
  const client: FrameClient = {
    loose: loose.frames(),
    closed,
    send: (bytes) => wire.send(bytes),
    sendFrame: (id, kind, operation, payload) => {
      wire.send(encodeFrame(id, kind, operation, encodedPayload(payload)))
    },
    open(operation, payload) {
      const id = nextId++
      const inbox = inboxOf(id)
      client.sendFrame(id, 'request', operation, payload)
      return { id, frames: inbox.frames() }
    },
    async call(operation, request) {
      if (isEnded) throw said
      const { value: frame } = await client.open(operation, request).frames.next()
      if (frame === undefined) throw said
      const { kind, payload } = frame as Frame
      if (kind === 'error') throw fromFailure(payload, 'cbor')
      return readReply(operation, payload, 'cbor')
    },
    async [Symbol.asyncDispose]() {
      wire.close()
      await closed
    },
  }
  return client
}

class Inbox {
  readonly #waiting: Frame[] = []
  #ended = false
  #wake = (): void => {}

  push(frame: Frame): void {
    this.#waiting.push(frame)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *frames(): AsyncGenerator<Frame> {
    while (true) {
      const frame = this.#waiting.shift()
      if (frame !== undefined) yield frame
      else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}

export interface SocketOptions {
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Rejects with the HTTP status when the upgrade is refused. */
export async function socketClient(port: number, options: SocketOptions = {}): Promise<FrameClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/socket`, {
    headers: {
      ...options.headers,
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    },
  })
  const received: Uint8Array[] = []
  let wake = (): void => {}
  let ended = false
  socket.on('message', (data: Buffer) => {
    received.push(new Uint8Array(data))
    wake()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
    socket.once('unexpected-response', (_request, response) => {
      response.resume()
      reject(new Error(`status ${response.statusCode}`))
    })
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    ended = true
    wake()
  })
  async function* frames(): AsyncGenerator<Uint8Array> {
    while (true) {
      const bytes = received.shift()
      if (bytes !== undefined) yield bytes
      else if (ended) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
  return frameClient({ send: (bytes) => socket.send(bytes), frames: frames(), close: () => socket.close() })
}
