import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { ReplicaSetChain } from '../../protocol/placement/chain.ts'
import { decodeTaken, encodePlaced, placedBytes, type Placed } from '../../protocol/placement/messages.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Identities } from '../identities.ts'
import { logHeadBytes, portionsOf } from '../named-people.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from './replica-sets.ts'

interface Waiting {
  readonly name: string
  readonly one: Placed
}

export interface DistributionParts {
  readonly rpc: Rpc
  readonly clock: Clock
  readonly log: Log
  readonly identities: Identities
  readonly replicaSets: ReplicaSets
}

const retryMs = 1_000
const retryMsMax = 5_000
const tooLargeMax = 1_024
/** Leaves room for the frame around it. */
const messageBytes = limits.frameBytesMax - 8_192

/**
 * Tells members of the newest replica sets, many shards in a message. What a member did not take yet waits for
 * it; it is rebuilt by reconciliation, which compares sets too, so it need not survive a restart.
 */
export class Distribution {
  readonly #parts: DistributionParts
  readonly #waiting = new Map<NodeId, Set<string>>()
  /** Who is told because they asked, without a seat in anything. */
  readonly #guests = new Set<NodeId>()
  readonly #listeners = new Set<(node: NodeId, owner: IdentityId) => void>()
  readonly #senders = new Map<NodeId, Promise<void>>()
  /** Of which shards it was told already that no message holds them. */
  readonly #tooLarge = new Set<string>()
  #signal: AbortSignal | undefined

  constructor(parts: DistributionParts) {
    this.#parts = parts
  }

  /** To every member of the set, and to those who just lost a seat in it. */
  announce(chain: ReplicaSetChain): void {
    const seats = [...chain.newest.members, ...(chain.sets.at(-2)?.members ?? [])]
    for (const { node } of seats) this.announceTo(toHex(node), chain.newest.owner)
  }

  announceTo(node: NodeId, owner: IdentityId): void {
    this.#guests.delete(node)
    this.#announceTo(node, owner)
  }

