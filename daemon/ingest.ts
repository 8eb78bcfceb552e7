import { equalBytes, toHex } from '../protocol/bytes.ts'
import { nameOf } from '../protocol/id-name.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, type ErrorCode } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Clock } from '../protocol/ports.ts'
import { clockMs, isClockAhead } from '../protocol/record/clock.ts'
import { deviceOf } from '../protocol/identity/access.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import type { IdentityId, RecordId, SignedRecord, VerifiedRecord } from '../protocol/record/types.ts'
import { verifyRecord } from '../protocol/record/verify.ts'
import { decodeRecord } from '../protocol/record/wire.ts'
import { decodeStored } from '../storage/stored-record.ts'
import type {
  Drop,
  DroppedItem,
  IncomingRecord,
  PutOptions,
  PutOutcome,
  Store,
  StoredRecord,
} from '../storage/types.ts'
import { nextTurn } from './clock.ts'
import type { VerifiesAhead } from './crypto/second-thread.ts'
import { verdictsOn, type Signed } from './crypto/verify-batch.ts'
import { problemOfWriting } from './client-rules.ts'
import { Equivocators } from './equivocators.ts'
import type { Hosting } from './hosting.ts'
import type { Identities } from './identities.ts'
import type { NodeId } from './net/rpc.ts'
import { isSame, limitOf, workOn } from './replication/revoked-lists.ts'
import type { Schemas } from './schemas.ts'
import type { WriteRates } from './write-rates.ts'

/** Where a record came from: its author's app, another holder of the shard, or an author's node that streams it. */
export type Source =
  | { readonly from: 'client' }
  | { readonly from: 'peer'; readonly node: NodeId }
  | { readonly from: 'stream'; readonly node: NodeId }
  /** Held here already: what outshone it was dropped. */
  | { readonly from: 'own' }

export type Outcome =
  | { readonly outcome: 'stored' | 'known'; readonly id: RecordId }
  | {
      readonly outcome: 'refused'
      /** Undefined when not even the bytes could be read. */
      readonly id: RecordId | undefined
      readonly code: ErrorCode
      readonly message: string
    }

/** A record that is now on this node's disk. */
export interface Arrival extends IncomingRecord {
  readonly put: PutOutcome
  readonly source: Source
}

export type StoredListener = (arrivals: readonly Arrival[]) => void

/** Items that showed what was dropped, and show something else or nothing now. */
export type DroppedListener = (owner: IdentityId, items: readonly DroppedItem[]) => void

export interface AcceptOptions extends Pick<PutOptions, 'also'> {
  /** Nothing is stored before this; what can be is verified meanwhile. Where it fails, so does the call. */
  readonly after?: Promise<unknown> | undefined
}

export interface IngestParts {
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly store: Store
  readonly identities: Identities
  readonly schemas: Schemas
  readonly hosting: Hosting
  readonly rates?: Pick<WriteRates, 'take'> | undefined
  /** Verifies signatures of long calls on another thread. */
  readonly ahead?: Pick<VerifiesAhead, 'verify' | 'isRunning' | 'isFree'> | undefined
}

/** So many are verified before others get a turn: about ten milliseconds. */
const sliceRecords = 256
/**
 * So many records under way at once are worth a second thread and the twenty-five megabytes that it takes: shards that
 * are brought, an import. An app that writes one record waits for nothing.
 */
const aheadFrom = 300
/** Once it runs. */
const aheadOnFrom = 32
/** Slices of one call on their way to the disk while the next is verified. */
const slicesWritingMax = 2
/** With those that are being verified: so many that neither thread waits for the other. */
const slicesUnderWayMax = 5

/** By owner in hex: devices whose further writes are refused. */
type Doubled = ReadonlyMap<string, ReadonlySet<string>>

/** A slice whose records were decoded, and their signatures verified where that is done ahead. */
interface ReadSlice {
  readonly encoded: readonly Uint8Array[]
  readonly decoded: readonly (SignedRecord | Outcome)[]
  readonly doubled: Doubled | undefined
  readonly crypto: CryptoProvider
}

/** What the records of one slice are checked with. */
interface Slice {
  readonly owners: Map<string, OwnerHere>
  readonly doubled: Doubled | undefined
  /** Knows the signatures that were verified ahead. */
  readonly crypto: CryptoProvider
}

