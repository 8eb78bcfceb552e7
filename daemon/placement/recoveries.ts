import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { decodeLog } from '../../protocol/identity/entry.ts'
import { namesRecoveryKey, recoveryKeysIn, recoveryLookupKey } from '../../protocol/identity/recovery.ts'
import { limits } from '../../protocol/limits.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import {
  decodeIds,
  decodePlaced,
  encodeIds,
  encodePlaced,
  type Placed,
} from '../../protocol/placement/messages.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import { recoveryKind, type Identities } from '../identities.ts'
import type { NodeId, Routing, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from './replica-sets.ts'

export interface RecoveriesParts {
  readonly rpc: Rpc
  readonly routing: Routing
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly identities: Identities
  readonly hosting: Hosting
  readonly replicaSets: ReplicaSets
  /** Aborts when the node closes. A search is shared, so no one asker's signal may end it. */
  readonly signal: AbortSignal
}

/** What a search brought: the log, and who holds the shard if somebody knows. */
export interface Recoverable {
  readonly log: Uint8Array
  readonly chain: Uint8Array | undefined
}

/** Providers lie for free, and agree with each other for free: all are asked that time and this allow, one being honest. */
const providersAskedMax = 12
const neighboursAskedMax = 8
const searchTimeoutMs = 10_000
/** Searches under way at once: people lose everything seldom, and each may keep the DHT busy for seconds. */
const searchesMax = 4
/** Leaves room for the frame around it. */
const replyBytes = limits.frameBytesMax - 4_096
const pageSize = 1_000

/** From recovery words to the log of who made them: which shards held here they belong to, and who else may know. */
export class Recoveries {
  readonly #parts: RecoveriesParts
  /** Of shards that are held here; by recovery key. What strangers had this node look up counts for nothing. */
  readonly #owners = new Map<string, Map<string, IdentityId>>()
  readonly #keys = new Map<string, readonly Uint8Array[]>()
  readonly #underWay = new Map<string, Promise<IdentityId[]>>()

  private constructor(parts: RecoveriesParts) {
    this.#parts = parts
    parts.hosting.onAdded((owner) => {
      const state = parts.identities.get(owner)
      if (state !== undefined) this.#note(owner, recoveryKeysIn(state))
    })
    parts.identities.onGrown((state) => {
      if (parts.hosting.has(state.id)) this.#note(state.id, recoveryKeysIn(state))
    })
    parts.rpc.handle('shard/recover', async ({ body }) => {
      const [key] = decodeIds(body)
      return encodePlaced(key === undefined ? [] : this.#answer(key))
    })
  }

  /** From the disk: replaying the logs of ten thousand shards would hold up the start. */
  static async open(parts: RecoveriesParts): Promise<Recoveries> {
    const recoveries = new Recoveries(parts)
    const keys = new Map<string, Uint8Array[]>()
    let after: Uint8Array | undefined
    do {
      const page = await parts.store.documents.list(recoveryKind, {
        ...(after && { gt: after }),
        limit: pageSize,
      })
      for (const { key } of page) {
        const owner = toHex(key.subarray(32))
        keys.set(owner, [...(keys.get(owner) ?? []), key.slice(0, 32)])
      }
      after = page.length < pageSize ? undefined : page.at(-1)?.key
    } while (after !== undefined)
    for (const { owner } of parts.hosting.list()) {
      const found = keys.get(toHex(owner))
      if (found !== undefined) recoveries.#note(owner, found)
    }
    return recoveries
  }

  /** What to provide in the DHT for a shard that is held here. */
  lookupKeys(owner: IdentityId): Uint8Array[] {
    return (this.#keys.get(toHex(owner)) ?? []).map((key) => recoveryLookupKey(this.#parts.crypto, key))
  }

  /**
   * Everything that names the key, here and elsewhere: what is here may be somebody's invention, so the others are
   * asked all the same. BUSY when too many ask at once.
   */
  async find(recoveryKey: Uint8Array, signal: AbortSignal): Promise<Recoverable[]> {
    const name = toHex(recoveryKey)
    const found = new Map<string, IdentityId>()
    let search = this.#underWay.get(name)
    if (search === undefined) {
      if (this.#underWay.size >= searchesMax)
        throw new OnehopError('BUSY', 'too many look for recovery words at once')
      search = this.#search(recoveryKey).finally(() => this.#underWay.delete(name))
      this.#underWay.set(name, search)
    }
    const brought = await search
    signal.throwIfAborted()
    for (const owner of await this.#claimants(recoveryKey, brought)) found.set(toHex(owner), owner)
    let room = replyBytes
    return [...found.values()].slice(0, limits.recoveryFoundMax).flatMap((owner) => {
      const log = this.#parts.identities.log(owner)
      const chain = this.#parts.replicaSets.get(owner)?.bytes
      if (log === undefined) return []
      room -= log.length + (chain?.length ?? 0)
      return room < 0 ? [] : [{ log, chain }]
    })
  }

  /** Those held here first; then those that others brought just now, or once and are kept. */
  async #claimants(recoveryKey: Uint8Array, brought: readonly IdentityId[]): Promise<IdentityId[]> {
    const known = await this.#parts.store.documents.list(recoveryKind, {
      prefix: recoveryKey,
      limit: limits.recoveryFoundMax * 4,
    })
    return [...this.#heldFor(recoveryKey), ...brought, ...known.map(({ key }) => key.slice(32))]
  }

  #heldFor(recoveryKey: Uint8Array): IdentityId[] {
    const owners = this.#owners.get(toHex(recoveryKey))?.values() ?? []
    return [...owners].filter((owner) => this.#parts.hosting.has(owner))
  }

  #answer(recoveryKey: Uint8Array): Placed[] {
    const { identities, replicaSets } = this.#parts
    let room = replyBytes
    return this.#heldFor(recoveryKey)
      .slice(0, limits.recoveryFoundMax)
      .flatMap((owner) => {
        const chain = replicaSets.get(owner)?.bytes
        const log = identities.log(owner)
        if (chain === undefined || log === undefined) return []
        room -= chain.length + log.length + 16
        // A person's log needs nobody else's.
        return room < 0 ? [] : [{ chain, log, people: [] }]
      })
  }

  #note(owner: IdentityId, keys: readonly Uint8Array[]): void {
    const name = toHex(owner)
    this.#keys.set(name, keys)
    for (const key of keys) {
      const owners = this.#owners.get(toHex(key)) ?? new Map<string, IdentityId>()
      this.#owners.set(toHex(key), owners.set(name, owner))
    }
  }

  /** Whom the others named. */
  async #search(recoveryKey: Uint8Array): Promise<IdentityId[]> {
    const { clock, signal } = this.#parts
    const brought: IdentityId[] = []
    const stop = new AbortController()
    const both = AbortSignal.any([signal, stop.signal])
    const giveUp = clock.after(searchTimeoutMs, () => stop.abort())
    try {
      await Promise.all([
        this.#askProviders(recoveryKey, brought, both),
        this.#askNeighbours(recoveryKey, brought, both),
      ])
    } finally {
      giveUp()
      stop.abort()
    }
    signal.throwIfAborted()
    return brought
  }

  async #askProviders(recoveryKey: Uint8Array, brought: IdentityId[], signal: AbortSignal): Promise<void> {
    const { routing, crypto, rpc, log } = this.#parts
    if (routing.size() === 0) return
    let asked = 0
    try {
      for await (const { node } of routing.findProviders(recoveryLookupKey(crypto, recoveryKey), signal)) {
        if (node === rpc.self) continue
        await this.#ask(node, recoveryKey, brought, signal)
        if (++asked >= providersAskedMax) return
      }
    } catch (error) {
      if (!signal.aborted) log.debug('recover.search-failed', { error: String(error) })
    }
  }

  async #askNeighbours(recoveryKey: Uint8Array, brought: IdentityId[], signal: AbortSignal): Promise<void> {
    const asked = this.#parts.rpc.connected().slice(0, neighboursAskedMax)
    await Promise.all(asked.map((node) => this.#ask(node, recoveryKey, brought, signal)))
  }

  /** What a stranger says is checked like everything. */
  async #ask(
    node: NodeId,
    recoveryKey: Uint8Array,
    brought: IdentityId[],
    signal: AbortSignal,
  ): Promise<void> {
    const { rpc, crypto, identities, replicaSets, log } = this.#parts
    try {
      const reply = await rpc.request(node, 'shard/recover', encodeIds([recoveryKey]), { signal })
      for (const answer of decodePlaced(reply).slice(0, limits.recoveryFoundMax)) {
        if (answer === undefined || !namesRecoveryKey(decodeLog(crypto, answer.log), recoveryKey)) continue
        const { id } = await identities.visit(undefined, answer.log)
        brought.push(id)
        await replicaSets.accept(unpackChain(crypto, answer.chain))
      }
    } catch (error) {
      if (!signal.aborted) log.debug('recover.refused', { node, error: String(error) })
    }
  }
}
