import type { ReplyOf, RequestOf, SubscriptionName, UnaryName } from '../protocol/api/operations.ts'
import { equalBytes } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { ReplicaSetChain } from '../protocol/placement/chain.ts'
import { compareReplicaSets } from '../protocol/placement/replica-set.ts'
import type { Seat } from '../protocol/placement/replica-set.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { requireUrl } from './address.ts'
import { systemClock } from './clock.ts'
import { withSignal } from './deadline.ts'
import { formerHome, homeAway, homeRacers, homeSeat, isAtHome, noHome } from './home.ts'
import type { Identities } from './identity/identities.ts'
import type { KeyStore } from './key-store.ts'
import { raceMembers } from './race.ts'
import type { RaceOutcome, Racer, Runner } from './race.ts'
import { defaultCrypto } from './random.ts'
import {
  keepReplicaSet,
  keptReplicaSet,
  lookUpReplicaSet,
  membersElsewhere,
  membersOf,
  type FoundReplicaSet,
} from './replica-set.ts'
import type { CallOptions, LiveReply, Transport } from './transport.ts'
import { watchedCall } from './watched-call.ts'

export interface NearestOptions {
  /** Whose home nodes to stay near. */
  readonly owner: IdentityId
  /** Any nodes: http URLs, or multiaddrs that end in /http. */
  readonly bootstrap: readonly string[]
  /** How a node is reached; `node` is its key where that is known. */
  readonly dial: (url: string, node: Uint8Array | undefined) => Transport
  readonly identities: (transport: Transport) => Pick<Identities, 'get' | 'refresh' | 'known'>
  readonly clock?: Clock | undefined
  readonly crypto?: CryptoProvider | undefined
  /** Remembers the replica set, so that the next start needs no bootstrap node. */
  readonly keys?: KeyStore | undefined
}

export interface MemberStatus {
  readonly url: string
  readonly node: Uint8Array | undefined
  readonly latencyMs: number | undefined
  readonly state: 'current' | 'warm' | 'alive' | 'dead' | 'untried'
}

/** Failures that say that the node, not the request, is the trouble. */
const away: ReadonlySet<ErrorCode> = new Set(['UNREACHABLE', 'CLOSED'])

/**
 * A transport to whichever holder of a person's shard is nearest.
 *
 * 1. The members come from the signed replica set alone, checked against the owner's identity log. A node that is
 *    asked where the shard is can say nothing false, only nothing; where they are now it may say where none is any more
 *    where the set says.
 * 2. One member is current, a second one warm. A current one that fails, or is silent and then does not answer a
 *    probe, gives way to the warm one at once; the DHT has no part in it.
 * 3. A member that proves another key than its seat's is not used.
 * 4. What the home alone does goes there, however near others are.
 */
export class Nearest implements Transport {
  readonly binds = false
  readonly owner: IdentityId
  readonly #options: NearestOptions
  readonly #clock: Clock
  readonly #crypto: CryptoProvider
  readonly #closed = new AbortController()
  readonly #transports = new Map<string, Transport>()
  readonly #background = new Set<Promise<unknown>>()
  #members: readonly Racer[] = []
  #chain: ReplicaSetChain | undefined
  #current: Runner | undefined
  #warm: Runner | undefined
  #home: Runner | undefined
  #results = new Map<string, Runner | OnehopError>()
  #seeking: Promise<Runner> | undefined
  #moves = 0
  #lastMoveMs: number | undefined

  constructor(options: NearestOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#crypto = options.crypto ?? defaultCrypto()
    this.owner = options.owner
  }

  get address(): string {
    return this.#current?.url ?? this.#options.bootstrap[0] ?? 'nowhere'
  }

  /** The key of the node that answers now. */
  get node(): Uint8Array | undefined {
    return this.#current?.node
  }

  get latencyMs(): number | undefined {
    return this.#current?.latencyMs
  }

  get warm(): string | undefined {
    return this.#warm?.url
  }

  /** How often another member took over. */
  get moves(): number {
    return this.#moves
  }

  /** From the first sign of trouble until the next member was chosen, the last time. */
  get lastMoveMs(): number | undefined {
    return this.#lastMoveMs
  }

  /** What to add to this device's clock to get the node's. */
  get offsetMs(): number {
    return this.#current?.offsetMs ?? 0
  }

  get replicaSet(): ReplicaSetChain | undefined {
    return this.#chain
  }