/** What records of one person have in common: looked up once in a slice, not for each. */
interface OwnerHere {
  readonly hosted: boolean
  readonly state: IdentityState | undefined
  /** What the quota leaves, those of this slice counted. */
  roomBytes: number
}

/**
 * The one way by which records enter the store, whoever brings them: bound, decode, verify, authorise, store.
 * What is told to the listeners is on disk.
 */
export class Ingest {
  readonly #parts: IngestParts
  readonly #equivocators: Equivocators
  readonly #listeners = new Set<StoredListener>()
  readonly #dropListeners = new Set<DroppedListener>()
  #peersTurn = Promise.resolve()
  /** Records of calls that are not answered yet. */
  #underWay = 0

  constructor(parts: IngestParts) {
    this.#parts = parts
    this.#equivocators = new Equivocators(parts.store)
  }

  /** So much is about to come that a second thread is worth it: it starts while nothing is here yet. */
  expectMuch(): void {
    this.#parts.ahead?.isFree()
  }

  /** One outcome per record, in order. Resolves when what is called stored is on disk. */
  async accept(
    encoded: readonly Uint8Array[],
    source: Source,
    options: AcceptOptions = {},
  ): Promise<Outcome[]> {
    this.#underWay += encoded.length
    try {
      return await this.#acceptSlices(encoded, source, options)
    } finally {
      this.#underWay -= encoded.length
    }
  }

