import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { makeChain, unpackChain, type ReplicaSetChain } from '../../protocol/placement/chain.ts'
import { decodePlaced, encodeTaken, type Hello, type Placed } from '../../protocol/placement/messages.ts'
import { candidateOf } from '../../protocol/placement/candidate.ts'
import type { Candidate } from '../../protocol/placement/rendezvous.ts'
import {
  encodeReplicaSet,
  unpackReplicaSet,
  type ReplicaSet,
  type Seat,
} from '../../protocol/placement/replica-set.ts'
import {
  chooseNew,
  chooseStandby,
  chooseStaying,
  seatsToAsk,
  seatsToKeep,
} from '../../protocol/placement/seating.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosted, Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { NodeId, Routing, Rpc } from '../net/rpc.ts'
import { Distribution } from './distribution.ts'
import type { Ask, Leases } from '../leases/leases.ts'
import { broughtBy, learnSeats } from './moving-in.ts'
import type { Neighbours } from './neighbours.ts'
import type { ReplicaSets } from './replica-sets.ts'
import type { TakenLeases } from '../leases/taken.ts'

export interface PlacementParts {
  readonly rpc: Rpc
  readonly routing: Routing
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly config: Config['hosting']
  readonly store: Pick<Store, 'shards'>
  readonly identities: Identities
  readonly hosting: Hosting
  readonly replicaSets: ReplicaSets
  readonly neighbours: Neighbours
  readonly leases: Leases
  readonly taken: Pick<TakenLeases, 'get'>
  /** What this node says of itself: the seat that it takes. */
  readonly describe: () => Pick<Hello, 'region' | 'operator' | 'addresses'>
}

export interface Proposal {
  readonly owner: IdentityId
  /** The document for a device of the owner to sign. */
  readonly unsigned: Uint8Array
  readonly leases: readonly Uint8Array[]
}

export interface Wanted {
  readonly copies: number
  /** For each shard; where nothing is said, what each needs. */
  readonly bytes?: number | undefined
  /** Nodes that get no seat, and keep none. */
  readonly except?: readonly Uint8Array[] | undefined
  /** Nodes that are to have a copy beside the others for a while, near where the person is, and for how long. */
  readonly guests?: readonly Uint8Array[] | undefined
  readonly guestMs?: number | undefined
  /** Shows now that it has all of a shard: asked where there are more copies than need be, before one goes. */
  readonly proves?: ((node: NodeId, owner: IdentityId) => Promise<boolean>) | undefined
  /** Who has records still to bring to this node, and so keeps the seat. */
  readonly sourcesOf?: ((owner: IdentityId) => readonly NodeId[]) | undefined
}

/** Some refuse what they offered a moment ago; many of those are not asked in vain. */
const roundsOfAsking = 3
/** For proof before a surplus copy goes the holders are asked so many times between two audits, at most. */
const proofsPerAudit = 24
/** Shards held here and authors followed from here, with room; beyond, all are computed anew. */
const leadersMax = 65_536

type Terms = (owner: IdentityId, host: NodeId) => Pick<Ask, 'bytes' | 'lastsMs'>

interface Choice {
  readonly home: Candidate
  readonly copies: number
  /** By owner, as are the newcomers. */
  readonly staying: readonly (readonly Candidate[])[]
  readonly candidates: readonly Candidate[]
}

/** How shards get their holders: proposes, takes what was signed, tells the members. Repair is in repair.ts. */
export class Placement {
  readonly #parts: PlacementParts
  readonly distribution: Distribution
  /** By owner; good as long as nobody becomes suspect or is heard again. */
  readonly #leaders = new Map<string, NodeId>()
  #suspicions = -1
  #changes = 0
  /** Each reads a whole shard at all of its holders: not with every look of an app. By people who live here; monotonic. */
  readonly #proofsAgainMs = new Map<string, number>()
  readonly #joining = new Set<(owner: IdentityId, sources: readonly NodeId[]) => Promise<void>>()
  readonly #joined = new Set<(owner: IdentityId, sources: readonly NodeId[]) => void>()

