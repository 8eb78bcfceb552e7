/**
 * The two ends of a request stream, without the stream: frames in, frames out. Both transports run these.
 *
 * Invariants
 * 1. Every call ends exactly once: reply, error, cancel or closing.
 * 2. At most requestsInFlightMax requests and bytesInFlightMax body bytes are under way; others wait in order.
 * 3. A handler's place is free only when the handler has settled, whether or not its caller still waits.
 * 4. Nothing is sent for a request whose caller has cancelled or whose deadline has passed.
 */
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Method } from '../../protocol/methods.ts'
import type { Clock } from '../../protocol/ports.ts'
import { decodeFrame, encodeFrame } from './frame.ts'
import { netLimits } from './net-limits.ts'
import type { NodeId, RpcHandler } from './rpc.ts'

export interface Call {
  readonly method: Method
  readonly body: Uint8Array
  /** On the monotonic clock. */
  readonly deadlineMs: number
  settle(result: Uint8Array | OnehopError): void
}

/** The opener's end. */
export class Requester {
  readonly #clock: Clock
  readonly #send: (frame: Uint8Array) => void
  readonly #inFlight = new Map<number, Call>()
  readonly #waiting = new Set<Call>()
  #bytesInFlight = 0
  #lastId = 0
  #closed: OnehopError | undefined

  constructor(options: { clock: Clock; send: (frame: Uint8Array) => void }) {
    this.#clock = options.clock
    this.#send = options.send
  }

  /** Returns the way to give the call up. */
  start(call: Call): (reason: OnehopError) => void {
    if (this.#closed !== undefined) {
      call.settle(this.#closed)
      return () => {}
    }
    if (this.#waiting.size >= netLimits.requestsWaitingMax) {
      call.settle(new OnehopError('BUSY', `${this.#waiting.size} requests wait for this peer already`))
      return () => {}
    }
    this.#waiting.add(call)
    this.#advance()
    return (reason) => this.#cancel(call, reason)
  }

  /** Throws when the peer breaks the grammar; the caller then resets the stream. */
  onFrame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes)
    if (frame.kind === 'request' || frame.kind === 'cancel') {
      throw new OnehopError('BAD_MESSAGE', `${frame.kind} frame from the side that answers`)
    }
    const call = this.#inFlight.get(frame.id)
    // Unknown ids are answers to calls that were given up.
    if (call === undefined) return
    this.#release(frame.id, call)
    call.settle(frame.kind === 'reply' ? frame.body : new OnehopError(frame.code, frame.message))
    this.#advance()
  }

  close(reason: OnehopError): void {
    if (this.#closed !== undefined) return
    this.#closed = reason
    const calls = [...this.#inFlight.values(), ...this.#waiting]
    this.#inFlight.clear()
    this.#waiting.clear()
    for (const call of calls) call.settle(reason)
  }

  #advance(): void {
    for (const call of this.#waiting) {
      const fits =
        this.#inFlight.size < netLimits.requestsInFlightMax &&
        (this.#bytesInFlight === 0 || this.#bytesInFlight + call.body.length <= netLimits.bytesInFlightMax)
      if (!fits) return
      this.#waiting.delete(call)
      const timeoutMs = Math.ceil(call.deadlineMs - this.#clock.monotonicMs())
      // Its own timer fires in a moment; sending it now would only waste the other side's work.
      if (timeoutMs <= 0) {
        call.settle(new OnehopError('TIMEOUT', `${call.method} timed out before it was sent`))
        continue
      }
      const id = this.#freeId()
      this.#inFlight.set(id, call)
      this.#bytesInFlight += call.body.length
      this.#send(encodeFrame({ kind: 'request', id, timeoutMs, method: call.method, body: call.body }))
    }
  }

  #cancel(call: Call, reason: OnehopError): void {
    if (this.#waiting.delete(call)) {
      call.settle(reason)
      return
    }
    for (const [id, other] of this.#inFlight) {
      if (other !== call) continue
      this.#release(id, call)
      this.#send(encodeFrame({ kind: 'cancel', id }))
      call.settle(reason)
      this.#advance()
      return
    }
  }

  #release(id: number, call: Call): void {
    this.#inFlight.delete(id)
    this.#bytesInFlight -= call.body.length
  }

  #freeId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0
    while (this.#inFlight.has(this.#lastId))
    return this.#lastId
  }
}

