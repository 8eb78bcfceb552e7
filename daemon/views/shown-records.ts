import { equalBytes } from '../../protocol/bytes.ts'
import type { Clock } from '../../protocol/ports.ts'
import { isShown, type SectionKinds } from '../../protocol/query/view-plan.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import type { IdentityId, RecordRef, SectionHeader, VerifiedRecord } from '../../protocol/record/types.ts'
import { encodeRecord, withholdSections } from '../../protocol/record/wire.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { Store } from '../../storage/types.ts'

/** Of a sealed section only its own devices and its readers can make anything. */
export type Audience = 'owner' | 'public'

export interface Shown {
  readonly ref: RecordRef
  readonly collection: string
  readonly bytes: Uint8Array
  readonly expiresMs: number | undefined
}

export interface Selection {
  readonly app: string
  readonly collection: string
  readonly withheld: SectionKinds
  readonly audience: Audience
}

const cacheBytesMax = 32 * 2 ** 20
const emptyKey = new Uint8Array(0)

/** Records as pages show them, cut to the sections that a page needs; the latest used stay in memory. */
export class ShownRecords {
  readonly #store: Store
  readonly #clock: Clock
  readonly #cached = new Map<string, { readonly author: string; readonly shown: Shown }>()
  readonly #byAuthor = new Map<string, Set<string>>()
  #bytes = 0

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** The record of this reference, if it is what its item shows now. */
  current(author: IdentityId, ref: RecordRef, selection: Selection): Shown | undefined {
    const key = `${latin1(author)}${latin1(ref.id)}${selectionName(selection)}`
    const cached = this.#get(key)
    if (cached !== undefined) return cached
    const stored = this.#store.records.get(author, ref)
    if (stored === undefined) return undefined
    const record = decodeStored(stored)
    const { app, collection, operation } = record.header
    if (app !== selection.app || collection !== selection.collection || operation === 'delete')
      return undefined
    const winner = this.#store.records.winnerEntry(author, app, collection, itemKey(record))
    if (winner === undefined || !equalBytes(winner.ref.id, ref.id)) return undefined
    return this.#keep(key, author, record, stored.bytes, selection)
  }

  /** What the one item of a collection shows now. */
  single(author: IdentityId, selection: Selection): Shown | undefined {
    const key = `${latin1(author)}${selectionName(selection)}`
    const cached = this.#get(key)
    if (cached !== undefined) return cached
    const stored = this.#store.records.winner(author, selection.app, selection.collection, emptyKey)
    return stored && this.#keep(key, author, decodeStored(stored), stored.bytes, selection)
  }

  /** Something of the author changed that may be shown. */
  drop(author: IdentityId): void {
    const keys = this.#byAuthor.get(latin1(author))
    for (const key of keys ?? []) this.#delete(key)
  }

  #get(key: string): Shown | undefined {
    const cached = this.#cached.get(key)
    if (cached === undefined) return undefined
    const { expiresMs } = cached.shown
    if (expiresMs !== undefined && expiresMs <= this.#clock.nowMs()) {
      this.#delete(key)
      return undefined
    }
    this.#cached.delete(key)
    this.#cached.set(key, cached)
    return cached.shown
  }

  #keep(
    key: string,
    author: IdentityId,
    record: VerifiedRecord,
    bytes: Uint8Array,
    selection: Selection,
  ): Shown | undefined {
    const { expiresMs, collection, clock } = record.header
    if (expiresMs !== undefined && expiresMs <= this.#clock.nowMs()) return undefined
    const shown: Shown = {
      ref: { clock, id: record.id },
      collection,
      bytes: shownBytes(record, bytes, selection),
      expiresMs,
    }
    const name = latin1(author)
    this.#cached.set(key, { author: name, shown })
    const keys = this.#byAuthor.get(name) ?? new Set()
    this.#byAuthor.set(name, keys.add(key))
    this.#bytes += shown.bytes.length
    while (this.#bytes > cacheBytesMax) {
      const [oldest] = this.#cached.keys()
      if (oldest === undefined) break
      this.#delete(oldest)
    }
    return shown
  }

  #delete(key: string): void {
    const cached = this.#cached.get(key)
    if (cached === undefined) return
    this.#cached.delete(key)
    this.#bytes -= cached.shown.bytes.length
    const keys = this.#byAuthor.get(cached.author)
    keys?.delete(key)
    if (keys?.size === 0) this.#byAuthor.delete(cached.author)
  }
}

/**
 * Cut to what the audience may have and the page shows; as stored where that is all of it. What is sealed for a group or
 * for approved readers goes to whoever asks: they may live anywhere, and come to this node as strangers.
 */
export function shownBytes(
  record: VerifiedRecord,
  bytes: Uint8Array,
  { withheld, audience }: Pick<Selection, 'withheld' | 'audience'>,
): Uint8Array {
  const keep = (section: SectionHeader): boolean =>
    (audience === 'owner' || isForAll(section)) && isShown(withheld, section)
  if (record.header.sections.every(keep)) return bytes
  return encodeRecord(withholdSections(record, keep))
}

function isForAll({ audience, epoch }: SectionHeader): boolean {
  return audience === 'public' ? epoch === 0 : audience !== 'private'
}

function selectionName({ app, collection, withheld, audience }: Selection): string {
  return `${audience} ${app} ${collection} ${withheld.size === 0 ? '' : [...withheld].join()}`
}

/** The shortest name of some bytes for a map: half of hex. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
