import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { pushRecordsMax } from '../../protocol/replication/messages.ts'
import {
  decodeSnapshotAsk,
  decodeSnapshotPage,
  encodeSnapshotAsk,
  encodeSnapshotPage,
  type SnapshotAsk,
  type SnapshotPage,
} from '../../protocol/replication/snapshot.ts'
import type { Importance } from '../../protocol/schema/document.ts'
import { bytes, decodeAs, nullable, struct, text, u64, uint, type Typed } from '../../protocol/shape.ts'
import type { Place, Store, StoredRecord } from '../../storage/types.ts'
import { snapshotKind, withheldKind, type Hosting } from '../hosting.ts'
import type { Ingest } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Schemas } from '../schemas.ts'
import type { Holders } from './holders.ts'
import { passing } from './passing.ts'

export interface SnapshotsParts {
  readonly rpc: Rpc
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Log
  readonly store: Store
  readonly schemas: Pick<Schemas, 'newest'>
  readonly hosting: Pick<Hosting, 'has'>
  readonly holders: Pick<Holders, 'isHolder'>
  readonly ingest: Pick<Ingest, 'accept' | 'expectMuch'>
}

/** By owner, see hosting. */
const notedShape = struct({ source: text(64), cursor: nullable(bytes(1, 1_024)) })

/** Where a page ended: in which list, before which of its records; in the last part after which. */
const ref = nullable(struct({ clock: u64, id: bytes(32) }))
const cursorShape = struct({ rank: uint(3), app: text(255), collection: text(255), at: ref })
type Cursor = Typed<typeof cursorShape>

const ranks: readonly Importance[] = ['high', 'normal', 'low']
/** A joiner that nobody lets ask is filled by whoever compares with it after that. */
const leaveMs = 3_000
const pageBytesMax = limits.frameBytesMax - 16_384
const nothing = Promise.resolve()
/** Read at a time: a record may be as large as a page. */
const readRecords = 128

/** Of the pages up to one. */
interface Taken {
  readonly received: number
  /** With those that were here. */
  readonly brought: number
  readonly goesOn: boolean
  /** Where to go on is on the disk as well. */
  readonly noted: Promise<void>
}

/**
 * The whole of a shard for a holder that has nothing of it: lists in their schema's order of importance, each the newest first, then
 * what no list shows. A page costs the same wherever it begins, and the answerer remembers nothing. What comes meanwhile is pushed;
 * that both are equal in the end is for a comparison to say.
 */
export class Snapshots {
  readonly #parts: SnapshotsParts
  /** Shards that joined with nothing in them and were not yet asked for; until when others leave them to that. Monotonic. */
  readonly #wanted = new Map<string, number>()
  readonly #underWay = new Set<string>()