export interface ResponderOptions {
  readonly from: NodeId
  readonly clock: Clock
  readonly handler: (method: Method) => RpcHandler | undefined
  /** Whether the peer may still send a request of so many bytes. */
  readonly admit: (bytes: number) => boolean
  readonly send: (frame: Uint8Array) => void
  /** Told of every request that got an error, for logs and counters. */
  readonly onRefused: (method: Method, error: OnehopError) => void
}

interface Running {
  readonly controller: AbortController
  readonly stopTimer: () => void
  silent: boolean
}

/** The other side's end. */
export class Responder {
  readonly #options: ResponderOptions
  readonly #running = new Map<number, Running>()
  /** Cancelled ones whose handlers have not come back. */
  #lingering = 0
  #refusalsInRow = 0

  constructor(options: ResponderOptions) {
    this.#options = options
  }

  /** Throws when the peer breaks the grammar or will not slow down; the caller then resets the stream. */
  onFrame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes)
    switch (frame.kind) {
      case 'cancel':
        this.#silence(frame.id, new OnehopError('ABORTED', 'the caller cancelled'))
        return
      case 'reply':
      case 'error':
        throw new OnehopError('BAD_MESSAGE', `${frame.kind} frame from the side that asks`)
      case 'request': {
        if (this.#running.has(frame.id)) throw new OnehopError('BAD_MESSAGE', 'request id used twice at once')
        const refusal = this.#refusal(bytes.length)
        if (refusal !== undefined) {
          this.#answerError(frame.id, frame.method, refusal)
          return
        }
        const handler = this.#options.handler(frame.method)
        if (handler === undefined) {
          this.#answerError(
            frame.id,
            frame.method,
            new OnehopError('UNSUPPORTED', `no method ${frame.method}`),
          )
          return
        }
        void this.#run(frame.id, frame.method, handler, frame.body, frame.timeoutMs)
      }
    }
  }

  close(): void {
    for (const id of this.#running.keys()) this.#silence(id, new OnehopError('ABORTED', 'the peer is gone'))
  }

  #refusal(bytes: number): OnehopError | undefined {
    const full = this.#running.size + this.#lingering >= netLimits.handlersMax
    if (!full && this.#options.admit(bytes)) {
      this.#refusalsInRow = 0
      return undefined
    }
    this.#refusalsInRow++
    if (this.#refusalsInRow > netLimits.refusalsMax)
      throw new OnehopError('BUSY', 'peer ignores every refusal')
    return new OnehopError('BUSY', full ? 'too many requests at once' : 'more than this peer may send')
  }

  async #run(
    id: number,
    method: Method,
    handler: RpcHandler,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<void> {
    const { clock, from, send } = this.#options
    const controller = new AbortController()
    const stopTimer = clock.after(Math.min(timeoutMs, netLimits.timeoutMsMax), () =>
      this.#silence(id, new OnehopError('TIMEOUT', 'the caller waits no longer')),
    )
    const running: Running = { controller, stopTimer, silent: false }
    this.#running.set(id, running)
    let answer: Uint8Array | undefined
    let failure: OnehopError | undefined
    try {
      answer = encodeFrame({
        kind: 'reply',
        id,
        body: await handler({ from, body, signal: controller.signal }),
      })
    } catch (error) {
      failure = asOnehopError(error)
    }
    if (running.silent) {
      this.#lingering--
      return
    }
    stopTimer()
    this.#running.delete(id)
    if (answer !== undefined) send(answer)
    else if (failure !== undefined) this.#answerError(id, method, failure)
  }

  #answerError(id: number, method: Method, error: OnehopError): void {
    this.#options.onRefused(method, error)
    // What broke inside is for our log; a stranger learns that something did.
    const message = error.code === 'INTERNAL' ? 'the handler failed' : error.message
    this.#options.send(encodeFrame({ kind: 'error', id, code: error.code, message }))
  }

  #silence(id: number, reason: OnehopError): void {
    const running = this.#running.get(id)
    if (running === undefined) return
    this.#running.delete(id)
    running.silent = true
    this.#lingering++
    running.stopTimer()
    running.controller.abort(reason)
  }
}
