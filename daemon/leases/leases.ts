import { emptyBytes, equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import {
  isAskedBy,
  signLease,
  signLeaseAsk,
  verifyLease,
  type LeaseTerms,
  type SignedLease,
} from '../../protocol/placement/lease.ts'
import { keptLeaseSize } from '../../protocol/placement/lease-size.ts'
import {
  decodeLeaseAsks,
  decodeLeases,
  encodeLeaseAsks,
  encodeLeases,
  type LeaseAsk,
} from '../../protocol/placement/messages.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import { grantedKind, Ledger, readGranted } from './ledger.ts'
import type { Offers } from '../agreements/offers.ts'
import type { Pacts } from '../agreements/pacts.ts'
import { Promises } from './promises.ts'
import type { TakenLeases } from './taken.ts'

/** Empty documents by owner: shards whose leases are not renewed. */
const noticeKind = 'lease-notice'
/** Leases of our own kept in the form that is asked for again and again while a shard arrives. */
const keptMax = 4_096

/** Promises that wait to be taken up: an import of ten thousand people fits. */
const promisesMax = 16_384

export type Ask = Omit<LeaseAsk, 'signature'>

export interface LeasesParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly hosting: Hosting
  readonly seed: Uint8Array
  readonly config: Config['hosting']
  readonly offers: Pick<Offers, 'for' | 'list'>
  readonly pacts: Pick<Pacts, 'list'>
  readonly taken: Pick<TakenLeases, 'keep'>
  /** What a node says of where it stands; undefined of one that was not heard. */
  readonly regionOf: (node: NodeId) => string | undefined
  /** Has a seat in the shard. */
  readonly isHolder: (owner: IdentityId, node: NodeId) => boolean
}

/** Promises of bytes and time: those that this node gives, and those that it asks of others. */
export class Leases {
  readonly #parts: LeasesParts
  readonly #promises: Promises
  readonly #kept = new Map<string, SignedLease>()
  readonly #ledger: Ledger

