import { toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { holds } from '../../protocol/identity/access.ts'
import { wrapSecret } from '../../protocol/identity/box.ts'
import { epochsCollection, readerPages, readersCollection } from '../../protocol/readers/collections.ts'
import { epochToSeal } from '../../protocol/readers/epoch.ts'
import { decodeReaders, encodeReaders, type ReaderEntry } from '../../protocol/readers/page.ts'
import { sealReadersChain } from '../../protocol/readers/secret.ts'
import type { DraftSection, RecordRef } from '../../protocol/record/types.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import { itemKey } from '../../protocol/schema/item-key.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'
import { parse, tuple, uint } from '../../protocol/shape.ts'
import type { AppParts } from '../app-parts.ts'
import { Collection } from '../collection.ts'
import type { EpochLink, FollowerSecrets, ReadersPage } from './follower-secrets.ts'
import type { Identity } from '../identity/identity.ts'
import type { Item, Write } from '../item.ts'
import { keyNames } from '../key-store.ts'
import type { KeyStore } from '../key-store.ts'
import { clientLimits } from '../limits.ts'
import type { ReaderPageList, UnwrappedEntry } from './reader-list.ts'
import type { CallOptions } from '../transport.ts'
import type { UnnumberedDraft } from '../writer.ts'

export interface ReaderBookParts {
  readonly identity: Identity | undefined
  readonly secrets: FollowerSecrets
  readonly keys: KeyStore
  /** By the node's clock. */
  readonly nowMs: () => number
}

/** Somebody was approved or put out; something is about to be sealed; somebody is to read nothing more from now on. */
export type Occasion = 'change' | 'seal' | 'urgent'

interface Newest {
  readonly epoch: number
  readonly startedMs: number
}

const keptShape = tuple(uint(1, 1), uint(), uint())

/**
 * This person's own pages of readers and the newest epoch, as far as this device knows them: read from the node, written
 * as records. For one caller at a time.
 */
export class ReaderBook {
  readonly #parts: AppParts
  readonly #own: ReaderBookParts
  readonly #pages = new Map<number, { readonly clock: bigint; readonly entries: readonly UnwrappedEntry[] }>()
  #newest: Newest | undefined
  /** The newest page that was read; undefined before a node told any. */
  #read: RecordRef | undefined
  #refreshedMs: number | undefined

  constructor(parts: AppParts, own: ReaderBookParts) {
    this.#parts = parts
    this.#own = own
  }

  get newestEpoch(): number | undefined {
    return this.#newest?.epoch
  }

  /** False: the pages are not known, only which epoch was the newest. */
  get isRead(): boolean {
    return this.#read !== undefined
  }

  get pages(): ReaderPageList {
    return new Map([...this.#pages].map(([page, { entries }]) => [page, entries]))
  }

  get mayWrite(): boolean {
    const { identity, nowMs } = this.#own
    const own = identity?.state.devices.get(toHex(identity.device.key))
    return own !== undefined && holds(own, this.#parts.app, readersCollection, 'write', nowMs())
  }

  /** Writes what was changed, the epoch that has to begin, and every wrap that it or another device's change left behind. */
  async settle(changed: ReaderPageList, occasion: Occasion): Promise<readonly Write[]> {
    const pages = new Map([...this.pages, ...changed])
    const before = this.#newest
    const boxEpoch = this.#own.identity?.box()?.epoch
    if (boxEpoch === undefined) throw mayNotApprove(this.#parts.app)
    const isWaiting = [...pages.values()].some((entries) =>
      entries.some(({ isRemoved, epoch }) => isRemoved && epoch === before?.epoch),
    )
    const nowMs = this.#own.nowMs()
    const epoch = epochToSeal({
      newest: before,
      boxEpoch,
      // All who are put out before something is sealed share an epoch.
      isRemovalWaiting: isWaiting && occasion !== 'change',
      isUrgent: occasion === 'urgent',
      nowMs,
    })
    const isNew = epoch !== before?.epoch
    const drafts: UnnumberedDraft[] = isNew ? [this.#draft(epochsCollection, this.#link(epoch))] : []
    const written: (readonly [number, readonly UnwrappedEntry[]])[] = []
    for (const [page, entries] of pages) {
      const isBehind = entries.some((entry) => !entry.isRemoved && entry.epoch !== epoch)
      if (!isBehind && !changed.has(page)) continue
      const next = entries.map((entry) => (entry.isRemoved ? entry : { ...entry, epoch }))
      written.push([page, next])
      drafts.push(this.#draft(readersCollection, this.#page(page, next)))
    }
    if (drafts.length === 0) return []
    const writes = await this.#parts.writeAll(drafts)
    const ofPages = isNew ? writes.slice(1) : writes
    for (const [i, [page, entries]] of written.entries()) {
      this.#pages.set(page, { clock: (ofPages[i] as Write).local.clock, entries })
    }
    if (isNew) await this.#keep({ epoch, startedMs: nowMs })
    return writes
  }

  #link(epoch: number): ItemValue {
    const { crypto, app } = this.#parts
    const before = this.#newest?.epoch
    if (before === undefined) return { epoch }
    const of = { owner: this.#parts.self(), app, epoch }
    const link = { epoch: before, secret: this.secretOf(before) }
    return { epoch, before, chain: sealReadersChain(crypto, this.secretOf(epoch), of, link) }
  }

  /** All of it wrapped anew: whoever reads it looks for one sender. */
  #page(page: number, entries: readonly UnwrappedEntry[]): ItemValue {
    const { device } = this.#own.identity as Identity
    const wrapped = entries.map(
      (entry): ReaderEntry => ({
        ...entry,
        wrap: wrapSecret(this.#parts.crypto, device, entry.boxKey, this.secretOf(entry.epoch)),
      }),
    )
    return { page, sender: device.boxKey, readers: encodeReaders(wrapped) }
  }

  #draft(collection: string, value: ItemValue): UnnumberedDraft {
    const { app, schema, crypto } = this.#parts
    const key = itemKey(collectionOf(schema, collection), value, (length) => crypto.random(length))
    const sections = planSections(schema, collection, value) as readonly DraftSection[]
    const of = { owner: this.#parts.self(), app, collection, key, schema: schema.hash }
    return () => ({ ...of, merge: 'register', operation: 'put', expiresMs: undefined, sections })
  }

  secretOf(epoch: number): Uint8Array {
    const secret = this.#own.secrets.ownOf(epoch)
    if (secret !== undefined) return secret
    if (this.#own.identity?.box() === undefined) throw mayNotApprove(this.#parts.app)
    throw new OnehopError('STALE', 'another device of yours knows of newer keys than this one', {
      help: 'Let this device learn your identity log first: open the app again while a node can be reached.',
    })
  }

  /** Best effort: what is known is good enough to write offline. */
  async freshen(): Promise<void> {
    const { clock } = this.#parts
    const nowMs = clock.monotonicMs()
    const isFresh =
      this.#refreshedMs !== undefined && nowMs - this.#refreshedMs < clientLimits.readersRefreshMs
    if (isFresh) return
    try {
      await this.refresh({ timeoutMs: clientLimits.readersRefreshTimeoutMs })
    } catch (cause) {
      this.#newest ??= await this.#kept()
      if (this.#newest === undefined || !asOnehopError(cause).retryable) throw cause
    }
    this.#refreshedMs = nowMs
  }

  /** All of it the first time, then what is newer. */
  async refresh(options: CallOptions): Promise<void> {
    if (!this.#parts.schema.collections.has(readersCollection)) {
      throw new OnehopError('BAD_REQUEST', `${this.#parts.app} keeps nothing for followers`, {
        help: "Only an app has readers whose schema gives some field the audience 'followers'.",
      })
    }
    const asking = { signal: options.signal, timeoutMs: options.timeoutMs }
    const epochs = new Collection<EpochLink>(this.#parts, epochsCollection)
    const { items } = await epochs.list({ ...asking, limit: 10 })
    const pages = new Collection<ReadersPage>(this.#parts, readersCollection)
    const read: Item<ReadersPage>[] = []
    let before: RecordRef | undefined
    do {
      const found = await pages.list({ ...asking, limit: readerPages, before, after: this.#read })
      // A page of approvals that is missing would be taken for an empty one, and the next approval written over all of it.
      if (found.leftOut > 0)
        throw new OnehopError(
          'LAGGING',
          'the node still has readers as a device named them that is revoked',
          {
            help: 'Ask again in a moment: then what was there before is back.',
          },
        )
      read.push(...found.items)
      before = found.more
    } while (before !== undefined)
    for (const { value, clock } of read) {
      const known = this.#pages.get(value.page)
      if (known !== undefined && known.clock >= clock) continue
      this.#pages.set(value.page, { clock, entries: decodeReaders(value.readers, value.page) })
    }
    this.#read = read[0] ?? this.#read ?? { clock: 0n, id: new Uint8Array(32) }
    const [newest] = items.toSorted((a, b) => b.value.epoch - a.value.epoch)
    if (newest !== undefined && newest.value.epoch > (this.#newest?.epoch ?? 0))
      await this.#keep({ epoch: newest.value.epoch, startedMs: newest.writtenMs })
  }

  /** For a start without a node. */
  async #keep(newest: Newest): Promise<void> {
    this.#newest = newest
    const name = keyNames.readers + this.#parts.app
    await this.#own.keys.write(new Map([[name, encode([1, newest.epoch, Math.floor(newest.startedMs)])]]))
  }

  async #kept(): Promise<Newest | undefined> {
    const kept = await this.#own.keys.get(keyNames.readers + this.#parts.app)
    if (kept === undefined) return undefined
    const [, epoch, startedMs] = parse(keptShape, decode(kept), 'readers')
    return { epoch, startedMs }
  }
}

export function mayNotApprove(app: string): OnehopError {
  return new OnehopError(
    'FORBIDDEN',
    `this device may not say who reads what is kept for followers in ${app}`,
    {
      help: "Use an owner's device, or admit this one with leave to write all of the app and to read private data.",
    },
  )
}
