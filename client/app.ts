import type { IdentityId, RecordId } from '../protocol/record/types.ts'
import type { CollectionName, ViewName } from '../protocol/schema/record-of.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { OnehopError } from '../protocol/errors.ts'
import { encodeLog } from '../protocol/identity/entry.ts'
import type { AppParts } from './app-parts.ts'
import { Blobs } from './blobs/blobs.ts'
import { Collection } from './collection.ts'
import type { ListOptions } from './collection.ts'
import type { Groups } from './groups/groups.ts'
import { idOf } from './id.ts'
import type { Identity } from './identity/identity.ts'
import type { ValueIn, Write } from './item.ts'
import { readLive } from './live.ts'
import type { LiveEvent, LiveOptions, LiveQuery } from './live.ts'
import type { Nearest } from './nearest.ts'
import type { Outbox } from './outbox.ts'
import type { Readers } from './readers/readers.ts'
import { placeShard, publish } from './placement.ts'
import type { Placed, PlaceOptions } from './placement.ts'
import { sealLostSecrets } from './identity/own-epochs.ts'
import { renewDevice } from './identity/renewal.ts'
import type { Renewed, RenewalOptions } from './identity/renewal.ts'
import { recordNumbers } from './identity/record-numbers.ts'
import { revoke } from './identity/revocation.ts'
import { vouchFor } from './identity/vouching.ts'
import type { RevocationOptions, Revoked } from './identity/revocation.ts'
import { search } from './search.ts'
import type { SearchRequest, SearchResult } from './search.ts'
import type { CallOptions, Transport } from './transport.ts'
import { readFeedList, readView, streamOf } from './view.ts'
import type { Feed, View } from './view.ts'

export interface AnsweringNode {
  /** Of the node that answers now; undefined before one did. */
  readonly node: Uint8Array | undefined
  readonly address: string
  readonly latencyMs: number | undefined
  /** Who would take over. */
  readonly warm: string | undefined
  readonly moves: number
}

/** An app's data: written here, kept by the person's nodes, read from the nearest, typed by the schema. */
export class App<S extends Schema> implements AsyncDisposable {
  readonly schema: S
  /** Undefined for a stranger, who can only read. */
  readonly identity: Identity | undefined
  /** Whose data is read where no owner is named. */
  readonly owner: IdentityId | undefined
  readonly blobs: Blobs
  readonly groups: Groups
  /** Who may read what this person keeps for followers. */
  readonly readers: Readers
  /** What no node has yet. */
  readonly outbox: {
    /** Records that wait. */
    readonly size: number
    /** Nodes refuse what this device signs (EQUIVOCATION): records are kept for another key, `renewDevice`. */
    readonly isKeyRefused: boolean
    /** Resolves when a node has everything; rejects with the first refusal since the last time. Waits while offline. */
    flush(signal?: AbortSignal): Promise<void>
  }
  /** Undefined where one connection was handed in. */
  readonly nearest: Nearest | undefined
  readonly #parts: AppParts
  readonly #outbox: Outbox | undefined
  readonly #close: () => Promise<void>
  readonly #collections = new Map<string, Collection<never>>()

  /** Made by `connect`. */
  constructor(
    schema: S,
    parts: AppParts,
    own: {
      readonly identity: Identity | undefined
      readonly owner: IdentityId | undefined
      readonly nearest: Nearest | undefined
      readonly outbox: Outbox | undefined
      readonly groups: Groups
      readonly readers: Readers
      readonly close: () => Promise<void>
    },
  ) {
    this.schema = schema
    this.identity = own.identity
    this.owner = own.owner
    this.nearest = own.nearest
    this.blobs = new Blobs(parts)
    this.groups = own.groups
    this.readers = own.readers
    this.#parts = parts
    const { outbox } = own
    this.#outbox = outbox
    this.outbox = {
      get size() {
        return outbox?.size ?? 0
      },
      get isKeyRefused() {
        return outbox?.isKeyRefused ?? false
      },
      flush: async (signal) => outbox?.flush(signal),
    }
    this.#close = own.close
  }

