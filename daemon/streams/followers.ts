import { compareBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import {
  decodeFollowers,
  decodeFollowersAsk,
  encodeFollowers,
  encodeFollowersAsk,
  type Followers,
  type FollowersAsk,
} from '../../protocol/stream/followers.ts'
import type { Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { Schemas } from '../schemas.ts'
import { holds } from './source.ts'
import { streamLimits } from './stream-limits.ts'
import type { WantedAuthors } from './wanted.ts'

export interface FollowerListParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly schemas: Pick<Schemas, 'newest'>
  readonly wanted: WantedAuthors
  readonly hosting: Hosting
  readonly replicaSets: Pick<ReplicaSets, 'members'>
  /** Where the author's posts go from here. */
  readonly servingNodes: (app: string, author: IdentityId) => Iterable<NodeId>
}

interface Follower {
  readonly owner: Uint8Array
  readonly record: Uint8Array
}

/**
 * Who follows whom, told to the author: each serving node knows its own people, and is known to the one holder that it has
 * the posts from. Where it holds the shard itself it is registered nowhere. So a holder asks those that it serves and the
 * other holders, each of which asks those that it serves: the answer is the same at all of them.
 */
export class FollowerList {
  readonly #parts: FollowerListParts

  constructor(parts: FollowerListParts) {
    this.#parts = parts
    parts.rpc.handle('stream/followers', async ({ from, body, signal }) => {
      const ask = decodeFollowersAsk(body)
      if (this.#holders(ask.author).includes(from)) {
        const known = await this.#gather(
          ask,
          this.#served(ask),
          streamLimits.followersServedTimeoutMs,
          signal,
        )
        return encodeFollowers(known)
      }
      const wanted = parts.wanted.get(ask.app, toHex(ask.author))
      // Whom the posts come from, and nobody else: a list of somebody's followers is not for strangers.
      const isSource = wanted?.place.state === 'following' && wanted.place.node === from
      return encodeFollowers(isSource ? await this.#here(ask) : nobody)
    })
  }

  /** From everywhere. Not verified: records are judged by whoever shows them. */
  of(ask: FollowersAsk, signal: AbortSignal): Promise<Followers> {
    const nodes = [...this.#holders(ask.author), ...this.#served(ask)]
    return this.#gather(ask, nodes, streamLimits.followersTimeoutMs, signal)
  }

  /** The others, of a shard that is held here. */
  #holders(author: IdentityId): readonly NodeId[] {
    const { rpc, replicaSets } = this.#parts
    if (!holds(this.#parts, author)) return []
    return replicaSets.members(author).filter((node) => node !== rpc.self)
  }

  /** A holder that was served once is asked as one. */
  #served({ app, author }: FollowersAsk): readonly NodeId[] {
    const holders = new Set(this.#holders(author))
    return [...new Set(this.#parts.servingNodes(app, author))].filter((node) => !holders.has(node))
  }

  async #gather(
    ask: FollowersAsk,
    nodes: readonly NodeId[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Followers> {
    const asked = nodes.slice(0, streamLimits.followersNodesMax)
    const answers = await Promise.all([
      this.#here(ask),
      ...asked.map((node) => this.#at(node, ask, timeoutMs, signal)),
    ])
    const heard = answers.filter((answer) => answer !== undefined)
    const found = new Map<string, Follower>()
    let until: Uint8Array | undefined
    for (const { records, more } of heard) {
      const followers = records.flatMap((record) => this.#read(record, ask))
      for (const one of followers) found.set(toHex(one.owner), one)
      // What comes behind the end of a list that goes on may have others before it.
      const last = followers.at(-1)?.owner
      if (more && last !== undefined && (until === undefined || compareBytes(last, until) < 0)) until = last
    }
    const sorted = [...found.values()].toSorted((a, b) => compareBytes(a.owner, b.owner))
    const whole = until === undefined ? sorted : sorted.filter(({ owner }) => compareBytes(owner, until) <= 0)
    const { records, more } = cut(whole.map(({ record }) => record))
    const unheard = nodes.length - (heard.length - 1)
    const silent = Math.min(
      heard.reduce((sum, answer) => sum + answer.silent, unheard),
      streamLimits.followersSilentMax,
    )
    return { records, more: more || whole.length < sorted.length || until !== undefined, silent }
  }

  async #at(
    node: NodeId,
    ask: FollowersAsk,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Followers | undefined> {
    const { rpc, log } = this.#parts
    try {
      const options = { timeoutMs, signal }
      return decodeFollowers(await rpc.request(node, 'stream/followers', encodeFollowersAsk(ask), options))
    } catch (error) {
      log.debug('stream.followers-unheard', { node, code: asOnehopError(error).code })
      return undefined
    }
  }

  async #here({ app, author, after }: FollowersAsk): Promise<Followers> {
    const { store, schemas, wanted, clock } = this.#parts
    const schema = await schemas.newest(app)
    const followers = wanted.get(app, toHex(author))?.followers.keys() ?? []
    if (schema === undefined) return nobody
    const collections = [...schema.collections.values()].filter(
      ({ follows, private: isPrivate }) => follows !== undefined && !isPrivate,
    )
    const from = after === undefined ? '' : toHex(after)
    const names = [...followers].filter((name) => name > from).toSorted()
    const records: Uint8Array[] = []
    for (const name of names) {
      const owner = fromHex(name, 32) as Uint8Array
      for (const collection of collections) {
        const entry = store.records.winnerEntry(owner, app, collection.name, author)
        const isOver = entry?.expiresMs !== undefined && entry.expiresMs <= clock.nowMs()
        const stored = entry === undefined || isOver ? undefined : store.records.get(owner, entry.ref)
        if (stored === undefined) continue
        records.push(stored.bytes)
        break
      }
      if (records.length > limits.followersMax) break
    }
    return { ...cut(records), silent: 0 }
  }

  #read(record: Uint8Array, { after }: FollowersAsk): readonly Follower[] {
    try {
      const { owner } = decodeRecord(this.#parts.crypto, record).header
      return after === undefined || compareBytes(owner, after) > 0 ? [{ owner, record }] : []
    } catch {
      // A node that sends such is left with what is readable.
      return []
    }
  }
}

const nobody: Followers = { records: [], more: false, silent: 0 }

function cut(all: readonly Uint8Array[]): Omit<Followers, 'silent'> {
  const records: Uint8Array[] = []
  let room: number = streamLimits.followersBytesMax
  for (const record of all) {
    room -= record.length + 5
    if (records.length >= limits.followersMax || (room < 0 && records.length > 0)) break
    records.push(record)
  }
  return { records, more: records.length < all.length }
}