  private constructor(parts: LeasesParts, promises: Promises, ledger: Ledger) {
    this.#parts = parts
    this.#promises = promises
    this.#ledger = ledger
    parts.rpc.handle('shard/lease', async ({ from, body }) =>
      encodeLeases(await this.#grant(from, decodeLeaseAsks(body))),
    )
  }

  static async open(parts: LeasesParts): Promise<Leases> {
    return new Leases(parts, await Promises.open(parts), await Ledger.open(parts))
  }

  /** What is leased to each neighbour, and what each leased to this node. */
  get ledger(): Pick<Ledger, 'given' | 'givenTo' | 'shardsOf' | 'entries'> {
    return this.#ledger
  }

  /** What this node would still promise to that one. */
  offeredBytes(to: NodeId): number {
    const { config, hosting, offers, pacts, regionOf } = this.#parts
    this.#dropLapsed()
    const offer = offers.for(to, regionOf(to))
    if (offer === undefined) return 0
    const room = config.offerBytes - hosting.leasedBytes() - this.#promises.bytes
    const unused = pacts
      .list()
      .reduce((sum, { node, givesBytes }) => sum + Math.max(0, givesBytes - this.#ledger.givenTo(node)), 0)
    // What is promised by pacts is there for these, whoever else asks.
    const own = offer.source === 'pact' ? room : room - unused
    const used = offer.to === to ? this.#ledger.givenTo(to) : this.#sharedBytes()
    return Math.max(0, Math.min(offer.bytes - used, own))
  }

  /** Leased to all whom no pact and no offer names. */
  #sharedBytes(): number {
    const { offers, pacts } = this.#parts
    const named = new Set([...pacts.list().map(({ node }) => node), ...offers.list().map(({ to }) => to)])
    let sum = 0
    for (const [node, bytes] of this.#ledger.given()) if (!named.has(node)) sum += bytes
    return sum
  }

  #isInvited(node: NodeId): boolean {
    return this.#parts.offers.for(node, this.#parts.regionOf(node)) !== undefined
  }

  /** The lease that this node gave for a shard and that has not run out. */
  granted(owner: IdentityId): SignedLease | undefined {
    const name = toHex(owner)
    const lease = this.#kept.get(name) ?? this.#stored(owner)
    if (lease === undefined || lease.expiresMs <= this.#parts.clock.nowMs()) return undefined
    this.#kept.delete(name)
    this.#kept.set(name, lease)
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value as string)
    return lease
  }

  /** Of a shard that is held here no more. */
  async forget(owner: IdentityId): Promise<void> {
    const { store } = this.#parts
    this.#kept.delete(toHex(owner))
    await store.write((batch) => {
      for (const kind of [grantedKind, noticeKind]) store.documents.deleteIn(batch, kind, owner)
    })
  }

  #stored(owner: IdentityId): SignedLease | undefined {
    const bytes = this.#parts.store.documents.get(grantedKind, owner)
    return bytes && readGranted(bytes)
  }

  /** The promise became a shard: its bytes are counted as leased from now on. */
  taken(lease: SignedLease): void {
    this.#promises.taken(lease.owner)
  }

  /** One answer per ask, in order; undefined where the host refused or signed something else. */
  async ask(host: NodeId, asks: readonly Ask[], signal: AbortSignal): Promise<(Uint8Array | undefined)[]> {
    const leases: (Uint8Array | undefined)[] = []
    for (let start = 0; start < asks.length; start += limits.placementShardsMax) {
      const part = asks.slice(start, start + limits.placementShardsMax)
      const signed = part.map((ask) => this.#signed(host, ask))
      const reply = await this.#parts.rpc.request(host, 'shard/lease', encodeLeaseAsks(signed), { signal })
      const answers = decodeLeases(reply)
      leases.push(...signed.map((ask, i) => this.#check(host, ask, answers[i])))
    }
    await this.#parts.taken.keep(host, asks, leases)
    return leases
  }

  #signed(host: NodeId, ask: Ask): LeaseAsk {
    const { crypto, rpc, seed } = this.#parts
    return { ...ask, signature: signLeaseAsk(crypto, termsOf(host, rpc.self, ask), seed) }
  }

  #check(host: NodeId, ask: LeaseAsk, packed: Uint8Array | undefined): Uint8Array | undefined {
    const lease = packed && verifyLease(this.#parts.crypto, packed)
    const fits =
      lease !== undefined &&
      toHex(lease.host) === host &&
      toHex(lease.home) === this.#parts.rpc.self &&
      equalBytes(lease.owner, ask.owner) &&
      equalBytes(lease.shard, ask.shard) &&
      lease.bytes >= ask.bytes &&
      // A holder that refused some records would be behind for ever.
      lease.largestRecordBytes >= limits.recordBytesMax
    return fits ? packed : undefined
  }

  /** Not renewed from now on: what was promised holds until it runs out. */
  async giveNotice(owners: readonly IdentityId[]): Promise<void> {
    const { store } = this.#parts
    await store.write((batch) => {
      for (const owner of owners) store.documents.putIn(batch, noticeKind, owner, emptyBytes)
    })
  }

  /** Friends again. */
  async takeBackNotice(owners: readonly IdentityId[]): Promise<void> {
    const { store } = this.#parts
    await store.write((batch) => {
      for (const owner of owners) store.documents.deleteIn(batch, noticeKind, owner)
    })
  }

  hasNotice(owner: IdentityId): boolean {
    return this.#parts.store.documents.get(noticeKind, owner) !== undefined
  }

  async #grant(to: NodeId, asks: readonly LeaseAsk[]): Promise<(Uint8Array | undefined)[]> {
    const { hosting, store } = this.#parts
    const kept: { owner: IdentityId; lease: Uint8Array }[] = []
    const leases = asks.map((ask) => {
      if (!this.#mayPromise(to, ask)) return undefined
      const isKept = this.#isKept(to, ask.owner)
      const lease = this.#promise(to, ask)
      // At once: of one message, or of several that come together, each ask counts for the next.
      if (isKept) this.#count(to, ask)
      if (isKept) kept.push({ owner: ask.owner, lease })
      return lease
    })
    // On disk before it is given away: a host that restarts keeps its word.
    await store.write((batch) => {
      for (const { owner, lease } of kept) {
        store.documents.putIn(batch, grantedKind, owner, lease)
        this.#promises.stage(batch, owner)
        hosting.stageQuota(batch, owner)
        this.#kept.delete(toHex(owner))
      }
    })
    return leases
  }

  /** Whoever only says to be the next home of a shard that is held here is told what is promised anyway. */
  #isKept(to: NodeId, owner: IdentityId): boolean {
    return !this.#parts.hosting.has(owner) || this.#isRenewal(to, owner)
  }

  #count(to: NodeId, { owner, bytes: asked }: LeaseAsk): void {
    const { hosting } = this.#parts
    const hosted = hosting.get(owner)
    // Of a person who lives here nothing is reserved for others.
    if (hosted?.person === true) return
    const bytes = Math.max(asked, this.#counted(owner))
    if (hosted !== undefined) hosting.raiseQuota(owner, bytes)
    // Whoever asks for a shard that is held takes none of what others have a pact about.
    if (this.#isInvited(to) || !this.#ledger.has(owner)) this.#ledger.gave(owner, to, bytes)
  }

  /** What is promised or leased for a shard already: asked again, as a repair does until it succeeds, it is meant. */
  #counted(owner: IdentityId): number {
    const { config, hosting } = this.#parts
    const hosted = hosting.get(owner)
    if (hosted?.person !== true) return this.#promises.of(owner) ?? hosted?.quotaBytes ?? 0
    // Who lives here and comes to live elsewhere, too: their next home may get the records from nobody else.
    const { firstLeaseBytes: firstBytes, leaseBytes: mostBytes } = config
    return keptLeaseSize({ usedBytes: hosting.usedBytes(owner), firstBytes, mostBytes })
  }

  #mayPromise(to: NodeId, ask: LeaseAsk): boolean {
    const { config, hosting, crypto, rpc } = this.#parts
    if (!isAskedBy(crypto, termsOf(rpc.self, to, ask), ask.signature)) return false
    if (this.hasNotice(ask.owner) && this.#isRenewal(to, ask.owner)) return false
    const counted = this.#counted(ask.owner)
    const offered = this.offeredBytes(to)
    // What waits to be taken up is between this node and whom it invited; a shard that is held may get another home.
    const mayRenew = counted > 0 && (this.#isInvited(to) || hosting.has(ask.owner))
    if (offered === 0 && !mayRenew) return false
    return (
      ask.bytes > 0 &&
      ask.bytes <= config.leaseBytes &&
      ask.bytes <= offered + counted &&
      // What is held is renewed, however many ask for what nobody holds yet.
      (counted > 0 || this.#promises.size < promisesMax)
    )
  }

  #promise(to: NodeId, ask: LeaseAsk): Uint8Array {
    const { config, crypto, hosting, rpc, seed } = this.#parts
    // Never less than before: else whoever asks for one byte leaves the shard without room for its records.
    const bytes = Math.max(ask.bytes, this.#counted(ask.owner))
    if (!hosting.has(ask.owner)) this.#promises.add(ask.owner, bytes)
    const lease = {
      ...termsOf(rpc.self, to, ask),
      bytes,
      largestRecordBytes: limits.recordBytesMax,
      bytesPerDay: config.leaseBytesPerDay,
      expiresMs: this.#until(to, ask),
    }
    return signLease(crypto, lease, ask.signature, seed)
  }

  /** By whom it was leased to, or who has a seat; else it is a node where the person may live next. */
  #isRenewal(to: NodeId, owner: IdentityId): boolean {
    const home = this.#ledger.entries().get(toHex(owner))?.home
    return this.granted(owner) === undefined || home === to || this.#parts.isHolder(owner, to)
  }

  /** Whoever asks, it ends no sooner than was promised; and no later for one who only says to be the next home, or after notice. */
  #until(to: NodeId, ask: LeaseAsk): number {
    const { clock, config } = this.#parts
    const asked = Math.floor(clock.nowMs()) + Math.min(config.leaseMs, ask.lastsMs || config.leaseMs)
    const before = this.granted(ask.owner)?.expiresMs
    if (before === undefined) return asked
    const mayExtend = !this.hasNotice(ask.owner) && this.#isKept(to, ask.owner)
    return mayExtend ? Math.max(before, asked) : before
  }

  /** Withdraws what was never taken up, or strangers who ask and never come would fill the disk with promises. */
  #dropLapsed(): void {
    const { store } = this.#parts
    const lapsed = this.#promises.dropLapsed()
    if (lapsed.length === 0) return
    for (const owner of lapsed) this.#ledger.ended(owner)
    const withdrawn = store.write((batch) => {
      for (const owner of lapsed) {
        store.documents.deleteIn(batch, grantedKind, owner)
        this.#promises.unstage(batch, owner)
      }
    })
    withdrawn.catch((error: unknown) => this.#parts.log.warn('lease.not-withdrawn', { error: String(error) }))
  }
}

function termsOf(host: NodeId, home: NodeId, { owner, shard, bytes, lastsMs }: Ask): LeaseTerms {
  return {
    host: fromHex(host, 32) as Uint8Array,
    owner,
    shard,
    home: fromHex(home, 32) as Uint8Array,
    askedBytes: bytes,
    askedMs: lastsMs,
  }
}