  /** Throws UNKNOWN_COLLECTION. */
  collection<C extends CollectionName<S>>(name: C): Collection<ValueIn<S, C>> {
    const known = this.#collections.get(name)
    if (known !== undefined) return known as unknown as Collection<ValueIn<S, C>>
    const made = new Collection<ValueIn<S, C>>(this.#parts, name)
    this.#collections.set(name, made as unknown as Collection<never>)
    return made
  }

  /** A page's data, from one node in one request. */
  view(name: ViewName<S>, options: ListOptions = {}): Promise<View<S>> {
    return readView<S>(this.#parts, name, options)
  }

  /** The newest of a stream by everybody whom this identity follows. */
  feed(options: ListOptions & { readonly stream?: CollectionName<S> | undefined } = {}): Promise<Feed<S>> {
    return readFeedList<S>(this.#parts, streamOf(this.schema, options.stream), options)
  }

  /** What happens from now on, over broken connections and changes of node. Ends when its loop is left. */
  live<C extends CollectionName<S>>(
    query: { readonly list: C },
    options?: LiveOptions,
  ): AsyncGenerator<LiveEvent<ValueIn<S, C>>>
  live(
    query: { readonly feed: CollectionName<S> | undefined } | { readonly view: ViewName<S> },
    options?: LiveOptions,
  ): AsyncGenerator<LiveEvent<Partial<ValueIn<S, CollectionName<S>>>>>
  live(query: LiveQuery, options: LiveOptions = {}): AsyncGenerator<LiveEvent<unknown>> {
    return readLive<unknown>(this.#parts, query, options)
  }

  search(
    request: SearchRequest & { readonly collection?: CollectionName<S> | undefined },
  ): Promise<SearchResult<S>> {
    return search<S>(this.#parts, 'search.query', request)
  }

  /** The same with the times of every step. */
  explain(
    request: SearchRequest & { readonly collection?: CollectionName<S> | undefined },
  ): Promise<SearchResult<S>> {
    return search<S>(this.#parts, 'search.explain', request)
  }

  follow(user: IdentityId | string, collection?: CollectionName<S>): Promise<Write> {
    const { name, field } = this.#follows(collection)
    const value = { [field]: idOf(user, 32) } as unknown as ValueIn<S, CollectionName<S>>
    return this.collection(name).put(value)
  }

  unfollow(user: IdentityId | string, collection?: CollectionName<S>): Promise<Write> {
    const { name } = this.#follows(collection)
    return this.collection(name).delete(idOf(user, 32))
  }

  /** Sends the identity log and the schema, then has the node find holders and signs who they are. */
  async place(options: PlaceOptions = {}): Promise<Placed> {
    const identity = this.#self()
    const { callHome, crypto } = this.#parts
    const { signal, timeoutMs } = options
    await publish({ call: callHome }, identity, [this.schema], { signal, timeoutMs })
    const placed = await placeShard({ call: callHome }, identity, crypto, options)
    await this.nearest?.refresh(options)
    return placed
  }

  /** Sends the identity log and the schema. The first write does so too when the node lacks them. */
  async publish(options: CallOptions = {}): Promise<void> {
    const { signal, timeoutMs } = options
    await publish(this.#parts.transport, this.#self(), [this.schema], { signal, timeoutMs })
  }

  /** Entries of this person's log that other devices made: the identity has them when this resolves. */
  async refreshIdentity(options: CallOptions = {}): Promise<void> {
    const identity = this.#self()
    const { identities, crypto, transport } = this.#parts
    const { entries } = await identities.refresh(identity.id, options)
    await identity.learn(encodeLog(entries))
    const { signal, timeoutMs } = options
    await sealLostSecrets({ call: transport.call, crypto, identity }, { signal, timeoutMs })
  }

  /**
   * Shuts a device of this person's out, by an owner's device: what it wrote until now stays, or until `since` (Unix
   * milliseconds) where somebody else may have had it; what it signs later does not count. LAGGING where what it did in a group
   * cannot be asked for now: `leaveGroups` shuts it out all the same, and that counts no more.
   */
  async revokeDevice(
    device: Uint8Array | string,
    options: CallOptions & Pick<RevocationOptions, 'since' | 'leaveGroups'> = {},
  ): Promise<Revoked> {
    const { transport, crypto, identities } = this.#parts
    const identity = this.#self()
    await this.refreshIdentity({ signal: options.signal, timeoutMs: options.timeoutMs })
    const { call } = transport
    const { since, leaveGroups, signal } = options
    const gone = idOf(device, 32)
    const { groups } = this
    return revoke({ call, crypto, identity, identities, groups, device: gone, since, leaveGroups, signal })
  }

  /** By an owner's device, for a newer one that is on probation: it adds and revokes others from then on. */
  async vouchForDevice(device: Uint8Array | string, options: CallOptions = {}): Promise<void> {
    const identity = this.#self()
    await this.refreshIdentity(options)
    const { crypto, transport } = this.#parts
    await vouchFor({ call: transport.call, crypto, identity, device: idOf(device, 32) }, options)
  }

  /**
   * Another key for this install, where nodes refuse what the one it has signs (EQUIVOCATION). What waits is signed anew.
   * Connect again then, with the same keys, whether it succeeded or not: this app sends nothing more.
   */
  async renewDevice(options: CallOptions & RenewalOptions = {}): Promise<Renewed> {
    const { signal, timeoutMs } = options
    const calling = { signal, timeoutMs }
    const identity = this.#self()
    if (!this.outbox.isKeyRefused && options.force !== true)
      throw new OnehopError('BAD_REQUEST', 'no node has refused the key of this device', {
        help: 'It goes on with the one it has. To give it another all the same: onehop devices renew --force, renewDevice({ force: true }).',
      })
    await this.refreshIdentity(calling)
    const { keys, crypto, sealing, identities, callAbout } = this.#parts
    const device = identity.device.key
    const heldAfter = async (owner: IdentityId, after: number): Promise<readonly RecordId[]> => {
      const holders: Pick<Transport, 'call'> = { call: (...call) => callAbout(owner, ...call) }
      const numbers = await recordNumbers(holders, { owner, device, after }, calling)
      return numbers.map(({ id }) => id)
    }
    const parts = {
      ...{ keys, crypto, identity, sealing, heldAfter },
      learn: (group: IdentityId): Promise<unknown> => identities.refresh(group, calling),
      publish: (): Promise<void> => this.publish(calling),
      stop: async () => this.#outbox?.close(),
    }
    try {
      return await renewDevice(parts, options)
    } finally {
      await this.#close()
    }
  }

  /** Who answers now. */
  node(): AnsweringNode {
    const { nearest } = this
    return {
      node: nearest?.node,
      address: this.#parts.transport.address,
      latencyMs: nearest?.latencyMs,
      warm: nearest?.warm,
      moves: nearest?.moves ?? 0,
    }
  }

  /** What waits in the outbox stays kept and is sent when the app opens again. */
  close(): Promise<void> {
    return this.#close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close()
  }

  #self(): Identity {
    if (this.identity !== undefined) return this.identity
    throw stranger()
  }

  #follows(given: string | undefined): { readonly name: CollectionName<S>; readonly field: string } {
    const all = [...this.schema.collections.values()].filter(({ follows }) => follows !== undefined)
    const found = given === undefined && all.length === 1 ? all[0] : all.find(({ name }) => name === given)
    if (found?.follows !== undefined)
      return { name: found.name as CollectionName<S>, field: found.follows.field }
    const names = all.map(({ name }) => name).join(', ')
    throw new OnehopError(
      'UNKNOWN_COLLECTION',
      `name the collection of follows: ${names || 'the schema has none'}`,
    )
  }
}

export function stranger(): OnehopError {
  return new OnehopError('UNAUTHENTICATED', 'this device belongs to no identity yet', {
    help: 'Pair with a node, or make an identity: makeIdentity({ keys }).',
  })
}