  /** To a node that asked and has no seat, as long as it stays: keys cost nothing, and each would be dialled for ever. */
  answer(node: NodeId, owner: IdentityId): void {
    if (!this.#waiting.has(node)) this.#guests.add(node)
    this.#announceTo(node, owner)
  }

  #announceTo(node: NodeId, owner: IdentityId): void {
    if (node === this.#parts.rpc.self) return
    const owners = this.#waiting.get(node) ?? new Set()
    this.#waiting.set(node, owners.add(toHex(owner)))
    this.#wake(node)
  }

  /** True while the node has yet to hear the newest of this shard: records that came first it would refuse. */
  isWaiting(node: NodeId, owner: IdentityId): boolean {
    return this.#waiting.get(node)?.has(toHex(owner)) ?? false
  }

  /** Calls back when a node has heard the newest of a shard; returns the way to stop. */
  onTold(listener: (node: NodeId, owner: IdentityId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get waiting(): number {
    let count = 0
    for (const owners of this.#waiting.values()) count += owners.size
    return count
  }

  /** One sender for each node: one that does not answer must not hold up the others. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    for (const node of this.#waiting.keys()) this.#wake(node)
    const { promise, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
    await Promise.all(this.#senders.values())
  }

  #wake(node: NodeId): void {
    const signal = this.#signal
    if (signal === undefined || signal.aborted || this.#senders.has(node)) return
    const sender = this.#deliver(node, signal).finally(() => {
      this.#senders.delete(node)
      if (this.#waiting.has(node)) this.#wake(node)
    })
    this.#senders.set(node, sender)
  }

  /** Until all went out, with growing pauses: some nodes never come back. */
  async #deliver(node: NodeId, signal: AbortSignal): Promise<void> {
    let pauseMs = retryMs
    while (!signal.aborted && !(await this.#send(node, signal))) {
      if (this.#guests.has(node) && !this.#parts.rpc.connected().includes(node)) {
        this.#waiting.delete(node)
        break
      }
      await this.#parts.clock.sleep(pauseMs, signal).catch(() => {})
      pauseMs = Math.min(pauseMs * 2, retryMsMax)
    }
    this.#guests.delete(node)
  }

  /** True when everything for the node went out. */
  async #send(node: NodeId, signal: AbortSignal): Promise<boolean> {
    const { rpc, log } = this.#parts
    let batch: readonly Waiting[] = []
    try {
      for (;;) {
        batch = this.#next(node)
        if (batch.length === 0) return true
        for (const message of messagesOf(batch)) {
          const reply = await rpc.request(node, 'shard/take', encodePlaced(message), {
            signal,
            timeoutMs: 30_000,
          })
          const refused = decodeTaken(reply).filter((taken) => !taken).length
          if (refused > 0) log.warn('placement.not-taken', { node, refused })
        }
        for (const { name, one } of batch) this.#settle(node, name, one)
      }
    } catch (error) {
      if (!signal.aborted) log.debug('placement.unsent', { node, code: asOnehopError(error).code })
      // To the end of the queue: should one of them be what the node cannot take, the others are told all the same.
      const owners = this.#waiting.get(node)
      for (const { name } of batch) if (owners?.delete(name) === true) owners.add(name)
      return false
    }
  }

  /** As many as fit into a message, or one that takes several. */
  #next(node: NodeId): Waiting[] {
    const batch: Waiting[] = []
    let bytes = 0
    for (const name of this.#waiting.get(node) ?? []) {
      const owner = fromHex(name, 32) as IdentityId
      const one = this.#newest(owner)
      if (one === undefined) {
        this.#settle(node, name)
        continue
      }
      if (roomFor(one) < largestOf(one.people)) {
        this.#giveUp(node, name)
        continue
      }
      bytes += placedBytes(one)
      const takesSeveral = bytes > messageBytes || one.people.length > limits.identityPeopleMax
      if (batch.length > 0 && (takesSeveral || batch.length === limits.placementShardsMax)) break
      batch.push({ name, one })
      if (takesSeveral) break
    }
    return batch
  }

  #newest(owner: IdentityId): Placed | undefined {
    const chain = this.#parts.replicaSets.get(owner)?.bytes
    const log = this.#parts.identities.log(owner)
    if (chain === undefined || log === undefined) return undefined
    return { chain, log, people: this.#parts.identities.people(owner) }
  }

  /** No message holds it, and none ever will until its owner signs a shorter one: the others must not wait for that. */
  #giveUp(node: NodeId, name: string): void {
    if (!this.#tooLarge.has(name)) this.#parts.log.error('placement.too-large', { owner: name })
    // A few at a time: one resident may have some, and each is told once.
    if (this.#tooLarge.size >= tooLargeMax) this.#tooLarge.clear()
    this.#tooLarge.add(name)
    this.#settle(node, name)
  }

  /** Unless a newer set or log came up while this one was on its way. */
  #settle(node: NodeId, name: string, sent?: Placed): void {
    const newest = sent && this.#newest(fromHex(name, 32) as IdentityId)
    if (sent !== undefined && newest !== undefined && !isSame(newest, sent)) return
    const owners = this.#waiting.get(node)
    owners?.delete(name)
    if (owners?.size === 0) this.#waiting.delete(node)
    if (sent === undefined) return
    for (const listener of this.#listeners) listener(node, fromHex(name, 32) as IdentityId)
  }
}

/** Bytes that one shard's message leaves for the logs of people. */
function roomFor(one: Placed): number {
  return messageBytes - placedBytes({ ...one, people: [] })
}

function largestOf(logs: readonly Uint8Array[]): number {
  return Math.max(0, ...logs.map(({ length }) => length + logHeadBytes))
}

/**
 * A group may have more people than fit. Then the same set and log go several times, each with some of them: first those
 * by which the group's log can be read, and whoever has it takes in the others.
 */
function messagesOf(batch: readonly Waiting[]): Placed[][] {
  const [first] = batch
  if (first === undefined || batch.length > 1) return [batch.map(({ one }) => one)]
  const { one } = first
  return portionsOf(one.people, roomFor(one)).map((people) => [{ ...one, people }])
}

function isSame(a: Placed, b: Placed): boolean {
  if (!equalBytes(a.chain, b.chain) || !equalBytes(a.log, b.log)) return false
  return (
    a.people.length === b.people.length &&
    a.people.every((log, i) => equalBytes(log, b.people[i] as Uint8Array))
  )
}