  constructor(parts: SnapshotsParts) {
    this.#parts = parts
    parts.rpc.handle('shard/snapshot', async ({ from, body }) =>
      encodeSnapshotPage(await this.#page(from, decodeSnapshotAsk(body))),
    )
  }

  /** A shard joined: of one that has nothing yet all is fetched. */
  joined(owner: IdentityId): void {
    const { store, clock } = this.#parts
    if ((store.shards.get(owner)?.records ?? 0) === 0)
      this.#wanted.set(toHex(owner), clock.monotonicMs() + leaveMs)
  }

  /** It is whole, or was given up. */
  ended(owner: IdentityId): void {
    this.#wanted.delete(toHex(owner))
  }

  /** About to be fetched, or being: whoever compares would but move it in another order. */
  isComing(owner: IdentityId): boolean {
    const untilMs = this.#wanted.get(toHex(owner)) ?? -Infinity
    return this.#parts.clock.monotonicMs() < untilMs || this.#underWay.has(toHex(owner))
  }

  /**
   * Fetches what joined with nothing in it, or goes on where it was cut; how many records came. Ends early where the other brings
   * nothing new: what is missing then a comparison finds. It is tried once, and a comparison does it where it fails.
   */
  async fetch(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<number> {
    const name = toHex(owner)
    const noted = this.#noted(owner)
    if (noted === undefined ? !this.#wanted.has(name) : noted.source !== node) return 0
    return this.#begin(node, owner, noted?.cursor, signal)
  }

  /** It has the names of all records, maybe, and of some not the bytes: no comparison finds which. */
  isWithheld(owner: IdentityId): boolean {
    return this.#parts.store.documents.get(withheldKind, owner) !== undefined
  }

  /** All of it from one that is whole, to the end; how many records came, or came to be whole. */
  complete(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<number> {
    const noted = this.#noted(owner)
    return this.#begin(node, owner, noted?.source === node ? noted.cursor : undefined, signal)
  }

  async #begin(
    node: NodeId,
    owner: IdentityId,
    from: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const name = toHex(owner)
    this.#wanted.delete(name)
    this.#underWay.add(name)
    try {
      return await this.#fetch(node, owner, from, signal)
    } finally {
      this.#underWay.delete(name)
    }
  }

  /**
   * One page is verified while the one before it is on its way to the disk, and the one after it on its way here. The second thread is
   * there by the time at which the first comes.
   */
  async #fetch(
    node: NodeId,
    owner: IdentityId,
    from: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const { rpc, log, ingest } = this.#parts
    ingest.expectMuch()
    const ask = async (cursor: Uint8Array | undefined): Promise<SnapshotPage> =>
      decodeSnapshotPage(
        await rpc.request(node, 'shard/snapshot', encodeSnapshotAsk({ owner, cursor }), {
          signal,
          timeoutMs: 30_000,
        }),
      )
    let page: SnapshotPage | undefined = await ask(from)
    let last: Promise<Taken> = Promise.resolve({ received: 0, brought: 0, goesOn: true, noted: nothing })
    try {
      while (page !== undefined) {
        const coming: Promise<SnapshotPage> | undefined = page.next && ask(page.next)
        coming?.catch(() => undefined)
        const before = last
        last = this.#take(node, owner, page, before)
        last.catch(() => undefined)
        // Where the one before brought nothing new, this one is the last.
        page = (await before).goesOn ? await coming : undefined
      }
    } finally {
      // Also where the next did not come: what did is noted.
      await last.then(({ noted }) => noted).catch(() => undefined)
    }
    const { received, noted } = await last
    await noted
    if (received > 0) log.info('snapshot.fetched', { node, records: received })
    return received
  }

  /**
   * Takes one page in, and notes where to go on when it and all before it are on the disk. The next does not wait for the note, which
   * comes to the disk before its records do; where that fails, the next is the last, and a comparison finds what is missing.
   */
  async #take(node: NodeId, owner: IdentityId, page: SnapshotPage, before: Promise<Taken>): Promise<Taken> {
    const { ingest, log } = this.#parts
    const { records, next } = page
    let [stored, held, passed] = [0, 0, 0]
    for (const outcome of await ingest.accept(records, { from: 'peer', node }, { after: before })) {
      if (outcome.outcome === 'stored') stored++
      if (outcome.outcome !== 'refused') held++
      else {
        if (passing.has(outcome.code)) passed++
        log.warn('snapshot.refused', { node, code: outcome.code, message: outcome.message })
      }
    }
    const { received, goesOn, brought, noted: notedBefore } = await before
    await notedBefore
    const all = { received: received + stored, brought: brought + held }
    // Nothing else would find what was not taken now: it goes on here.
    if ((passed > 0 || !goesOn) && this.isWithheld(owner)) return { ...all, goesOn: false, noted: nothing }
    const isNews = stored > 0 || records.length === 0
    const isToGoOn = goesOn && next !== undefined && (isNews || this.#mayBeWithheld(owner, all))
    const noted = this.#note(owner, isToGoOn ? { source: node, cursor: next } : undefined)
    noted.catch(() => undefined) // whoever goes on, or ends, waits for it
    if (goesOn && next === undefined && this.isWithheld(owner))
      await this.#parts.store.documents.delete(withheldKind, owner)
    return { ...all, goesOn: isToGoOn, noted }
  }

  /** Each record comes once: who brings more than there are goes round and round. */
  #mayBeWithheld(owner: IdentityId, { brought }: Pick<Taken, 'brought'>): boolean {
    const records = this.#parts.store.shards.get(owner)?.records ?? 0
    return this.isWithheld(owner) && brought <= records + pushRecordsMax
  }

  #noted(owner: IdentityId): Typed<typeof notedShape> | undefined {
    const stored = this.#parts.store.documents.get(snapshotKind, owner)
    return stored && decodeAs(notedShape, stored, snapshotKind)
  }

