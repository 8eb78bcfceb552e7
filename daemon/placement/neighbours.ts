import { candidateOf } from '../../protocol/placement/candidate.ts'
import { silenceMs } from '../../protocol/placement/mending.ts'
import { decodeHello, encodeHello, type Hello } from '../../protocol/placement/messages.ts'
import type { Candidate } from '../../protocol/placement/rendezvous.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { NodeId, Routing, Rpc } from '../net/rpc.ts'
import type { Absences } from './absences.ts'

/** What this node knows of another: what it said of itself, and when it was last heard. */
export interface Neighbour {
  readonly node: NodeId
  readonly hello: Hello
  /** Monotonic. */
  readonly heardMs: number
  readonly latencyMs: number
}

export interface NeighboursParts {
  readonly rpc: Rpc
  readonly routing: Routing
  readonly clock: Clock
  readonly log: Log
  readonly heartbeatMs: number
  /** One that was silent for so long is passed over. */
  readonly suspectAfterMs: number
  /** What is said of this node to that one; the offer differs with who asks. */
  readonly describe: (to: NodeId) => Hello
  /** Friends come before strangers who offer as much. */
  readonly isTrusted?: (node: NodeId) => boolean
  /** Lost a seat not long ago, as it had not what it said. */
  readonly isDistrusted?: (node: NodeId) => boolean
  readonly absences: Pick<Absences, 'listenFor' | 'heard' | 'awayMs'>
}

/** As a stranger with so many times the logarithm of its space: three of four shards go to the friend. */
const trustWeight = 4

const neighboursMax = 1_024
const helloTimeoutMs = 5_000

/**
 * Who is around. Every peer is greeted when it connects and at each heartbeat; those that this node depends on
 * (`watch`) are dialled again when they are away. Who is there is judged by what this node heard since its own start; who
 * stayed away for so long that it loses a seat by all of its runs.
 */
export class Neighbours {
  readonly #parts: NeighboursParts
  readonly #known = new Map<NodeId, Neighbour>()
  readonly #watched = new Set<NodeId>()
  readonly #listeners = new Set<(neighbour: Neighbour) => void>()
  readonly #startedMs: number
  #suspects = ''
  #suspicions = 0
  /** No node becomes suspect before; monotonic. */
  #nextSuspicionMs = 0

  constructor(parts: NeighboursParts) {
    this.#parts = parts
    this.#startedMs = parts.clock.monotonicMs()
    parts.rpc.handle('shard/hello', async ({ from, body }) => {
      this.#heard(from, decodeHello(body), undefined)
      return encodeHello(parts.describe(from))
    })
  }

  get(node: NodeId): Neighbour | undefined {
    return this.#known.get(node)
  }

