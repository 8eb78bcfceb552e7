import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { apiLimits } from '../../protocol/api/limits.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { Caller } from './operations.ts'
import type { LeaveChanges } from './leave.ts'
import { serveConnection } from './connection.ts'
import type { FrameLink } from './connection.ts'
import type { Dispatch } from './dispatch.ts'
import { serverLimits } from './limits.ts'

export interface SocketPorts {
  readonly leave: LeaveChanges
  readonly dispatch: Dispatch
  readonly clock: Clock
}

export interface Sockets {
  /** The request has passed Host, Origin and token. Throws BUSY when there are too many. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    token: string | undefined,
    identify: (token: string | undefined) => Caller,
  ): void
  count(): number
  /** Ends every connection and its calls. */
  close(): Promise<void>
}

export function createSockets({ dispatch, leave, clock }: SocketPorts): Sockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: apiLimits.frameBytesMax,
    // Compressed frames of a megabyte cost memory per connection, and pictures and ciphertext gain nothing.
    perMessageDeflate: false,
    clientTracking: false,
  })
  const running = new Map<FrameLink, Promise<void>>()
  return {
    count: () => running.size,
    upgrade(request, socket, head, token, identify) {
      if (running.size >= serverLimits.socketsMax)
        throw new OnehopError('BUSY', 'too many WebSockets at once')
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const link = createSocketLink(webSocket, { socket: socket as Socket, head }, clock)
        const served = serveConnection(link, { dispatch, leave, token, identify }).finally(() =>
          running.delete(link),
        )
        running.set(link, served)
      })
    },
    async close() {
      for (const link of running.keys()) link.close()
      await Promise.all(running.values())
      server.close()
    },
  }
}

/** Before a client's ping or pong: two bytes and the mask. */
const controlHeadBytes = 6

/** A WebSocket as frames: it stops reading while frames wait here, and sending while the other side does not read. */
function createSocketLink(
  webSocket: WebSocket,
  { socket, head }: { readonly socket: Socket; readonly head: Buffer },
  clock: Clock,
): FrameLink {
  const unread: Uint8Array[] = []
  const closed = new AbortController()
  let wake: (() => void) | undefined
  let alive = true
  /** What was read of whole messages, and of pings and pongs, which may come in the middle of one. */
  let wholeBytes = socket.bytesRead - head.length
  let isMidway = false
  const close = (): void => {
    webSocket.close(1000)
    // The other side may never answer the close.
    const stop = clock.after(serverLimits.closeGraceMs, () => webSocket.terminate())
    if (closed.signal.aborted) stop()
    else closed.signal.addEventListener('abort', stop, { once: true })
  }
  let stopPing = (): void => {}

  const ping = (): void => {
    stopPing = clock.after(serverLimits.pingEveryMs, () => {
      // Begun before the last ping and not yet whole: a megabyte may come slowly, but not for as long as one likes.
      const wasMidway = isMidway
      isMidway = !webSocket.isPaused && socket.bytesRead > wholeBytes
      // A phone that walked out of range says nothing; without this its live queries would stay for hours.
      if (!alive || (wasMidway && isMidway)) {
        webSocket.terminate()
        return
      }
      alive = false
      webSocket.ping()
      ping()
    })
  }
  ping()

  webSocket.on('pong', (data: Buffer) => {
    alive = true
    wholeBytes += data.length + controlHeadBytes
  })
  webSocket.on('ping', (data: Buffer) => {
    wholeBytes += data.length + controlHeadBytes
  })
  webSocket.on('message', (data: Buffer, isBinary) => {
    alive = true
    isMidway = false
    wholeBytes = socket.bytesRead
    if (!isBinary) {
      webSocket.close(1003, 'frames are binary')
      return
    }
    unread.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    if (unread.length >= serverLimits.socketUnreadMax) webSocket.pause()
    wake?.()
  })
  // A close follows every error; a frame that was too long or not a frame has told the client by its close code.
  webSocket.on('error', () => webSocket.terminate())
  webSocket.once('close', () => {
    stopPing()
    closed.abort(new OnehopError('CLOSED', 'the WebSocket closed'))
    wake?.()
  })

  async function* read(): AsyncGenerator<Uint8Array> {
    while (true) {
      const frame = unread.shift()
      if (frame !== undefined) {
        if (webSocket.isPaused && unread.length <= serverLimits.socketUnreadMax / 2) webSocket.resume()
        yield frame
      } else if (closed.signal.aborted) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }

  return {
    source: read(),
    signal: closed.signal,
    send(frame) {
      return new Promise((resolve, reject) => {
        if (closed.signal.aborted) {
          reject(closed.signal.reason as Error)
          return
        }
        const waits = webSocket.bufferedAmount + frame.length > serverLimits.socketQueueBytesMax
        webSocket.send(frame, (error) => {
          if (error) reject(new OnehopError('CLOSED', 'the WebSocket closed', { cause: error }))
          else resolve()
        })
        // Below the mark the next frame need not wait until this one has left.
        if (!waits) resolve()
      })
    },
    close,
    // Nothing lies under it but its own TCP connection.
    expel: close,
  }
}
