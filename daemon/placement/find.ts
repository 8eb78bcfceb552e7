import { concatBytes, toHex, utf8 } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import { unpackChain, type ReplicaSetChain } from '../../protocol/placement/chain.ts'
import {
  decodeIds,
  decodePlaced,
  encodeIds,
  encodePlaced,
  placedBytes,
  type Placed,
} from '../../protocol/placement/messages.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Identities } from '../identities.ts'
import { portionsOf } from '../named-people.ts'
import type { NodeId, Routing, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from './replica-sets.ts'

export interface FindParts {
  readonly rpc: Rpc
  readonly routing: Routing
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly identities: Identities
  readonly replicaSets: ReplicaSets
  /** Aborts when the node closes. A search is shared, so no one asker's signal may end it. */
  readonly signal: AbortSignal
}

export interface Found {
  readonly chain: ReplicaSetChain
  readonly source: 'local' | 'network'
}

/** Neighbours are asked this long after the DHT: they mostly know their own street only. */
export const neighboursAfterMs = 300
const findTimeoutMs = 10_000
/** So long a node that has nobody in its DHT waits for the first, as just after a start; then it is alone, and says so. */
const firstPeerMs = 3_000
const firstPeerLookMs = 50
export const neighboursAskedMax = 8

/** Under which key the holders of a shard provide it in the DHT. */
export function shardKey(crypto: CryptoProvider, owner: IdentityId): Uint8Array {
  return crypto.sha256(concatBytes(utf8('onehop/shard'), new Uint8Array(1), owner))
}

/** Who holds a shard: known here, or asked of the DHT's providers and of the neighbours. */
export class Finder {
  readonly #parts: FindParts
  readonly #underWay = new Map<string, Promise<Found | undefined>>()

  constructor(parts: FindParts) {
    this.#parts = parts
    parts.rpc.handle('shard/locate', async ({ body }) => {
      let room = limits.frameBytesMax - 4_096
      return encodePlaced(
        decodeIds(body).map((owner): Placed | undefined => {
          const chain = parts.replicaSets.get(owner)?.bytes
          const log = parts.identities.log(owner)
          if (chain === undefined || log === undefined) return undefined
          const left = room - placedBytes({ chain, log, people: [] })
          if (left < 0) return undefined
          // Of a group with more than fit, those that its own log needs; the asker gets the others one by one.
          const [people = []] = portionsOf(parts.identities.people(owner), left)
          const one = { chain, log, people }
          if (placedBytes(one) > room) return undefined
          room -= placedBytes(one)
          return one
        }),
      )
    })
  }

  /** Undefined when nobody who could be asked knows. Many askers of one owner share one search. */
  async find(owner: IdentityId, signal: AbortSignal): Promise<Found | undefined> {
    const chain = this.#parts.replicaSets.get(owner)
    if (chain !== undefined) return { chain, source: 'local' }
    const name = toHex(owner)
    const search = this.#underWay.get(name) ?? this.#search(owner).finally(() => this.#underWay.delete(name))
    this.#underWay.set(name, search)
    const found = await search
    signal.throwIfAborted()
    return found
  }

  /** For a whole list of people to follow: the neighbours first, in a few requests, then the DHT for the rest. */
  async findMany(owners: readonly IdentityId[], signal: AbortSignal): Promise<Map<string, ReplicaSetChain>> {
    const found = new Map<string, ReplicaSetChain>()
    const collect = (): IdentityId[] =>
      owners.filter((owner) => {
        const chain = this.#parts.replicaSets.get(owner)
        if (chain !== undefined) found.set(toHex(owner), chain)
        return chain === undefined
      })
    let missing = collect()
    for (const neighbour of this.#parts.rpc.connected().slice(0, neighboursAskedMax)) {
      if (missing.length === 0) break
      for (let start = 0; start < missing.length; start += limits.placementShardsMax) {
        await this.#ask(neighbour, missing.slice(start, start + limits.placementShardsMax), signal)
      }
      missing = collect()
    }
    if (this.#parts.routing.size() > 0) {
      for (const owner of missing) {
        const result = await this.find(owner, signal)
        if (result !== undefined) found.set(toHex(owner), result.chain)
      }
    }
    return found
  }

  async #search(owner: IdentityId): Promise<Found | undefined> {
    const { clock, replicaSets, signal } = this.#parts
    const stop = new AbortController()
    const both = AbortSignal.any([signal, stop.signal])
    const giveUp = clock.after(findTimeoutMs, () => stop.abort())
    try {
      await Promise.any([
        this.#askProviders(owner, both),
        clock.sleep(neighboursAfterMs, both).then(() => this.#askNeighbours(owner, both)),
      ])
    } catch (error) {
      if (!(error instanceof AggregateError)) throw error
      signal.throwIfAborted()
    } finally {
      giveUp()
      stop.abort()
    }
    const chain = replicaSets.get(owner)
    return chain && { chain, source: 'network' }
  }

  async #askProviders(owner: IdentityId, signal: AbortSignal): Promise<void> {
    const { routing, crypto, clock } = this.#parts
    // The query itself would wait until the search gives up.
    for (let waitedMs = 0; routing.size() === 0; waitedMs += firstPeerLookMs) {
      if (waitedMs >= firstPeerMs) throw new Error('there is nobody to ask')
      await clock.sleep(firstPeerLookMs, signal)
    }
    for await (const { node } of routing.findProviders(shardKey(crypto, owner), signal)) {
      if (await this.#ask(node, [owner], signal)) return
    }
    throw new Error('no provider knew')
  }

  async #askNeighbours(owner: IdentityId, signal: AbortSignal): Promise<void> {
    const { rpc } = this.#parts
    const asked = rpc.connected().slice(0, neighboursAskedMax)
    await Promise.any(
      asked.map(async (neighbour) => {
        if (!(await this.#ask(neighbour, [owner], signal))) throw new Error('not known there')
      }),
    )
  }

  /** True when the first of them is known afterwards. What a stranger says is checked like everything. */
  async #ask(node: NodeId, owners: readonly IdentityId[], signal: AbortSignal): Promise<boolean> {
    const { rpc, crypto, identities, replicaSets, log } = this.#parts
    try {
      const answers = decodePlaced(await rpc.request(node, 'shard/locate', encodeIds(owners), { signal }))
      // One by one: a bad answer about one owner must not hide the good ones.
      const checks = answers.map(async (answer, i) => {
        if (answer === undefined || owners[i] === undefined) return
        await identities.visit(owners[i], answer.log, answer.people)
        await replicaSets.accept(unpackChain(crypto, answer.chain))
      })
      for (const check of await Promise.allSettled(checks)) {
        if (check.status === 'rejected') log.warn('find.refused', { node, error: String(check.reason) })
      }
    } catch (error) {
      if (!signal.aborted) log.debug('find.failed', { node, error: String(error) })
    }
    return owners[0] !== undefined && replicaSets.get(owners[0]) !== undefined
  }
}
