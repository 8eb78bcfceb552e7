import { fromFailure } from '../protocol/api/failure.ts'
import { decodeFrame, encodedPayload, encodeFrame } from '../protocol/api/frames.ts'
import type { Frame } from '../protocol/api/frames.ts'
import { readEvent, readReply } from '../protocol/api/operations.ts'
import type { EventOf, SubscriptionName } from '../protocol/api/operations.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import { systemClock } from './clock.ts'
import { abortReason, withDeadline } from './deadline.ts'
import { clientLimits } from './limits.ts'
import type { CallOptions, Transport } from './transport.ts'

/** A two-way connection of frames: a WebSocket, a libp2p stream, or a pair in a test. */
export interface FrameLink {
  /** For one reader. Ends when the connection does. */
  readonly source: AsyncIterable<Uint8Array>
  /** Resolves when there is room for the next frame. Rejects when the connection is closed. */
  send(frame: Uint8Array): Promise<void>
  close(): void
}

export interface FrameTransportOptions {
  readonly address: string
  readonly clock?: Clock | undefined
  readonly timeoutMs?: number | undefined
}

export interface FrameTransport extends Transport {
  /** Aborts when the connection has closed. */
  readonly closed: AbortSignal
}

interface PendingCall {
  /** What the node says about this call, in order. */
  receive(frame: Frame): void
  fail(error: OnehopError): void
}

/** Calls of the API over frames (protocol/api/frames.ts). */
export function frameTransport(link: FrameLink, options: FrameTransportOptions): FrameTransport {
  const { clock = systemClock, timeoutMs = clientLimits.callTimeoutMs, address } = options
  const calls = new Map<number, PendingCall>()
  const closed = new AbortController()
  let nextId = 1

  const end = (error: OnehopError): void => {
    if (closed.signal.aborted) return
    closed.abort(error)
    link.close()
    for (const call of calls.values()) call.fail(error)
    calls.clear()
  }

  const read = async (): Promise<void> => {
    try {
      for await (const bytes of link.source) {
        const frame = decodeFrame(bytes)
        // The node says why before it closes the connection.
        if (frame.id === 0 && frame.kind === 'error') throw fromFailure(frame.payload, 'cbor')
        calls.get(frame.id)?.receive(frame)
      }
      end(new OnehopError('UNREACHABLE', `the connection to ${address} broke`))
    } catch (cause) {
      const error = asOnehopError(cause)
      end(error.code === 'INTERNAL' ? new OnehopError('UNREACHABLE', error.message, { cause }) : error)
    }
  }
  void read()

  const send = async (
    id: number,
    kind: 'request' | 'cancel',
    operation: string,
    payload: unknown,
  ): Promise<void> => {
    if (closed.signal.aborted) throw closed.signal.reason
    await link.send(encodeFrame(id, kind, operation, encodedPayload(payload)))
  }

  const cancel = (id: number): void => {
    calls.delete(id)
    // A connection that is closed has nothing left to cancel.
    send(id, 'cancel', '', null).catch(() => undefined)
  }

  const call: Transport['call'] = async (operation, request, callOptions = {}) => {
    const id = nextId++
    try {
      return await withDeadline(clock, callOptions.timeoutMs ?? timeoutMs, callOptions.signal, async () => {
        const answered = new Promise<unknown>((resolve, reject) => {
          calls.set(id, {
            receive: (frame) => (frame.kind === 'reply' ? resolve(frame.payload) : reject(failureOf(frame))),
            fail: reject,
          })
        })
        // Whoever waits for `send` has not yet begun to wait for the answer.
        answered.catch(() => undefined)
        await send(id, 'request', operation, request)
        return readReply(operation, await answered, 'cbor')
      })
    } catch (error) {
      if (calls.has(id)) cancel(id)
      throw error
    } finally {
      calls.delete(id)
    }
  }

  const open = async <N extends SubscriptionName>(
    operation: N,
    request: Parameters<Transport['open']>[1],
    callOptions: CallOptions = {},
  ) => {
    const id = nextId++
    const inbox = createInbox()
    const { signal } = callOptions
    calls.set(id, inbox)
    let reply
    try {
      const first = await withDeadline(clock, callOptions.timeoutMs ?? timeoutMs, signal, async () => {
        await send(id, 'request', operation, request)
        return inbox.next()
      })
      if (first === undefined || first.kind !== 'reply')
        throw first === undefined
          ? new OnehopError('BAD_MESSAGE', 'a call ended without a reply')
          : failureOf(first)
      reply = readReply(operation, first.payload, 'cbor')
    } catch (error) {
      cancel(id)
      throw error
    }

    async function* read(): AsyncGenerator<EventOf<N>> {
      const onAbort = (): void => inbox.fail(abortReason(signal))
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        while (signal?.aborted !== true) {
          const frame = await inbox.next()
          if (frame === undefined || frame.kind === 'end') return
          if (frame.kind !== 'event') throw failureOf(frame)
          yield readEvent(operation, frame.payload, 'cbor')
        }
      } catch (error) {
        if (signal?.aborted === true) return
        throw error
      } finally {
        signal?.removeEventListener('abort', onAbort)
        if (calls.has(id)) cancel(id)
      }
    }
    return { reply, events: read() }
  }

  const transport: FrameTransport = {
    address,
    binds: true,
    closed: closed.signal,
    call,
    open: open as Transport['open'],
    live: async () => transport,
    async close() {
      end(new OnehopError('CLOSED', 'this connection was closed'))
    },
  }
  return transport
}

function failureOf(frame: Frame): OnehopError {
  if (frame.kind === 'error') return fromFailure(frame.payload, 'cbor')
  return new OnehopError('BAD_MESSAGE', `the node sent ${frame.kind} where a reply was due`)
}

/** Frames of a live query, for one reader. A reader that never comes back must not fill the memory. */
function createInbox(): PendingCall & { next(): Promise<Frame | undefined> } {
  const frames: Frame[] = []
  let error: OnehopError | undefined
  let wake: (() => void) | undefined
  return {
    receive(frame) {
      if (frames.length >= clientLimits.liveEventsWaitingMax) {
        error ??= new OnehopError('LAGGING', 'the page reads this live query too slowly', {
          help: 'Open it again from the last position.',
        })
      } else frames.push(frame)
      wake?.()
    },
    fail(reason) {
      error ??= reason
      wake?.()
    },
    async next() {
      while (true) {
        const frame = frames.shift()
        if (frame !== undefined) return frame
        if (error !== undefined) throw error
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
