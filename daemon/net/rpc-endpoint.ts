/** Rpc over any transport: one stream per peer and family, opened when first needed and again after a reset. */
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Method } from '../../protocol/methods.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { TwoHalves } from '../../storage/two-halves.ts'
import { Budget } from './budget.ts'
import type { Channel, RpcTransport } from './channel.ts'
import { withDeadline } from './deadline.ts'
import { checkMethod, familyOf, protocolOf } from './frame.ts'
import { netLimits } from './net-limits.ts'
import { Requester, Responder } from './rpc-machine.ts'
import type { NodeId, Rpc, RpcCallOptions, RpcHandler } from './rpc.ts'
import { Turns } from './turns.ts'

export interface RpcBudgets {
  readonly requestsPerS: number
  readonly requestsBurst: number
  readonly bytesPerS: number
  readonly bytesBurst: number
}

export interface RpcStats {
  /** Requests that this node sent and received, since it started. */
  readonly sent: number
  readonly received: number
  /** Requests answered with an error, and streams reset for breaking the grammar (`stream`), by code. */
  readonly refused: Readonly<Record<string, number>>
}

export interface RpcEndpointOptions {
  readonly transport: RpcTransport
  readonly clock: Clock
  readonly log: Log
  readonly budgets?: Partial<RpcBudgets>
}

interface Link {
  readonly channel: Channel
  readonly requester: Requester
}

export class RpcEndpoint implements Rpc<Method> {
  readonly self: NodeId
  readonly #transport: RpcTransport
  readonly #clock: Clock
  readonly #log: Log
  readonly #budgets: RpcBudgets
  readonly #turns: Turns
  readonly #handlers = new Map<Method, RpcHandler>()
  readonly #families = new Set<string>()
  readonly #links = new Map<string, Promise<Link>>()
  readonly #channels = new Set<Channel>()
  readonly #inbound = new Map<string, number>()
  readonly #peerBudgets = new TwoHalves<{ requests: Budget; bytes: Budget }>(netLimits.budgetsMax)
  readonly #closing = new AbortController()
  readonly #refused: Record<string, number> = {}
  #sent = 0
  #received = 0

  constructor(options: RpcEndpointOptions) {
    this.#transport = options.transport
    this.self = options.transport.self
    this.#clock = options.clock
    this.#log = options.log
    this.#budgets = { ...netLimits, ...options.budgets }
    this.#turns = new Turns(options.clock, netLimits.turnMs)
  }

  handle(method: Method, handler: RpcHandler): void {
    checkMethod(method)
    if (this.#handlers.has(method)) throw new OnehopError('INTERNAL', `${method} has a handler already`)
    this.#handlers.set(method, handler)
    const family = familyOf(method)
    if (this.#families.has(family)) return
    this.#families.add(family)
    this.#transport.listen(protocolOf(family), (from, channel) => this.#accept(from, family, channel))
  }

  request(to: NodeId, method: Method, body: Uint8Array, options: RpcCallOptions): Promise<Uint8Array> {
    const refusal = this.#refusal(to, method, body, options.signal)
    if (refusal !== undefined) return Promise.reject(refusal)
    const timeoutMs = Math.min(options.timeoutMs ?? netLimits.timeoutMs, netLimits.timeoutMsMax)
    this.#sent++
    return new Promise((resolve, reject) => {
      let settled = false
      let cancel: ((reason: OnehopError) => void) | undefined
      const settle = (result: Uint8Array | OnehopError): void => {
        if (settled) return
        settled = true
        stopTimer()
        options.signal.removeEventListener('abort', onAbort)
        if (result instanceof OnehopError) reject(result)
        else resolve(result)
      }
      const giveUp = (reason: OnehopError): void => {
        cancel?.(reason)
        settle(reason)
      }
      const onAbort = (): void => giveUp(abortError(options.signal))
      const stopTimer = this.#clock.after(timeoutMs, () =>
        giveUp(new OnehopError('TIMEOUT', `no answer to ${method} within ${timeoutMs} ms`)),
      )
      options.signal.addEventListener('abort', onAbort, { once: true })
      const deadlineMs = this.#clock.monotonicMs() + timeoutMs
      this.#link(to, familyOf(method)).then(
        (link) => {
          if (!settled) cancel = link.requester.start({ method, body, deadlineMs, settle })
        },
        (error: unknown) => settle(asOnehopError(error)),
      )
    })
  }

  connected(): readonly NodeId[] {
    return this.#transport.connected()
  }

  onPeer(listener: (peer: NodeId, state: 'connected' | 'disconnected') => void): () => void {
    return this.#transport.onPeer(listener)
  }