  async #acceptSlices(
    encoded: readonly Uint8Array[],
    source: Source,
    { after = Promise.resolve(), ...options }: AcceptOptions,
  ): Promise<Outcome[]> {
    const slices: Promise<Outcome[]>[] = []
    // For the whole call: its records are told in their order.
    const isMuch = this.#underWay >= (this.#parts.ahead?.isRunning === true ? aheadOnFrom : aheadFrom)
    let before = after
    for (let start = 0; start < encoded.length; start += sliceRecords) {
      await slices.at(-slicesUnderWayMax)
      const reading = this.#readSlice(encoded.slice(start, start + sliceRecords), source, isMuch)
      // The disk takes one slice while the next is verified, and takes them in their order, whichever thread is done first.
      const turn = Promise.all([reading, before, slices.at(-slicesWritingMax)]).then(async ([read]) => {
        if (start > 0) await this.#turnOf(source)
        return read
      })
      const slice = turn.then((read) => this.#acceptSlice(read, source, options))
      before = turn
      slice.catch(() => {}) // rejects this call below; until then nobody waits for it
      slices.push(slice)
      if (start + sliceRecords < encoded.length) await this.#turnOf(source)
    }
    return (await Promise.all(slices)).flat()
  }

  /** Slices of peers go one in a turn, however many calls of theirs are under way; an app waits for none of them. */
  #turnOf({ from }: Source): Promise<void> {
    if (from === 'client') return nextTurn()
    return (this.#peersTurn = this.#peersTurn.then(nextTurn))
  }

  onStored(listener: StoredListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes out what counts no more. What is restored in its place is told as an arrival. */
  async drop(owner: IdentityId, drops: readonly Drop[]): Promise<void> {
    const items = await this.#parts.store.records.drop(owner, drops)
    for (const listener of this.#dropListeners) listener(owner, items)
    this.#tell(
      items.flatMap(({ restored }) => {
        if (restored === undefined) return []
        const put = { state: 'filled', winner: true, equivocates: undefined, position: undefined } as const
        return [{ record: decodeStored(restored), bytes: restored.bytes, put, source: { from: 'own' } }]
      }),
    )
  }

  /**
   * Takes in again what was dropped and counts by what the logs say now; answers how many. They were acknowledged once, so
   * no quota keeps them out.
   */
  async bringBack(dropped: readonly StoredRecord[]): Promise<number> {
    const { crypto, identities, store } = this.#parts
    const taken = dropped.flatMap((stored): IncomingRecord[] => {
      const record = decodeStored(stored)
      const { owner, author } = record.header
      const [of, by] = [identities.get(owner), identities.get(author)]
      const counts = of !== undefined && by !== undefined && verifyRecord(crypto, record, of, by).ok
      return counts && this.#isListed(record, by) ? [{ record, bytes: stored.bytes }] : []
    })
    if (taken.length === 0) return 0
    // The shard is here: what it is counted as stays.
    const put = await store.records.put(taken, { hosted: false })
    const arrivals = taken.map(
      (one, i): Arrival => ({ ...one, put: put[i] as PutOutcome, source: { from: 'own' } }),
    )
    this.#tell(arrivals.filter(({ put: { state } }) => state !== 'known'))
    return taken.length
  }

  /** Before `onStored` tells of what is restored. */
  onDropped(listener: DroppedListener): () => void {
    this.#dropListeners.add(listener)
    return () => this.#dropListeners.delete(listener)
  }

  async #readSlice(encoded: readonly Uint8Array[], source: Source, isMuch: boolean): Promise<ReadSlice> {
    const decoded = encoded.map((bytes) => this.#decode(bytes))
    const doubled = source.from === 'client' ? await this.#doubledOf(decoded) : undefined
    const crypto = isMuch ? await this.#verifiedAhead(decoded) : this.#parts.crypto
    return { encoded, decoded, doubled, crypto }
  }

  async #acceptSlice(
    { encoded, decoded, doubled, crypto }: ReadSlice,
    source: Source,
    options: Pick<PutOptions, 'also'>,
  ): Promise<Outcome[]> {
    const taken: IncomingRecord[] = []
    const owners = new Map<string, OwnerHere>()
    const outcomes: (Outcome | undefined)[] = decoded.map((record, i) => {
      if ('outcome' in record) return record
      const checked = this.#check(record, encoded[i] as Uint8Array, source, { owners, doubled, crypto })
      if ('outcome' in checked) return checked
      taken.push(checked)
      return undefined // filled in below, once it is on disk
    })
    if (taken.length > 0) {
      const hosted = source.from !== 'stream'
      const put = await this.#parts.store.records.put(taken, { hosted, ...options })
      const arrivals = taken.map((one, i): Arrival => ({ ...one, put: put[i] as PutOutcome, source }))
      for (const { record, put: stored } of arrivals) {
        if (stored.equivocates !== undefined)
          this.#equivocators.note(record.header.owner, record.header.device)
      }
      let next = 0
      for (let i = 0; i < outcomes.length; i++) {
        if (outcomes[i] !== undefined) continue
        const { record, put: stored } = arrivals[next++] as Arrival
        outcomes[i] = { outcome: stored.state === 'known' ? 'known' : 'stored', id: record.id }
      }
      this.#tell(arrivals.filter(({ put: { state } }) => state !== 'known'))
    }
    return outcomes as Outcome[]
  }

  #decode(bytes: Uint8Array): SignedRecord | Outcome {
    try {
      return decodeRecord(this.#parts.crypto, bytes)
    } catch (error) {
      const { code, message } = asOnehopError(error)
      return { outcome: 'refused', id: undefined, code, message }
    }
  }

  /**
   * A provider that has the verdicts on these records' signatures already, by another thread or, while that one is busy, by this.
   * Only for keys that a log here admits: a stranger's signature is worth no thread's time.
   */
  async #verifiedAhead(records: readonly (SignedRecord | Outcome)[]): Promise<CryptoProvider> {
    const { ahead, crypto, identities } = this.#parts
    if (ahead === undefined) return crypto
    const signed = records.flatMap((record): Signed[] => {
      if ('outcome' in record) return []
      const { message, signature, header } = record
      const author = identities.get(header.author)
      if (author === undefined || deviceOf(author, header.device) === undefined) return []
      return [{ message, signature, key: header.device }]
    })
    if (signed.length === 0) return crypto
    const verdicts = ahead.isFree() ? await ahead.verify(signed) : verdictsOn(crypto, signed)
    if (verdicts?.length !== signed.length) return crypto
    // By the message itself, which belongs to one record and its one signature.
    const known = new Map(signed.map(({ message }, i) => [message, verdicts[i] === 1]))
    return {
      ...crypto,
      verifyStrict: (message, signature, key) =>
        known.get(message) ?? crypto.verifyStrict(message, signature, key),
    }
  }

  /** By owner, of shards held here: devices that used a number twice. */
  async #doubledOf(records: readonly (SignedRecord | Outcome)[]): Promise<Doubled> {
    const doubled = new Map<string, ReadonlySet<string>>()
    for (const record of records) {
      if ('outcome' in record) continue
      const { owner } = record.header
      const name = nameOf(owner)
      if (doubled.has(name) || !this.#parts.hosting.has(owner)) continue
      doubled.set(name, await this.#equivocators.of(owner, name))
    }
    return doubled
  }

  #check(
    record: SignedRecord,
    bytes: Uint8Array,
    source: Source,
    { owners, doubled, crypto }: Slice,
  ): IncomingRecord | Outcome {
    const refuse = (code: ErrorCode, message: string): Outcome => ({
      outcome: 'refused',
      id: record.id,
      code,
      message,
    })
    const { header } = record
    const { identities, clock } = this.#parts

    const ownerName = nameOf(header.owner)
    const here = owners.get(ownerName) ?? this.#lookUp(header.owner)
    owners.set(ownerName, here)
    if (source.from !== 'stream' && !here.hosted) {
      return refuse('NOT_HOSTED', `this node does not hold the shard of ${ownerName}`)
    }
    const owner = here.state
    if (owner === undefined) return refuse('UNKNOWN_IDENTITY', `no identity log of ${ownerName} here`)
    const author = equalBytes(header.author, header.owner) ? owner : identities.get(header.author)
    if (author === undefined)
      return refuse('UNKNOWN_IDENTITY', `no identity log of ${toHex(header.author)} here`)

    const verdict = verifyRecord(crypto, record, owner, author)
    if (!verdict.ok) return refuse(verdict.code, verdict.message)

    if (!this.#isListed(verdict.record, author)) {
      const device = toHex(header.device)
      return refuse('REVOKED', `${device} was revoked, and its record ${header.number} was another one`)
    }
    const nowMs = clock.nowMs()
    if (isClockAhead(header.clock, nowMs)) {
      const aheadS = Math.round((clockMs(header.clock) - nowMs) / 1000)
      return refuse(
        'CLOCK_AHEAD',
        `the record is dated ${aheadS} s ahead; ${limits.clockAheadMsMax / 1000} s are allowed`,
      )
    }
    if (source.from !== 'stream' && bytes.length > here.roomBytes) {
      return refuse('NO_QUOTA', `the quota of ${ownerName} is used up`)
    }
    if (source.from === 'peer' && this.#parts.rates?.take(header.owner, bytes.length) === false) {
      return refuse('BUSY', `more was written for ${ownerName} in a day than its lease allows`)
    }
    if (doubled !== undefined) {
      const { store, schemas } = this.#parts
      const writing = { record: verdict.record, doubled: doubled.get(ownerName), nowMs }
      const problem = problemOfWriting({ records: store.records, schemas }, writing)
      if (problem !== undefined) return refuse(problem.code, problem.message)
    }
    here.roomBytes -= bytes.length
    return { record: verdict.record, bytes }
  }

  /** A thief may sign numbers anew from before the revocation: only the records that it lists count. */
  #isListed({ header, id }: VerifiedRecord, author: IdentityState): boolean {
    // Nearly all records: at no cost.
    const isOwn = equalBytes(header.owner, header.author)
    if (isOwn && deviceOf(author, header.device)?.revoked === undefined) return true
    const { store, identities } = this.#parts
    const { owner: shard, author: person, device } = header
    const limit = limitOf(identities, { shard, person, device })
    if (limit === undefined) return true
    const held = store.records.byNumber(header.owner, header.device, header.number)
    if (held !== undefined && equalBytes(held.id, id)) return true
    const work = workOn(store, { shard, device })
    return work?.isSettled !== true || !isSame(work, limit)
  }

  #lookUp(owner: IdentityId): OwnerHere {
    const { identities, hosting } = this.#parts
    return {
      hosted: hosting.has(owner),
      state: identities.get(owner),
      roomBytes: hosting.roomBytes(owner),
    }
  }

  #tell(arrivals: readonly Arrival[]): void {
    if (arrivals.length === 0) return
    for (const listener of this.#listeners) listener(arrivals)
  }
}
