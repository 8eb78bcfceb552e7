import { OnehopError } from '../../protocol/errors.ts'
import type { Channel } from './channel.ts'
import { netLimits } from './net-limits.ts'
import type { NodeId } from './rpc.ts'

/**
 * A two-way stream of length-prefixed frames for protocols that are not request and answer between nodes: the
 * client API and pairing. Frames are at most limits.frameBytesMax.
 */
export interface FrameStream {
  /** The other side's authenticated key: a node's id, or a phone's transport key. */
  readonly remote: NodeId
  /** Frames as they come, for one reader. Ends when the stream does. Unread frames stop the peer from sending. */
  readonly source: AsyncIterable<Uint8Array>
  /** Aborts when the stream has closed, with CLOSED. */
  readonly signal: AbortSignal
  /** Resolves when there is room for the next frame. Rejects with CLOSED. */
  send(frame: Uint8Array): Promise<void>
  close(): void
}

export function createFrameStream(remote: NodeId, channel: Channel): FrameStream {
  const unread: Uint8Array[] = []
  let unreadBytes = 0
  const closed = new AbortController()
  let wakeReader: (() => void) | undefined
  let wakePeer: (() => void) | undefined

  channel.attach({
    onFrame(frame) {
      unread.push(frame)
      unreadBytes += frame.length
      wakeReader?.()
      if (unreadBytes <= netLimits.replyBytesWaitingMax) return undefined
      return new Promise((resolve) => {
        wakePeer = resolve
      })
    },
    onClose() {
      closed.abort(new OnehopError('CLOSED', 'the stream closed'))
      wakeReader?.()
      wakePeer?.()
    },
  })

  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      while (true) {
        const frame = unread.shift()
        if (frame !== undefined) {
          unreadBytes -= frame.length
          if (unreadBytes <= netLimits.replyBytesWaitingMax / 2) wakePeer?.()
          yield frame
          continue
        }
        if (closed.signal.aborted) return
        await new Promise<void>((resolve) => {
          wakeReader = resolve
        })
      }
    } finally {
      // Nobody reads on: what the peer still sends must not pile up.
      channel.close()
    }
  }

  return {
    remote,
    source: read(),
    signal: closed.signal,
    async send(frame) {
      if (closed.signal.aborted) throw closed.signal.reason
      if (frame.length > netLimits.bodyBytesMax) throw new OnehopError('TOO_LARGE', 'frame too long')
      channel.send(frame)
      if (channel.queuedBytes() > netLimits.replyBytesWaitingMax) {
        await channel.drained(netLimits.replyBytesWaitingMax)
      }
    },
    close: () => channel.close(),
  }
}