  stats(): RpcStats {
    return { sent: this.#sent, received: this.#received, refused: { ...this.#refused } }
  }

  /** Calls under way end with CLOSED; handlers see their signals abort. */
  close(): void {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new OnehopError('CLOSED', 'the node is closing'))
    for (const channel of this.#channels) channel.abort(new OnehopError('CLOSED', 'the node is closing'))
  }

  #refusal(to: NodeId, method: Method, body: Uint8Array, signal: AbortSignal): OnehopError | undefined {
    if (this.#closing.signal.aborted) return new OnehopError('CLOSED', 'the node is closing')
    if (signal.aborted) return abortError(signal)
    try {
      checkMethod(method)
    } catch (error) {
      return asOnehopError(error)
    }
    if (to === this.self) return new OnehopError('BAD_REQUEST', 'a node does not ask itself over the network')
    if (body.length > netLimits.bodyBytesMax) {
      return new OnehopError(
        'TOO_LARGE',
        `${body.length} bytes in one request; ${netLimits.bodyBytesMax} fit`,
      )
    }
    return undefined
  }

  /** Callers share one attempt to open; who gives up leaves it to the others. */
  #link(to: NodeId, family: string): Promise<Link> {
    const key = `${family} ${to}`
    const existing = this.#links.get(key)
    if (existing !== undefined) return existing
    const opening = this.#open(to, family, () => {
      if (this.#links.get(key) === opening) this.#links.delete(key)
    })
    this.#links.set(key, opening)
    opening.catch(() => {
      if (this.#links.get(key) === opening) this.#links.delete(key)
    })
    return opening
  }

  async #open(to: NodeId, family: string, onClosed: () => void): Promise<Link> {
    const channel = await withDeadline(this.#clock, netLimits.timeoutMs, this.#closing.signal, (signal) =>
      this.#transport.open(to, protocolOf(family), signal),
    )
    if (this.#closing.signal.aborted) {
      channel.abort(this.#closing.signal.reason as OnehopError)
      throw this.#closing.signal.reason
    }
    const requester = new Requester({ clock: this.#clock, send: (frame) => channel.send(frame) })
    this.#channels.add(channel)
    channel.attach({
      onFrame: (frame) => this.#guard(to, family, () => requester.onFrame(frame)),
      onClose: () => {
        this.#channels.delete(channel)
        onClosed()
        requester.close(
          this.#closing.signal.aborted
            ? new OnehopError('CLOSED', 'the node is closing')
            : new OnehopError('UNREACHABLE', `the stream to ${to} closed`),
        )
      },
    })
    return { channel, requester }
  }

  #accept(from: NodeId, family: string, channel: Channel): void {
    const key = `${family} ${from}`
    const open = this.#inbound.get(key) ?? 0
    if (this.#closing.signal.aborted || open >= netLimits.streamsPerFamilyMax) {
      this.#count('BUSY')
      channel.abort(new OnehopError('BUSY', 'too many streams'))
      return
    }
    this.#inbound.set(key, open + 1)
    this.#channels.add(channel)
    const responder = new Responder({
      from,
      clock: this.#clock,
      // A stream carries its own family only: limits and protocol ids would mean nothing otherwise.
      handler: (method) => (familyOf(method) === family ? this.#handlers.get(method) : undefined),
      admit: (bytes) => this.#admit(from, bytes),
      send: (frame) => channel.send(frame),
      onRefused: (method, error) => {
        this.#count(error.code)
        if (error.code === 'INTERNAL') this.#log.error('rpc.handler-failed', { from, method, error })
        else this.#log.debug('rpc.refused', { from, method, code: error.code })
      },
    })
    const serve = (frame: Uint8Array): void => {
      try {
        this.#guard(from, family, () => responder.onFrame(frame))
      } catch (error) {
        channel.abort(asOnehopError(error))
      }
    }
    // A peer that asks and does not read would fill our memory with its replies.
    const untilRead = (): Promise<void> | undefined =>
      channel.queuedBytes() > netLimits.replyBytesWaitingMax
        ? channel.drained(netLimits.replyBytesWaitingMax)
        : undefined
    channel.attach({
      onFrame: (frame) => {
        const turn = this.#turns.take(from, () => serve(frame))
        return turn === undefined ? untilRead() : turn.then(untilRead)
      },
      onClose: () => {
        this.#channels.delete(channel)
        const left = (this.#inbound.get(key) ?? 1) - 1
        if (left === 0) this.#inbound.delete(key)
        else this.#inbound.set(key, left)
        responder.close()
      },
    })
  }

  #guard(peer: NodeId, family: string, action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#count(`stream ${asOnehopError(error).code}`)
      this.#log.warn('rpc.stream-reset', { peer, family, error })
      throw error
    }
  }

  #admit(peer: NodeId, bytes: number): boolean {
    this.#received++
    const nowMs = this.#clock.monotonicMs()
    const budgets = this.#budgets
    const budget = this.#peerBudgets.get(peer) ?? {
      requests: new Budget(budgets.requestsPerS, budgets.requestsBurst, nowMs),
      bytes: new Budget(budgets.bytesPerS, budgets.bytesBurst, nowMs),
    }
    // Kept over reconnects, so that reconnecting buys nothing.
    this.#peerBudgets.set(peer, budget)
    return budget.requests.take(1, nowMs) && budget.bytes.take(bytes, nowMs)
  }

  #count(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
  }
}

function abortError(signal: AbortSignal): OnehopError {
  const error = asOnehopError(signal.reason)
  return error.code === 'INTERNAL' ? new OnehopError('ABORTED', 'cancelled', { cause: signal.reason }) : error
}
