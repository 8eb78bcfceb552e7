/** Bytes on a TCP connection: for what no client library sends. */
import { connect, type Socket } from 'node:net'

export interface RawSocket {
  readonly socket: Socket
  /** All that came so far. */
  heard(): string
  /** All that came, when the other side has closed. */
  readonly closed: Promise<string>
  write(bytes: string | Uint8Array): void
}

export function openRaw(port: number): RawSocket {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (part: Buffer) => {
    heard += part.toString('latin1')
  })
  // Whoever is cut off while it writes sees a broken pipe.
  socket.on('error', () => {})
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(heard)))
  return {
    ...{ socket, closed, heard: () => heard },
    write(bytes) {
      if (!socket.destroyed) socket.write(bytes)
    },
  }
}

/** A piece of a WebSocket message as a client sends it, masked with zeros: opcode 2 begins one, 0 goes on, 10 is a pong. */
export function socketPiece(opcode: number, bytes: Uint8Array, isLast: boolean): Uint8Array {
  const first = (isLast ? 0x80 : 0) | opcode
  if (bytes.length < 126) return Buffer.concat([Buffer.of(first, 0x80 | bytes.length, 0, 0, 0, 0), bytes])
  const head = Buffer.alloc(14)
  head[0] = first
  head[1] = 0xff
  head.writeBigUInt64BE(BigInt(bytes.length), 2)
  return Buffer.concat([head, bytes])
}

/** The request that turns an HTTP connection into a WebSocket. */
export function upgradeRequest(token?: string): string {
  const lines = [
    'GET /api/v1/socket HTTP/1.1',
    'host: 127.0.0.1',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}
