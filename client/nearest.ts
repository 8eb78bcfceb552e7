import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { IdentityState, People } from '../protocol/identity/types.ts'
import { checkChain, unpackChain } from '../protocol/placement/chain.ts'
import type { ReplicaSetChain } from '../protocol/placement/chain.ts'
import { mayPlace } from '../protocol/placement/may-place.ts'
import { compareReplicaSets } from '../protocol/placement/replica-set.ts'
import type { Seat } from '../protocol/placement/replica-set.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { addressUrl, requireUrl } from './address.ts'
import { systemClock } from './clock.ts'
import { abortReason, withSignal } from './deadline.ts'
import { Identities } from './identity/identities.ts'
import { keyNames } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import { clientLimits } from './limits.ts'
import { probe, raceMembers } from './race.ts'
import type { Racer, Runner } from './race.ts'
import { defaultCrypto } from './random.ts'
import type { CallOptions, LiveReply, Transport } from './transport.ts'
import type { ReplyOf, RequestOf, SubscriptionName, UnaryName } from '../protocol/api/operations.ts'

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

interface Found {
  readonly chain: ReplicaSetChain
  readonly heard: ReplyOf<'replica-set.get'>['heard']
}

function urlOf(addresses: readonly string[]): string | undefined {
  return addresses.map(addressUrl).find((found) => found !== undefined)
}

/** Failures that say that the node, not the request, is the trouble. */
const away: ReadonlySet<ErrorCode> = new Set(['UNREACHABLE', 'CLOSED'])

/** What the home of a person or group alone does and knows: other holders have their records, and are asked for those. */
const homeOperations: ReadonlySet<UnaryName> = new Set([
  'identity.host',
  'identity.groups',
  'placement.propose',
  'placement.commit',
])

