import { OnehopError } from '../protocol/errors.ts'
import { systemClock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { frameTransport } from './frame-link.ts'
import type { FrameLink, FrameTransport, FrameTransportOptions } from './frame-link.ts'
import { clientLimits } from './limits.ts'

/** What a page's WebSocket and Node's have in common. */
export type Socket = Pick<WebSocket, 'binaryType' | 'bufferedAmount' | 'readyState' | 'send' | 'close'> &
  Pick<EventTarget, 'addEventListener'>
export type OpenSocket = (url: string) => Socket

/** Beyond so much unsent a frame waits, so that a slow link is felt by whoever sends. */
const bufferedBytesMax = 4 * 1024 * 1024
const drainCheckMs = 20
const isOpen = 1

/** `address`: `http://host:port` of a node. Rejects with UNREACHABLE or TIMEOUT. */
export async function webSocketTransport(
  options: FrameTransportOptions & { readonly openSocket?: OpenSocket | undefined },
): Promise<FrameTransport> {
  const { clock = systemClock, timeoutMs = clientLimits.callTimeoutMs } = options
  const address = options.address.replace(/\/+$/, '')
  const url = `${address.replace(/^http/, 'ws')}/api/v1/socket`
  const openSocket = options.openSocket ?? ((target: string): Socket => new WebSocket(target))
  const socket = openSocket(url)
  socket.binaryType = 'arraybuffer'

  const unread: Uint8Array[] = []
  let wake = (): void => {}
  let closed = false
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('close', () => {
      closed = true
      wake()
      reject(new OnehopError('UNREACHABLE', `no WebSocket to ${address}`))
    })
  })
  // A close follows every error, and says the same.
  socket.addEventListener('error', () => undefined)
  socket.addEventListener('message', (event) => {
    const { data } = event as MessageEvent<unknown>
    if (!(data instanceof ArrayBuffer)) return
    unread.push(new Uint8Array(data))
    wake()
  })
  try {
    await withDeadline(clock, timeoutMs, undefined, () => opened)
  } catch (error) {
    socket.close()
    throw error
  }

  async function* read(): AsyncGenerator<Uint8Array> {
    while (true) {
      const frame = unread.shift()
      if (frame !== undefined) yield frame
      else if (closed) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }

  const link: FrameLink = {
    source: read(),
    async send(frame) {
      while (socket.bufferedAmount > bufferedBytesMax && !closed) await clock.sleep(drainCheckMs)
      if (closed || socket.readyState !== isOpen)
        throw new OnehopError('UNREACHABLE', `the connection to ${address} broke`)
      socket.send(frame as Uint8Array<ArrayBuffer>)
    },
    close: () => socket.close(),
  }
  return frameTransport(link, { address, clock, timeoutMs })
}