  constructor(parts: PlacementParts) {
    this.#parts = parts
    this.distribution = new Distribution(parts)
    // Before anybody else hears of the set, so that its records wait for it: see Push.
    parts.replicaSets.onChanged((chain) => {
      this.#leaders.delete(toHex(chain.newest.owner))
      this.#changes++
      if (this.leads(chain.newest.owner)) this.distribution.announce(chain)
    })
    parts.rpc.handle('shard/take', async ({ body }) => encodeTaken(await this.#take(decodePlaced(body))))
  }

  /**
   * Chooses holders for many shards of this house at once, gathers their leases, and answers a document for each
   * that its owner has to sign. Fewer willing neighbours than asked for make a smaller set, never an error.
   */
  async propose(
    owners: readonly IdentityId[],
    { copies, bytes, except = [], proves, sourcesOf = () => [], guests = [], guestMs = 0 }: Wanted,
    signal: AbortSignal,
  ): Promise<Proposal[]> {
    const { neighbours, crypto, config, hosting } = this.#parts
    const stranger = owners.find((owner) => hosting.get(owner)?.person !== true)
    if (stranger !== undefined) {
      throw new OnehopError('NOT_HOSTED', `${toHex(stranger)} is not of this house`, {
        help: 'Pair with this node first: onehop pair.',
      })
    }
    const sizeOf = (owner: IdentityId): number =>
      bytes === undefined ? hosting.leaseBytes(owner, config) : Math.min(bytes, config.leaseBytes)
    // Once for all of them: libp2p makes its list of addresses anew each time.
    const said = this.#parts.describe()
    const home = candidateOf({ node: fromHex(this.#parts.rpc.self, 32) as Uint8Array, ...said })
    const barred = new Set(except.map(toHex))
    const isWelcome = ({ node }: Pick<Candidate, 'node'>): boolean => !barred.has(toHex(node))
    // Whoever has too little for the largest says so when it is asked.
    const leastBytes = owners.reduce((least, owner) => Math.min(least, sizeOf(owner)), config.leaseBytes)
    const candidates = neighbours.candidates(leastBytes).filter(isWelcome)
    const sets = owners.map((owner) => this.#parts.replicaSets.get(owner)?.newest)
    const seats = owners.map((owner, i) => {
      const isHeard = ({ node }: Seat): boolean =>
        neighbours.awayMs(toHex(node)) === 0 || sourcesOf(owner).includes(toHex(node))
      return seatsToAsk(sets[i], home.node, isHeard).filter(isWelcome)
    })
    await learnSeats(this.#parts.routing, this.#parts.log, seats.flat())
    const former = seats.map((held) => held.map((seat) => candidateOf(seat)))
    const asked: Terms = (owner) => ({ bytes: sizeOf(owner), lastsMs: 0 })
    // Whoever has a copy and no room for more keeps its seat: it is asked for more elsewhere, see LeaseGrowth.
    const again: Terms = (owner, host) => {
      const known = bytes === undefined ? this.#parts.taken.get(owner, host)?.lease.bytes : undefined
      return { bytes: known ?? sizeOf(owner), lastsMs: 0 }
    }
    const kept = await this.#gatherLeases(owners, former, again, signal)
    const staying = await Promise.all(
      owners.map(async (owner, i) => {
        const promised = (former[i] as Candidate[]).filter((one) => kept.has(leaseName(owner, one)))
        const sources = sourcesOf(owner)
        const brings = ({ node }: Candidate): boolean => sources.includes(toHex(node))
        const sound = await this.#sound(owner, sets[i], promised, { copies, proves })
        // Nobody goes while those who stay have not shown that they have it all.
        if (sound.length < Math.min(copies, promised.length)) return promised
        const counted = promised.filter((one) => sound.includes(one) || brings(one))
        return chooseStaying(crypto.sha256, { shard: owner, home, copies }, sets[i], counted, brings)
      }),
    )
    const leases = new Map(kept)
    const fresh = await this.#gatherNew(owners, { home, copies, staying, candidates }, asked, leases, signal)
    const come = guests.filter((node) => isWelcome({ node })).map((node) => this.#guest(node))
    const invited = owners.map((_, i) => come.filter((one) => !isAmong(one, staying[i], fresh[i])))
    const visiting: Terms = (owner) => ({ bytes: sizeOf(owner), lastsMs: guestMs })
    const stays = await this.#gatherLeases(owners, invited, visiting, signal)
    return owners.map((owner, i) => {
      const members = [...(staying[i] as Candidate[]), ...(fresh[i] as Candidate[])]
      const visits = [
        ...(invited[i] as Candidate[]).flatMap((one) => {
          const lease = stays.get(leaseName(owner, one))
          return lease === undefined ? [] : [{ one, lease }]
        }),
        ...this.#guestsThatStay(owner, sets[i], [...members, ...(invited[i] as Candidate[])]).filter(
          ({ one }) => isWelcome(one),
        ),
      ].slice(0, limits.replicaSetMembersMax - 1 - members.length)
      const seated = { members, guests: visits.map(({ one }) => one) }
      return {
        owner,
        unsigned: encodeReplicaSet(this.#firstSet(owner, seated, candidates, copies, said)),
        leases: [
          ...members.map((one) => leases.get(leaseName(owner, one)) as Uint8Array),
          ...visits.map(({ lease }) => lease),
        ],
      }
    })
  }

  /** Where there are more copies than the owner asked for: which of the holders show now that they have all. */
  async #sound(
    owner: IdentityId,
    set: ReplicaSet | undefined,
    promised: readonly Candidate[],
    { copies, proves }: Pick<Wanted, 'copies' | 'proves'>,
  ): Promise<readonly Candidate[]> {
    // Whoever asks for fewer than before has them: what goes is handed over before it is dropped.
    if (proves === undefined || set?.copies !== copies || promised.length <= copies) return promised
    const nowMs = this.#parts.clock.monotonicMs()
    const name = toHex(owner)
    if (nowMs < (this.#proofsAgainMs.get(name) ?? 0)) return []
    this.#proofsAgainMs.set(name, nowMs + this.#parts.config.auditEveryMs / proofsPerAudit)
    const proven = await Promise.all(promised.map(({ node }) => proves(toHex(node), owner)))
    return promised.filter((_, i) => proven[i] === true)
  }

  /** Takes the set that a device of the owner signed, and sees to it that every member hears of it. */
  async commit(packed: Uint8Array): Promise<ReplicaSetChain> {
    const set = unpackReplicaSet(this.#parts.crypto, packed)
    if (set.step !== 0) throw new OnehopError('BAD_REQUEST', 'an owner signs the first set of an epoch')
    const { hosting, replicaSets, rpc } = this.#parts
    const before = replicaSets.get(set.owner)?.newest
    const self = fromHex(rpc.self, 32) as Uint8Array
    const bringing = hosting.has(set.owner) ? broughtBy(before, set, self).map(toHex) : []
    const { chain, isNews } = await replicaSets.accept(makeChain([set]), async () => {
      // On the disk before the set: a box that crashes in between would count as whole with nothing.
      if (bringing.length > 0) for (const listener of this.#joining) await listener(set.owner, bringing)
    })
    if (!isNews && toHex(chain.newest.hash) !== toHex(set.hash)) {
      throw new OnehopError('STALE', `a newer replica set of ${toHex(set.owner)} is known`)
    }
    this.distribution.announce(chain)
    for (const { node } of seatsToKeep(before, self)) this.distribution.announceTo(toHex(node), set.owner)
    if (isNews && bringing.length > 0) for (const listener of this.#joined) listener(set.owner, bringing)
    return chain
  }

  /** Calls back, and waits, before a set is taken by which others have to bring a shard's records. Returns the way to stop. */
  onJoining(listener: (owner: IdentityId, sources: readonly NodeId[]) => Promise<void>): () => void {
    this.#joining.add(listener)
    return () => this.#joining.delete(listener)
  }

  /**
   * Calls back with each shard whose records others hold and have to bring: to a new home those who held it before, to another
   * holder whoever leads. Returns the way to stop.
   */
  onJoined(listener: (owner: IdentityId, sources: readonly NodeId[]) => void): () => void {
    this.#joined.add(listener)
    return () => this.#joined.delete(listener)
  }

  /** The first member, in the set's order, that this node hears: who pushes streams, feeds search, repairs. */
  leader(owner: IdentityId): NodeId | undefined {
    const { neighbours, replicaSets } = this.#parts
    this.#look()
    const name = toHex(owner)
    const known = this.#leaders.get(name)
    if (known !== undefined) return known
    const leader = replicaSets.members(owner).find((node) => !neighbours.isSuspect(node))
    if (leader !== undefined) this.#leaders.set(name, leader)
    return leader
  }

  /** True when this node speaks for the shard: its leader, or its only holder as long as it has no set. */
  leads(owner: IdentityId): boolean {
    const hosted = this.#parts.hosting.get(owner)
    if (hosted === undefined) return false
    const leader = this.leader(owner)
    return leader === undefined ? hosted.person : leader === this.#parts.rpc.self
  }

  /** Grows whenever `leads` may answer otherwise for some shard: until then nobody has to look at all of them again. */
  get changes(): number {
    this.#look()
    return this.#changes + this.#parts.hosting.changes
  }

  #look(): void {
    const { suspicions } = this.#parts.neighbours
    if (suspicions === this.#suspicions && this.#leaders.size < leadersMax) return
    this.#suspicions = suspicions
    this.#changes++
    this.#leaders.clear()
  }

  /** Throws NOT_FOUND for one that is not heard. */
  #guest(node: Uint8Array): Candidate {
    const { neighbours } = this.#parts
    const known = neighbours.get(toHex(node))
    if (known !== undefined && neighbours.awayMs(toHex(node)) === 0)
      return candidateOf({ node, ...known.hello }, known.hello.offeredBytes)
    throw new OnehopError('NOT_FOUND', `node ${toHex(node).slice(0, 12)} is not heard here now`, {
      help: 'onehop neighbours --all lists those that are.',
    })
  }

  /** Until what they promised runs out: a guest's lease is not renewed. */
  #guestsThatStay(
    owner: IdentityId,
    set: ReplicaSet | undefined,
    others: readonly Candidate[],
  ): readonly { readonly one: Candidate; readonly lease: Uint8Array }[] {
    const { clock, taken } = this.#parts
    const seats = set?.members.filter(({ role }) => role === 'guest') ?? []
    return seats.flatMap((seat) => {
      const one = candidateOf(seat)
      const known = taken.get(owner, toHex(seat.node))
      if (known === undefined || known.lease.expiresMs <= clock.nowMs() || isAmong(one, others)) return []
      return [{ one, lease: known.packed }]
    })
  }

  #firstSet(
    owner: IdentityId,
    { members, guests }: { readonly members: readonly Candidate[]; readonly guests: readonly Candidate[] },
    candidates: readonly Candidate[],
    copies: number,
    said: Pick<Hello, 'region' | 'operator' | 'addresses'>,
  ): ReplicaSet {
    const { crypto, clock, config, replicaSets, rpc } = this.#parts
    const known = replicaSets.get(owner)?.newest
    const self = fromHex(rpc.self, 32) as Uint8Array
    const home = candidateOf({ node: self, ...said })
    const standby = chooseStandby(crypto.sha256, { shard: owner, home }, [...members, ...guests], candidates)
    const { region, operator, addresses } = said
    return {
      owner,
      shard: owner,
      epoch: (known?.epoch ?? 0) + 1,
      step: 0,
      previous: known?.hash,
      members: [
        { node: self, role: 'home', region, operator, addresses },
        ...members.map((candidate) => this.#seat(candidate, known?.members)),
        ...guests.map((candidate) => this.#seat(candidate, known?.members, 'guest')),
      ],
      standby: standby.map((candidate) => this.#seat(candidate)),
      copies,
      expiresMs: clock.nowMs() + config.leaseMs,
    }
  }

  #seat(candidate: Candidate, former: readonly Seat[] = [], role: Seat['role'] = 'replica'): Seat {
    const { region, operator } = candidate
    const before = former.find(({ node }) => equalBytes(node, candidate.node))
    const addresses =
      this.#parts.neighbours.get(toHex(candidate.node))?.hello.addresses ?? before?.addresses ?? []
    return { node: candidate.node, role, addresses, operator, region }
  }

  /** For the seats that are left; into `leases`. What somebody offers may be used up by now: then the next best are asked. */
  async #gatherNew(
    owners: readonly IdentityId[],
    { home, copies, staying, candidates }: Choice,
    terms: Terms,
    leases: Map<string, Uint8Array>,
    signal: AbortSignal,
  ): Promise<Candidate[][]> {
    const { sha256 } = this.#parts.crypto
    const fresh: Candidate[][] = owners.map(() => [])
    const asked = new Set<string>()
    for (let round = 0; round < roundsOfAsking; round++) {
      const chosen = owners.map((owner, i) => {
        const held = [...(staying[i] as Candidate[]), ...(fresh[i] as Candidate[])]
        if (held.length >= copies) return []
        const left = candidates.filter((one) => !asked.has(leaseName(owner, one)))
        return chooseNew(sha256, { shard: owner, home, copies }, held, left)
      })
      if (chosen.every(({ length }) => length === 0)) break
      const promised = await this.#gatherLeases(owners, chosen, terms, signal)
      for (const [name, lease] of promised) leases.set(name, lease)
      for (const [i, owner] of owners.entries()) {
        for (const one of chosen[i] as Candidate[]) {
          asked.add(leaseName(owner, one))
          if (promised.has(leaseName(owner, one))) (fresh[i] as Candidate[]).push(one)
        }
      }
    }
    return fresh
  }

  /** By owner and host. A host that refuses or does not answer is simply missing. */
  async #gatherLeases(
    owners: readonly IdentityId[],
    chosen: readonly Candidate[][],
    terms: Terms,
    signal: AbortSignal,
  ): Promise<Map<string, Uint8Array>> {
    const asks = new Map<NodeId, IdentityId[]>()
    for (const [i, owner] of owners.entries()) {
      for (const candidate of chosen[i] as Candidate[]) {
        const node = toHex(candidate.node)
        asks.set(node, [...(asks.get(node) ?? []), owner])
      }
    }
    const leases = new Map<string, Uint8Array>()
    await Promise.all(
      [...asks].map(async ([node, wanted]) => {
        try {
          const asked = wanted.map((owner) => ({ owner, shard: owner, ...terms(owner, node) }))
          const answers = await this.#parts.leases.ask(node, asked, signal)
          for (const [i, lease] of answers.entries()) {
            if (lease !== undefined) leases.set(`${toHex(wanted[i] as IdentityId)} ${node}`, lease)
          }
        } catch (error) {
          signal.throwIfAborted()
          this.#parts.log.info('placement.lease-failed', { node, error: String(error) })
        }
      }),
    )
    return leases
  }

  /** A member is told of its seat: it kept its promise of bytes if the set names it and it gave a lease. */
  async #take(placed: readonly (Placed | undefined)[]): Promise<boolean[]> {
    const results = await Promise.allSettled(
      placed.slice(0, limits.placementShardsMax).map(async (one) => {
        if (one === undefined) return false
        const told = unpackChain(this.#parts.crypto, one.chain)
        if (!this.#concerns(told.newest.owner)) return false
        await this.#parts.identities.accept(told.newest.owner, one.log, { people: one.people })
        const { chain } = await this.#parts.replicaSets.accept(told)
        return chain
      }),
    )
    const seated: ReplicaSetChain[] = []
    const taken = results.map((result) => {
      if (result.status === 'rejected') {
        this.#parts.log.warn('placement.refused', { error: String(result.reason) })
        return false
      }
      if (result.value !== false) seated.push(result.value)
      return result.value !== false
    })
    await this.#sit(seated)
    return taken
  }

  /** Strangers' shards are not kept: anybody could fill this disk with people whom nobody here knows. */
  #concerns(owner: IdentityId): boolean {
    const { hosting, leases, replicaSets, identities, store } = this.#parts
    if (hosting.has(owner) || leases.granted(owner) !== undefined) return true
    if (store.shards.get(owner)?.status === 'hosted') return true
    // Whoever was only looked up is no more known than before.
    return replicaSets.get(owner) !== undefined && identities.isKept(owner)
  }

  /** Begins to hold the shards that this node leased and that now name it a member. */
  async #sit(chains: readonly ReplicaSetChain[]): Promise<void> {
    const { hosting, leases, rpc } = this.#parts
    const isMember = ({ newest: { members } }: ReplicaSetChain): boolean =>
      members.some((member) => toHex(member.node) === rpc.self)
    const absent = chains.filter(({ newest }) => !hosting.has(newest.owner))
    await this.#takeUp(absent.filter((chain) => !isMember(chain)))
    const fresh = absent.filter(isMember).flatMap(({ newest }) => leases.granted(newest.owner) ?? [])
    if (fresh.length === 0) return
    await hosting.addMany(
      fresh.map(({ owner, bytes, expiresMs }) => ({
        owner,
        person: false,
        quotaBytes: bytes,
        expiresMs,
        label: '',
      })),
    )
    for (const lease of fresh) {
      leases.taken(lease)
      for (const listener of this.#joined) listener(lease.owner, [])
    }
  }

  /** What lies here though its promise rotted, and the seat went to others meanwhile, is handed over to them: see damage/restore-hosting.ts. */
  async #takeUp(chains: readonly ReplicaSetChain[]): Promise<void> {
    const { hosting, store } = this.#parts
    const left = chains.flatMap(({ newest: { owner } }): Hosted[] => {
      const info = store.shards.get(owner)
      if (info?.status !== 'hosted') return []
      const quotaBytes = info.recordBytes + info.blobBytes
      return [{ owner, person: false, quotaBytes, expiresMs: undefined, label: '' }]
    })
    if (left.length > 0) await hosting.addMany(left)
  }
}

function isAmong(one: Candidate, ...lists: readonly (readonly Candidate[] | undefined)[]): boolean {
  return lists.some((list) => list?.some(({ node }) => equalBytes(node, one.node)) === true)
}

function leaseName(owner: IdentityId, candidate: Candidate): string {
  return `${toHex(owner)} ${toHex(candidate.node)}`
}