export function isAtHome(operation: UnaryName): boolean {
  return homeOperations.has(operation)
}

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
    const found = await this.#fetchChain(this.#transport(current), options)
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
      const seat = this.#chain.newest.members.find(({ role }) => role === 'home')
      if (seat === undefined) throw homeLost()
      try {
        const home = (this.#home ??= await withSignal(this.#findHome(seat), options.signal))
        return await this.#watched(home, options, (signal) =>
          this.#transport(home).call(operation, request, { ...options, signal }),
        )
      } catch (cause) {
        const error = asOnehopError(cause)
        if (options.signal?.aborted === true || this.#closed.signal.aborted) throw error
        if (away.has(error.code)) {
          this.#home = undefined
          if (tries >= 1) throw homeAway(seat.node, error)
        } else if (error.code === 'NOT_HOSTED' && !hasRefreshed) {
          // It may live elsewhere by now.
          hasRefreshed = true
          await this.refresh(options)
        } else throw error
      }
    }
  }

  /** Where its seat says, or at an address of the app's: it may have moved to another port since the set was signed. */
  async #findHome({ node, addresses }: Seat): Promise<Runner> {
    const current = this.#current
    if (current !== undefined && equalBytes(current.node, node)) return current
    const said = addresses.map(addressUrl).find((url) => url !== undefined)
    const met = this.#members.find((member) => member.node !== undefined && equalBytes(member.node, node))
    const urls = [met?.url, said, ...this.#bootstrap().map(({ url }) => url)].filter(
      (url) => url !== undefined,
    )
    const { runners } = await raceMembers(
      [...new Set(urls)].map((url) => ({ url, node })),
      (racer) => this.#transport(racer),
      this.#clock,
      this.#closed.signal,
    )
    return runners[0] as Runner
  }

  readonly #callNearest: Transport['call'] = async (operation, request, options = {}) => {
    let refreshed = false
    for (let tries = 0; ; tries++) {
      const member = await this.#ensure(options)
      try {
        return await this.#watched(member, options, (signal) =>
          this.#transport(member).call(operation, request, { ...options, signal }),
        )
      } catch (cause) {
        const error = asOnehopError(cause)
        if (options.signal?.aborted === true || this.#closed.signal.aborted) throw error
        if (away.has(error.code)) {
          this.#lose(member, error)
          if (tries >= Math.max(1, this.#members.length)) throw error
        } else if (error.code === 'LAGGING' && tries < laggingTriesMax)
          await this.#clock.sleep(laggingWaitMs, options.signal)
        else if (error.code === 'NOT_HOSTED' && this.#chain !== undefined && !refreshed) {
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
      const kept = await this.#keptChain()
      if (kept !== undefined) await this.#adoptChain(kept)
    }
    const first = await this.#race(this.#members.length > 0 ? this.#members : bootstrap).catch((error) => {
      // The remembered members are all gone: perhaps the shard has moved since.
      if (this.#chain === undefined || bootstrap.length === 0) throw error
      return this.#race(bootstrap)
    })
    const isMember = this.#members.some(({ url }) => url === first.url)
    if (this.#chain !== undefined && isMember) return first
    const found = await this.#fetchChain(this.#transport(first), {})
    if (found === undefined) return first
    await this.#adoptChain(found.chain)
    // A member may answer elsewhere than where it did when the set was signed: another port, another network.
    this.#members = this.#members.map((one) =>
      one.node !== undefined && equalBytes(one.node, first.node) ? { ...one, url: first.url } : one,
    )
    return this.#raceFound(found.heard)
  }

  /** Where no member is any more where the set says, or was found last, the node that was asked may hear them elsewhere. */
  async #raceFound(heard: Found['heard']): Promise<Runner> {
    try {
      return await this.#race(this.#members)
    } catch (error) {
      const elsewhere = this.#members.map((one) => {
        const of = heard.find(({ node }) => one.node !== undefined && equalBytes(node, one.node))
        return { ...one, url: (of && urlOf(of.addresses)) ?? one.url }
      })
      if (elsewhere.every(({ url }, i) => url === this.#members[i]?.url)) throw error
      const runner = await this.#race(elsewhere)
      this.#members = elsewhere
      return runner
    }
  }

  #bootstrap(): Racer[] {
    return this.#options.bootstrap.map((address) => ({ url: requireUrl(address), node: undefined }))
  }

  /** Undefined when nobody placed the shard yet: then the bootstrap node is as near as it gets. */
  async #fetchChain(transport: Transport, options: CallOptions): Promise<Found | undefined> {
    try {
      const { replicaSet, heard } = await transport.call('replica-set.get', { owner: this.owner }, options)
      const chain = unpackChain(this.#crypto, replicaSet)
      const identities = this.#options.identities(transport)
      const people: People = (id) => identities.known(id)
      const problem = this.#problem(chain, await identities.get(this.owner, options), people)
      // A device admitted since may have signed it.
      if (problem !== undefined) {
        const again = this.#problem(chain, await identities.refresh(this.owner, options), people)
        if (again !== undefined)
          throw new OnehopError('BAD_SIGNATURE', `the replica set does not stand: ${again}`)
      }
      return { chain, heard }
    } catch (cause) {
      const { code } = asOnehopError(cause)
      if (code === 'NOT_FOUND' || code === 'NOT_HOSTED' || code === 'UNKNOWN_IDENTITY') return undefined
      throw cause
    }
  }

  #problem(chain: ReplicaSetChain, owner: IdentityState, people: People): string | undefined {
    return checkChain(this.#crypto, chain, this.owner, (key) => mayPlace(owner, key, people))
  }

  async #keptChain(): Promise<ReplicaSetChain | undefined> {
    // Checked before it was kept, and kept where the keys are.
    const kept = await this.#options.keys?.get(keyNames.replicaSet + toHex(this.owner))
    return kept && unpackChain(this.#crypto, kept)
  }

  /** Never goes back to an older set, whoever shows one. */
  async #adoptChain(chain: ReplicaSetChain): Promise<void> {
    if (this.#chain !== undefined && compareReplicaSets(chain.newest, this.#chain.newest) >= 0) return
    this.#chain = chain
    this.#home = undefined
    const members = chain.newest.members.flatMap(({ node, addresses }) => {
      const url = urlOf(addresses)
      return url === undefined ? [] : [{ url, node }]
    })
    if (members.length > 0) this.#members = members
    await this.#options.keys?.write(new Map([[keyNames.replicaSet + toHex(this.owner), chain.bytes]]))
  }

  async #race(racers: readonly Racer[]): Promise<Runner> {
    try {
      const outcome = await raceMembers(
        racers,
        (racer) => this.#transport(racer),
        this.#clock,
        this.#closed.signal,
      )
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
    const outcome = await raceMembers(
      others,
      (racer) => this.#transport(racer),
      this.#clock,
      this.#closed.signal,
    )
    for (const [url, error] of outcome.failed) this.#results.set(url, error)
    for (const runner of outcome.runners) this.#results.set(runner.url, runner)
    this.#warm = outcome.runners.find(({ url }) => url !== this.#current?.url)
  }

  /** Its failure shows at the next call, which seeks again. */
  #inBackground(work: Promise<unknown>): void {
    const settled = work.catch(() => undefined).finally(() => this.#background.delete(settled))
    this.#background.add(settled)
  }

  /** Runs a call; when the member is silent for a while, asks whether it lives, and gives the call up when it does not. */
  async #watched<T>(
    member: Runner,
    options: CallOptions,
    action: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController()
    const onAbort = (): void => controller.abort(abortReason(options.signal))
    if (options.signal?.aborted === true) onAbort()
    options.signal?.addEventListener('abort', onAbort, { once: true })
    let done = false
    let stop = (): void => {}
    const watch = (delayMs: number): void => {
      stop = this.#clock.after(delayMs, () => {
        const probed = probe(
          this.#transport(member),
          member,
          this.#clock,
          clientLimits.probeMs,
          controller.signal,
        )
        this.#inBackground(
          probed.then(
            () => {
              if (!done) watch(probeEveryMs)
            },
            () => {
              if (!done) controller.abort(new OnehopError('UNREACHABLE', `${member.url} stopped answering`))
            },
          ),
        )
      })
    }
    watch(clientLimits.silenceMs)
    try {
      return await action(controller.signal)
    } finally {
      done = true
      stop()
      options.signal?.removeEventListener('abort', onAbort)
    }
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

function homeLost(): OnehopError {
  return new OnehopError(
    'NOT_HOSTED',
    'no node is the home any more: others took the seat of one that was away',
    {
      help: 'On the machine of the node that is to be the home: onehop init. Or pair a phone with it: onehop pair.',
    },
  )
}

function homeAway(node: Uint8Array, cause: OnehopError): OnehopError {
  const what = `the home node, ${toHex(node).slice(0, 12)}, does not answer: ${cause.message}`
  return new OnehopError('UNREACHABLE', what.slice(0, 1024), {
    cause,
    help: 'Which groups there are and who holds what is said and changed there alone. Start it, or wait until it is back.',
  })
}

/** While a call takes long, the node is asked so often whether it lives. */
const probeEveryMs = 2_000
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

/** As soon as one member has answered. Rejects with UNREACHABLE when none does. */
export async function findNearest(
  options: Omit<NearestOptions, 'identities'> & Partial<Pick<NearestOptions, 'identities'>>,
): Promise<Nearest> {
  const { crypto = defaultCrypto() } = options
  const identities = options.identities ?? ((from: Transport) => new Identities(crypto, () => from))
  const nearest = new Nearest({ ...options, crypto, identities })
  try {
    await nearest.start()
    return nearest
  } catch (error) {
    await nearest.close()
    throw error
  }
}