  list(): readonly Neighbour[] {
    return [...this.#known.values()]
  }

  isConnected(node: NodeId): boolean {
    return this.#parts.rpc.connected().includes(node)
  }

  /** 0 while the last heartbeat was answered; else for how long nothing was heard. */
  awayMs(node: NodeId): number {
    if (node === this.#parts.rpc.self) return 0
    const { clock, heartbeatMs } = this.#parts
    const heardMs = this.#known.get(node)?.heardMs
    return silenceMs({ nowMs: clock.monotonicMs(), heardMs, startedMs: this.#startedMs, heartbeatMs })
  }

  /** 0 while it is heard; else for how long this node missed it, over all of its runs. Of those that are watched. */
  absentMs(node: NodeId): number {
    return this.awayMs(node) === 0 ? 0 : this.#parts.absences.awayMs(node)
  }

  isSuspect(node: NodeId): boolean {
    return this.awayMs(node) >= this.#parts.suspectAfterMs
  }

  /** Grows whenever some node became suspect or is so no more: what was computed from that holds until then. */
  get suspicions(): number {
    const { clock, heartbeatMs, suspectAfterMs, rpc } = this.#parts
    const nowMs = clock.monotonicMs()
    if (nowMs < this.#nextSuspicionMs) return this.#suspicions
    const afterMs = Math.max(suspectAfterMs, heartbeatMs * 2)
    const heard = [this.#startedMs, ...[...this.#known.values()].map(({ heardMs }) => heardMs)]
    const ahead = heard.map((heardMs) => heardMs + afterMs).filter((ms) => ms > nowMs)
    this.#nextSuspicionMs = Math.min(nowMs + heartbeatMs, ...ahead)
    const here = [rpc.self, ...this.#known.keys()].filter((node) => !this.isSuspect(node)).toSorted()
    const suspects = `${this.awayMs('') >= suspectAfterMs} ${here.join()}`
    if (suspects !== this.#suspects) this.#suspicions++
    this.#suspects = suspects
    return this.#suspicions
  }

  /** What the clocks of those that are heard say at this moment. */
  clocksMs(): number[] {
    const monotonicMs = this.#parts.clock.monotonicMs()
    return this.list()
      .filter(({ node }) => this.awayMs(node) === 0)
      .map(({ hello, heardMs }) => hello.clockMs + monotonicMs - heardMs)
  }

  /** Nodes that offered to hold so many bytes, as the chooser wants them. */
  candidates(bytes: number): Candidate[] {
    return this.list()
      .filter(({ node, hello }) => this.awayMs(node) === 0 && hello.offeredBytes >= bytes)
      .filter(({ node }) => this.#parts.isDistrusted?.(node) !== true)
      .map(({ node, hello }) => {
        const candidate = candidateOf({ node: fromHex(node, 32) as Uint8Array, ...hello }, hello.offeredBytes)
        const isTrusted = this.#parts.isTrusted?.(node) === true
        return isTrusted ? { ...candidate, weight: candidate.weight * trustWeight } : candidate
      })
  }

  /** From now on this peer is dialled when it is away. */
  watch(node: NodeId): void {
    if (node === this.#parts.rpc.self) return
    this.#watched.add(node)
    this.#parts.absences.listenFor(node)
  }

  unwatch(node: NodeId): void {
    this.#watched.delete(node)
  }

  /** Calls back after every hello; returns the way to stop. */
  onHello(listener: (neighbour: Neighbour) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Greets whoever connects, and everybody at each heartbeat, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { rpc, clock, heartbeatMs } = this.#parts
    // One greeting at a time for each peer: a silent one must not hold up the others.
    const greetings = new Map<NodeId, Promise<void>>()
    const greet = (peer: NodeId): void => {
      if (greetings.has(peer)) return
      greetings.set(
        peer,
        this.greet(peer, signal).finally(() => greetings.delete(peer)),
      )
    }
    const stop = rpc.onPeer((peer, state) => {
      if (state === 'connected') greet(peer)
    })
    try {
      while (!signal.aborted) {
        for (const peer of new Set([...rpc.connected(), ...this.#watched])) greet(peer)
        await clock.sleep(heartbeatMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      stop()
      await Promise.all(greetings.values())
    }
  }

  /** Not only at a heartbeat: what the two offer each other may have changed. Never rejects. */
  async greet(peer: NodeId, signal: AbortSignal): Promise<void> {
    const { rpc, clock, log, describe } = this.#parts
    const sentMs = clock.monotonicMs()
    try {
      const reply = await rpc.request(peer, 'shard/hello', encodeHello(describe(peer)), {
        signal,
        timeoutMs: helloTimeoutMs,
      })
      this.#heard(peer, decodeHello(reply), clock.monotonicMs() - sentMs)
    } catch (error) {
      if (!signal.aborted) log.debug('neighbour.silent', { peer, error: String(error) })
    }
  }

  #heard(node: NodeId, hello: Hello, latencyMs: number | undefined): void {
    this.#parts.absences.heard(node)
    const before = this.#known.get(node)
    if (before === undefined || this.isSuspect(node)) this.#nextSuspicionMs = 0
    const neighbour: Neighbour = {
      node,
      hello,
      heardMs: this.#parts.clock.monotonicMs(),
      latencyMs: latencyMs ?? before?.latencyMs ?? 0,
    }
    this.#known.delete(node)
    this.#known.set(node, neighbour)
    if (this.#known.size > neighboursMax) this.#forgetOldest()
    if (before === undefined) {
      const addresses = hello.addresses.filter((address) => !address.endsWith('/http'))
      this.#parts.routing.learn({ node, addresses }).catch((error: unknown) => {
        this.#parts.log.debug('neighbour.address', { node, error: String(error) })
      })
    }
    for (const listener of this.#listeners) listener(neighbour)
  }

  #forgetOldest(): void {
    for (const node of this.#known.keys()) {
      if (this.#watched.has(node)) continue
      this.#known.delete(node)
      return
    }
  }
}