  async #note(owner: IdentityId, noted: Typed<typeof notedShape> | undefined): Promise<void> {
    const { documents } = this.#parts.store
    if (noted === undefined) await documents.delete(snapshotKind, owner)
    else await documents.put(snapshotKind, owner, encode([noted.source, noted.cursor ?? null]))
  }

  async #page(from: NodeId, { owner, cursor }: SnapshotAsk): Promise<SnapshotPage> {
    const { hosting, holders } = this.#parts
    if (!hosting.has(owner))
      throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(owner)}`)
    if (!holders.isHolder(owner, from))
      throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
    const page = new Page()
    let at: Cursor | undefined = cursor === undefined ? await this.#first(owner) : readCursor(cursor)
    while (at !== undefined && !page.isFull) at = await this.#fill(page, owner, at)
    return { records: page.records, next: at && writeCursor(at) }
  }

  #first(owner: IdentityId): Promise<Cursor | undefined> {
    return this.#after(owner, { rank: 0, app: '', collection: '' })
  }

  /** Takes what fits from where the cursor stands; where to go on, undefined at the end. */
  async #fill(page: Page, owner: IdentityId, cursor: Cursor): Promise<Cursor | undefined> {
    const { records } = this.#parts.store
    if (cursor.rank === ranks.length) {
      const { records: some, last } = await records.unlisted(owner, readRecords, cursor.at)
      const taken = page.take(some)
      if (taken < some.length) return { ...cursor, at: some[taken - 1]?.ref ?? cursor.at }
      return last && { ...cursor, at: last }
    }
    const some = await records.items(owner, cursor, readRecords, cursor.at)
    const taken = page.take(some)
    if (taken === readRecords || taken < some.length)
      return { ...cursor, at: some[taken - 1]?.ref ?? cursor.at }
    return this.#after(owner, cursor)
  }

  /** The next list, or what no list shows. */
  async #after(owner: IdentityId, after: Omit<Cursor, 'at'>): Promise<Cursor | undefined> {
    const places = await Promise.all(
      (await this.#parts.store.records.places(owner)).map(async (place) => ({
        ...place,
        rank: ranks.indexOf(await this.#importance(place)),
        at: undefined,
      })),
    )
    const next = places.filter((place) => compare(place, after) > 0).toSorted(compare)[0]
    return next ?? { rank: ranks.length, app: '', collection: '', at: undefined }
  }

  async #importance({ app, collection }: Place): Promise<Importance> {
    const schema = await this.#parts.schemas.newest(app)
    return schema?.collections.get(collection)?.importance ?? 'normal'
  }
}

class Page {
  readonly records: Uint8Array[] = []
  #room = pageBytesMax
  #isFull = false

  get isFull(): boolean {
    return this.#isFull || this.records.length === pushRecordsMax
  }

  /** How many went in; one that is too large for any page goes alone. */
  take(records: readonly StoredRecord[]): number {
    for (const [i, record] of records.entries()) {
      const needs = record.bytes.length + 5
      this.#isFull = needs > this.#room && this.records.length > 0
      if (this.isFull) return i
      this.records.push(record.bytes)
      this.#room -= needs
    }
    return records.length
  }
}

function compare(a: Omit<Cursor, 'at'>, b: Omit<Cursor, 'at'>): number {
  return a.rank - b.rank || compareText(a.app, b.app) || compareText(a.collection, b.collection)
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function readCursor(cursor: Uint8Array): Cursor {
  try {
    return decodeAs(cursorShape, cursor, 'snapshot cursor')
  } catch (cause) {
    throw new OnehopError('BAD_REQUEST', asOnehopError(cause).message, { cause })
  }
}

function writeCursor({ rank, app, collection, at }: Cursor): Uint8Array {
  return encode([rank, app, collection, at === undefined ? null : [at.clock, at.id]])
}
