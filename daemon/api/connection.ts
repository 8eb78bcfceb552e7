/**
 * Calls over one connection that carries frames, a libp2p stream or a WebSocket alike. A frame that breaks the
 * grammar ends the connection; a call that fails ends alone.
 */
import { decodeFrame, emptyPayload, encodedPayload, encodeFrame } from '../../protocol/api/frames.ts'
import type { EncodedPayload, Frame, FrameKind } from '../../protocol/api/frames.ts'
import { toHex } from '../../protocol/bytes.ts'
import { toFailure } from '../../protocol/api/failure.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { isOperationName, isSubscription } from '../../protocol/api/operations.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Dispatch } from './dispatch.ts'
import type { LeaveChanges } from './leave.ts'
import type { Caller } from './operations.ts'

export interface FrameLink {
  /** For one reader. Ends when the connection does. */
  readonly source: AsyncIterable<Uint8Array>
  /** Aborts when the connection has closed. */
  readonly signal: AbortSignal
  /** Resolves when there is room for the next frame. */
  send(frame: Uint8Array): Promise<void>
  close(): void
  /** Closes what lies under it too: the device has been revoked. */
  expel(): void
}

export interface ConnectionPorts {
  readonly dispatch: Dispatch
  /** Who calls, given the token that the connection is bound to. Asked at every call. Throws what refuses a token. */
  readonly identify: (token: string | undefined) => Caller
  /** From the request that opened the connection. */
  readonly token: string | undefined
  /** Says when leave may have ended: then nothing goes out any more, whether somebody calls or not. */
  readonly leave: Pick<LeaveChanges, 'on'>
}

/** Resolves when the connection has closed and every call of it has ended. */
export async function serveConnection(link: FrameLink, ports: ConnectionPorts): Promise<void> {
  const { dispatch } = ports
  const calls = new Map<number, AbortController>()
  const running = new Set<Promise<void>>()
  const live = new Set<number>()
  let token = ports.token
  /** By person: of whom it hears when leave of theirs may have ended. */
  const watched = new Map<string, () => void>()
  /** By call under way: the token that it came with, and whether it is an app's. */
  const tokens = new Map<number, { readonly token: string | undefined; readonly isApp: boolean }>()

  const abortAll = (): void => {
    for (const call of calls.values()) call.abort(link.signal.reason)
  }
  link.signal.addEventListener('abort', abortAll, { once: true })

  const send = (id: number, kind: FrameKind, payload: EncodedPayload): Promise<void> =>
    link.send(encodeFrame(id, kind, '', payload))

  const fail = (id: number, error: OnehopError): Promise<void> =>
    send(id, 'error', encodedPayload(toFailure(error)))

  /** Throws what refuses the token. Whose leave it is, the connection hears of from now on. */
  const identify = (asked: string | undefined): Caller => {
    const caller = ports.identify(asked)
    if (caller.kind !== 'session' && caller.kind !== 'app') return caller
    const person = toHex(caller.owner)
    if (!watched.has(person)) watched.set(person, ports.leave.on(caller.owner, lookAgain))
    return caller
  }

  /** Nothing goes out any more; then why, and the end. */
  const cutOff = (error: OnehopError): void => {
    for (const call of calls.values()) call.abort(error)
    dispatch.refused(error)
    fail(0, error)
      .catch(() => undefined)
      .finally(() => (error.code === 'REVOKED' ? link.expel() : link.close()))
  }

  /**
   * A revoked device, or an app whose token was taken back, keeps no connection: it is told why, and cut off. A session
   * that is over by time is no reason: what was opened in it asks for leave before each event.
   */
  const lookAgain = (): void => {
    for (const asked of [{ token, isApp: false }, ...tokens.values()]) {
      if (asked.token === undefined) continue
      try {
        ports.identify(asked.token)
      } catch (cause) {
        const error = asOnehopError(cause)
        if (error.code !== 'UNAUTHENTICATED' || asked.isApp) return cutOff(error)
      }
    }
  }

  const serve = async (frame: Frame, call: AbortController): Promise<void> => {
    const { id, operation, payload } = frame
    const asked = token
    const caller = identify(asked)
    tokens.set(id, { token: asked, isApp: caller.kind === 'app' })
    const { reply, events } = await dispatch.call(operation, payload, 'cbor', {
      caller,
      signal: call.signal,
      token,
      bind: (next) => {
        token = next
        if (next !== undefined) identify(next)
      },
    })
    await send(id, 'reply', reply)
    if (events === undefined) return
    for await (const event of events) {
      if (call.signal.aborted) break
      // A person who revokes an app's token sees it end, live queries too.
      if (caller.kind === 'app') ports.identify(asked)
      await send(id, 'event', event)
    }
    await send(id, 'end', emptyPayload)
  }

  // Live queries stay open for hours; they have places of their own.
  const isFull = (frame: Frame): boolean =>
    isLive(frame)
      ? live.size >= apiLimits.subscriptionsPerConnectionMax
      : calls.size - live.size >= apiLimits.callsPerConnectionMax

  const start = (frame: Frame): void => {
    const call = new AbortController()
    calls.set(frame.id, call)
    if (isLive(frame)) live.add(frame.id)
    const task = serve(frame, call)
      .catch((cause: unknown) => {
        const error = asOnehopError(cause)
        dispatch.refused(error)
        const told = fail(frame.id, error)
        // Whoever proves a key that was revoked has nothing more to say here.
        const isOut = error.code === 'REVOKED' && frame.operation === 'session.open'
        return isOut ? told.then(() => link.expel()) : told
      })
      // Only a closed connection refuses an error frame, and then there is nobody left to tell.
      .catch(() => undefined)
      .finally(() => {
        calls.delete(frame.id)
        tokens.delete(frame.id)
        live.delete(frame.id)
        running.delete(task)
        // Whatever the handler tied to the call ends with it.
        call.abort(new OnehopError('ABORTED', 'the call has ended'))
      })
    running.add(task)
  }

  const receive = async (bytes: Uint8Array): Promise<void> => {
    const frame = decodeFrame(bytes)
    if (frame.kind === 'cancel') {
      calls.get(frame.id)?.abort(new OnehopError('ABORTED', 'the caller cancelled'))
    } else if (frame.kind !== 'request') {
      throw new OnehopError('BAD_MESSAGE', 'a caller sends request and cancel')
    } else if (calls.has(frame.id)) {
      throw new OnehopError('BAD_MESSAGE', 'a frame id was used twice')
    } else if (isFull(frame)) {
      const busy = new OnehopError('BUSY', 'too many calls at once in one connection')
      dispatch.refused(busy)
      await fail(frame.id, busy)
    } else start(frame)
  }

  try {
    for await (const bytes of link.source) {
      try {
        await receive(bytes)
      } catch (cause) {
        const error = asOnehopError(cause)
        dispatch.refused(error)
        // Before the loop is left, which closes the source; a closed connection has nobody left to tell.
        if (!link.signal.aborted) await fail(0, error).catch(() => undefined)
        break
      }
    }
  } finally {
    link.close()
    abortAll()
    await Promise.all(running)
    // Last: a call that was opening a session may have begun to watch until now.
    for (const stop of watched.values()) stop()
    link.signal.removeEventListener('abort', abortAll)
  }
}

function isLive(frame: Frame): boolean {
  return isOperationName(frame.operation) && isSubscription(frame.operation)
}