  get members(): readonly MemberStatus[] {
    return this.#members.map(({ url, node }) => {
      const result = this.#results.get(url)
      const runner = result instanceof OnehopError ? undefined : result
      const alive = runner === undefined ? (result === undefined ? 'untried' : 'dead') : 'alive'
      const state = url === this.#current?.url ? 'current' : url === this.#warm?.url ? 'warm' : alive
      return { url, node: runner?.node ?? node, latencyMs: runner?.latencyMs, state }
    })
  }

  /** Finds the members and the nearest of them. Every call does so by itself when it has to. */
  async start(options: CallOptions = {}): Promise<void> {
    await this.#ensure(options)
  }

  /** Looks the replica set up again and races its members. */
  async refresh(options: CallOptions = {}): Promise<void> {
    const current = await this.#ensure(options)
    const found = await this.#lookUp(this.#transport(current), options)
    if (found !== undefined) await this.#adoptChain(found.chain)
    await this.#raceFound(found?.heard ?? [])
  }

  readonly call: Transport['call'] = (operation, request, options = {}) =>
    isAtHome(operation)
      ? this.callHome(operation, request, options)
      : this.#callNearest(operation, request, options)

  /** Of a shard that nobody placed yet the node that answers is the home. UNREACHABLE where the home does not answer. */
  async callHome<N extends UnaryName>(
    operation: N,
    request: RequestOf<N>,
    options: CallOptions = {},
  ): Promise<ReplyOf<N>> {
    let hasRefreshed = false
    for (let tries = 0; ; tries++) {
      await this.#ensure(options)
      if (this.#chain === undefined) return this.#callNearest(operation, request, options)
      const seat = homeSeat(this.#chain)
      try {
        const home = (this.#home ??= await withSignal(this.#findHome(seat), options.signal))
        return await this.#callMember(home, operation, request, options)
      } catch (cause) {
        const error = asOnehopError(cause)
        if (options.signal?.aborted === true || this.#closed.signal.aborted) throw error
        if (away.has(error.code)) {
          this.#home = undefined
          if (tries >= 1) {
            // It may live elsewhere by now, or have lost its seat.
            if (!hasRefreshed) await this.refresh(options).catch(() => undefined)
            hasRefreshed = true
            if (!equalBytes(homeSeat(this.#chain).node, seat.node)) continue
            throw formerHome(this.#chain) === undefined ? homeAway(seat.node, error) : noHome(error)
          }
        } else if (error.code === 'NOT_HOSTED' && !hasRefreshed) {
          // It may live elsewhere by now.
          hasRefreshed = true
          await this.refresh(options)
        } else throw error
      }
    }
  }

  async #findHome(seat: Seat): Promise<Runner> {
    const current = this.#current
    if (current !== undefined && equalBytes(current.node, seat.node)) return current
    const { runners } = await this.#raced(homeRacers(seat, this.#members, this.#bootstrap()))
    return runners[0] as Runner
  }

  readonly #callNearest: Transport['call'] = async (operation, request, options = {}) => {
    let refreshed = false
    let lagged = 0
    for (let tries = 0; ; tries++) {
      const member = await this.#ensure(options)
      try {
        return await this.#callMember(member, operation, request, options)
      } catch (cause) {
        const error = asOnehopError(cause)
        if (options.signal?.aborted === true || this.#closed.signal.aborted) throw error
        if (away.has(error.code)) {
          this.#lose(member, error)
          if (tries >= Math.max(1, this.#members.length)) throw error
        } else if (error.code === 'LAGGING') {
          if (++lagged % laggingTriesMax !== 0) await this.#clock.sleep(laggingWaitMs, options.signal)
          // Who is still being filled says so until it has everything: another may have it now.
          else if (this.#warm !== undefined && lagged < laggingTriesMax * this.#members.length)
            this.#lose(member, error)
          else throw error
        } else if (error.code === 'NOT_HOSTED' && this.#chain !== undefined && !refreshed) {
          refreshed = true
          await this.refresh(options)
        } else throw error
      }
    }
  }

  async open<N extends SubscriptionName>(
    operation: N,
    request: RequestOf<N>,
    options: CallOptions = {},
  ): Promise<LiveReply<N>> {
    const member = await this.#ensure(options)
    const lose = (cause: unknown): void => {
      const error = asOnehopError(cause)
      if (away.has(error.code) && options.signal?.aborted !== true) this.#lose(member, error)
    }
    try {
      const { reply, events } = await this.#transport(member).open(operation, request, options)
      return { reply, events: noticing(events, lose) }
    } catch (error) {
      lose(error)
      throw error
    }
  }

  async live(): Promise<Transport> {
    return this
  }

  async close(): Promise<void> {
    this.#closed.abort(new OnehopError('CLOSED', 'this connection was closed'))
    await Promise.allSettled([...this.#transports.values()].map((transport) => transport.close()))
    await Promise.allSettled([...this.#background, this.#seeking])
  }

  async #ensure(options: CallOptions): Promise<Runner> {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason
    if (this.#current !== undefined) return this.#current
    const seeking = (this.#seeking ??= this.#seek().finally(() => {
      this.#seeking = undefined
    }))
    // The search goes on for others when this caller gives up.
    return withSignal(seeking, options.signal)
  }

  async #seek(): Promise<Runner> {
    const bootstrap = this.#bootstrap()
    if (this.#chain === undefined) {
      const kept = await keptReplicaSet(this.#options.keys, this.#crypto, this.owner)
      if (kept !== undefined) await this.#adoptChain(kept)
    }
    const first = await this.#race(this.#members.length > 0 ? this.#members : bootstrap).catch((error) => {
      // The remembered members are all gone: perhaps the shard has moved since.
      if (this.#chain === undefined || bootstrap.length === 0) throw error
      return this.#race(bootstrap)
    })
    const isMember = this.#members.some(({ url }) => url === first.url)
    if (this.#chain !== undefined && isMember) return first
    const found = await this.#lookUp(this.#transport(first), {})
    if (found === undefined) return first
    await this.#adoptChain(found.chain)
    // A member may answer elsewhere than where it did when the set was signed: another port, another network.
    this.#members = this.#members.map((one) =>
      one.node !== undefined && equalBytes(one.node, first.node) ? { ...one, url: first.url } : one,
    )
    return this.#raceFound(found.heard)
  }

  /** Where no member is any more where the set says, or was found last, the node that was asked may hear them elsewhere. */
  async #raceFound(heard: FoundReplicaSet['heard']): Promise<Runner> {
    try {
      return await this.#race(this.#members)
    } catch (error) {
      const elsewhere = membersElsewhere(this.#members, heard)
      if (elsewhere === undefined) throw error
      const runner = await this.#race(elsewhere)
      this.#members = elsewhere
      return runner
    }
  }

  #bootstrap(): Racer[] {
    return this.#options.bootstrap.map((address) => ({ url: requireUrl(address), node: undefined }))
  }

  #lookUp(transport: Transport, options: CallOptions): Promise<FoundReplicaSet | undefined> {
    const { identities } = this.#options
    return lookUpReplicaSet({ owner: this.owner, crypto: this.#crypto, transport, identities }, options)
  }

  /** Never goes back to an older set, whoever shows one. */
  async #adoptChain(chain: ReplicaSetChain): Promise<void> {
    if (this.#chain !== undefined && compareReplicaSets(chain.newest, this.#chain.newest) >= 0) return
    this.#chain = chain
    this.#home = undefined
    const members = membersOf(chain)
    if (members.length > 0) this.#members = members
    await keepReplicaSet(this.#options.keys, this.owner, chain)
  }

  async #race(racers: readonly Racer[]): Promise<Runner> {
    try {
      const outcome = await this.#raced(racers)
      for (const [url, error] of outcome.failed) this.#results.set(url, error)
      for (const runner of outcome.runners) this.#results.set(runner.url, runner)
      const [nearest, second] = outcome.runners as [Runner, Runner | undefined]
      this.#current = nearest
      this.#warm = second
      return nearest
    } catch (error) {
      this.#current = undefined
      this.#warm = undefined
      throw error
    }
  }

  /** The member is gone: the warm one takes over at once, a new warm one is sought beside. */
  #lose(member: Runner, error: OnehopError): void {
    if (this.#current?.url !== member.url) {
      if (this.#warm?.url === member.url) this.#warm = undefined
      return
    }
    const startMs = this.#clock.monotonicMs()
    this.#results.set(member.url, error)
    this.#current = this.#warm
    this.#warm = undefined
    this.#moves++
    const moved = (): void => {
      this.#lastMoveMs = this.#clock.monotonicMs() - startMs
    }
    if (this.#current !== undefined) {
      moved()
      this.#inBackground(this.#seekWarm())
    } else this.#inBackground(this.#ensure({}).then(moved))
  }

  async #seekWarm(): Promise<void> {
    const known = this.#members.length > 0 ? this.#members : this.#bootstrap()
    const others = known.filter(({ url }) => url !== this.#current?.url)
    const outcome = await this.#raced(others)
    for (const [url, error] of outcome.failed) this.#results.set(url, error)
    for (const runner of outcome.runners) this.#results.set(runner.url, runner)
    this.#warm = outcome.runners.find(({ url }) => url !== this.#current?.url)
  }

  /** Its failure shows at the next call, which seeks again. */
  #inBackground(work: Promise<unknown>): void {
    const settled = work.catch(() => undefined).finally(() => this.#background.delete(settled))
    this.#background.add(settled)
  }

  #callMember<N extends UnaryName>(
    member: Runner,
    operation: N,
    request: RequestOf<N>,
    options: CallOptions,
  ): Promise<ReplyOf<N>> {
    const transport = this.#transport(member)
    const watched = {
      member,
      transport,
      clock: this.#clock,
      signal: options.signal,
      inBackground: (work: Promise<unknown>) => this.#inBackground(work),
    }
    return watchedCall(watched, (signal) => transport.call(operation, request, { ...options, signal }))
  }

  #raced(racers: readonly Racer[]): Promise<RaceOutcome> {
    return raceMembers(racers, (racer) => this.#transport(racer), this.#clock, this.#closed.signal)
  }

  #transport({ url, node }: Racer): Transport {
    let transport = this.#transports.get(url)
    if (transport === undefined) {
      transport = this.#options.dial(url, node)
      this.#transports.set(url, transport)
    }
    return transport
  }
}

const laggingTriesMax = 10
const laggingWaitMs = 200

async function* noticing<T>(events: AsyncIterable<T>, broke: (error: unknown) => void): AsyncGenerator<T> {
  try {
    yield* events
  } catch (error) {
    broke(error)
    throw error
  }
}
