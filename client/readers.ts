import { decode, encode } from '../protocol/codec.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import { holds } from '../protocol/identity/access.ts'
import { wrapSecret, type BoxSecret } from '../protocol/identity/box.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { epochsCollection, readerPages, readersCollection } from '../protocol/readers/collections.ts'
import { boxEpochOf, epochToSeal } from '../protocol/readers/epoch.ts'
import { decodeReaders, encodeReaders, type ReaderEntry } from '../protocol/readers/page.ts'
import { sealReadersChain } from '../protocol/readers/secret.ts'
import type { DraftSection, IdentityId, RecordRef } from '../protocol/record/types.ts'
import { decodeRecord } from '../protocol/record/wire.ts'
import { collectionOf } from '../protocol/schema/check-item.ts'
import { itemKey } from '../protocol/schema/item-key.ts'
import { planSections } from '../protocol/schema/sections.ts'
import type { ItemValue } from '../protocol/schema/value.ts'
import { parse, tuple, uint } from '../protocol/shape.ts'
import type { AppParts } from './app-parts.ts'
import { Collection } from './collection.ts'
import type { EpochLink, FollowerSecrets, ReadersPage } from './follower-secrets.ts'
import { idOf } from './id.ts'
import type { Identity } from './identity.ts'
import type { Item, Write } from './item.ts'
import { keyNames } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import { clientLimits } from './limits.ts'
import { withoutReader, withReader, type ReaderPageList, type UnwrappedEntry } from './reader-list.ts'
import type { CallOptions } from './transport.ts'
import type { UnnumberedDraft } from './writer.ts'

/** Somebody who may read what this person keeps for followers. */
export interface ApprovedReader {
  readonly identity: IdentityId
  /** Put out: reads until a new epoch begins, with what is sealed a day after the last one began. */
  readonly isLeaving: boolean
}

export interface FollowRequest {
  readonly identity: IdentityId
  readonly sinceMs: number
  /** They were approved once, and put out. */
  readonly wasRemoved: boolean
}

export interface FollowRequests {
  readonly items: readonly FollowRequest[]
  /** False: some node that serves followers did not answer, or there are more than are listed. */
  readonly isWhole: boolean
}

export interface RemoveOptions extends CallOptions {
  /** What is sealed from now on they cannot read, even where somebody was put out today already. */
  readonly urgent?: boolean | undefined
}

/** As of a write: safe on this device when it is there, then on a node, then on two. */
export type ReadersChange = Pick<Write, 'accepted' | 'durable'>

/** Somebody was approved or put out; something is about to be sealed; somebody is to read nothing more from now on. */
type Occasion = 'change' | 'seal' | 'urgent'

interface Newest {
  readonly epoch: number
  readonly startedMs: number
}

const keptShape = tuple(uint(1, 1), uint(), uint())

/**
 * Whom this person approved in this app. Whoever follows without that sees that there is something, and no more.
 *
 * 1. What is sealed waits for the wraps of its epoch: they are signed and in the outbox before it.
 * 2. Other devices of the person change the list as well. It is read anew before each change, and every half minute before
 *    something is sealed; of what two of them change apart, the later counts.
 */
export class Readers {
  readonly #parts: AppParts
  readonly #identity: Identity | undefined
  readonly #secrets: FollowerSecrets
  readonly #keys: KeyStore
  readonly #nowMs: () => number
  readonly #pages = new Map<number, { readonly clock: bigint; readonly entries: readonly UnwrappedEntry[] }>()
  #newest: Newest | undefined
  /** Of the newest page that was read. */
  #read: RecordRef | undefined
  #refreshedMs: number | undefined
  #tail: Promise<unknown> = Promise.resolve()

  constructor(
    parts: AppParts,
    own: {
      readonly identity: Identity | undefined
      readonly secrets: FollowerSecrets
      readonly keys: KeyStore
      /** By the node's clock. */
      readonly nowMs: () => number
    },
  ) {
    this.#parts = parts
    this.#identity = own.identity
    this.#secrets = own.secrets
    this.#keys = own.keys
    this.#nowMs = own.nowMs
  }

  /** They read what was sealed before, too. Again: their keys were renewed since. */
  async approve(user: IdentityId | string, options: CallOptions = {}): Promise<ReadersChange> {
    const identity = idOf(user, 32)
    if (this.#parts.isSelf(identity)) throw new OnehopError('BAD_REQUEST', 'one reads one’s own anyhow')
    const { type, boxes } = await this.#parts.identities.refresh(identity, options)
    const box = boxes.at(-1)
    if (type !== 'person' || box === undefined) {
      throw new OnehopError('BAD_REQUEST', `${toHex(identity)} is a group`, {
        help: 'Approve its members, or name it where you write: put(value, { readers: GROUP }).',
      })
    }
    return this.#change(options, 'change', (pages) => withReader(pages, { identity, box }))
  }

  /** What they could read they still can. Takes effect with what is sealed next, once a day; at once where urgent. */
  async remove(user: IdentityId | string, options: RemoveOptions = {}): Promise<ReadersChange> {
    const identity = idOf(user, 32)
    return this.#change(options, options.urgent === true ? 'urgent' : 'change', (pages) => {
      const changed = withoutReader(pages, identity, this.#newest?.epoch)
      if (changed === undefined)
        throw new OnehopError('NOT_FOUND', `${toHex(identity)} is no reader`, {
          help: 'app.readers.list() names those who are.',
        })
      return changed
    })
  }

  async list(options: CallOptions = {}): Promise<readonly ApprovedReader[]> {
    this.#parts.self()
    return this.#inTurn(async () => {
      await this.#refresh(options)
      return [...this.#pages.values()].flatMap(({ entries }) =>
        entries.flatMap(({ reader, isRemoved, epoch }) =>
          isRemoved && epoch !== this.#newest?.epoch ? [] : [{ identity: reader, isLeaving: isRemoved }],
        ),
      )
    })
  }

  /** Who follows and was not approved. Nobody is among them without having signed that they follow. */
  async requests(options: CallOptions = {}): Promise<FollowRequests> {
    const approved = new Set<string>()
    const put = new Set<string>()
    await this.#inTurn(async () => {
      await this.#refresh(options)
      for (const { entries } of this.#pages.values())
        for (const { reader, isRemoved } of entries) (isRemoved ? put : approved).add(toHex(reader))
    })
    const items: FollowRequest[] = []
    let isWhole = true
    let after: IdentityId | undefined
    for (let pages = 0; ; pages++) {
      const { followers, more, silent } = await this.#followers(after, options)
      if (silent > 0) isWhole = false
      for (const { identity, sinceMs } of followers) {
        const name = toHex(identity)
        if (!approved.has(name)) items.push({ identity, sinceMs, wasRemoved: put.has(name) })
      }
      after = more
      if (after === undefined) return { items, isWhole }
      if (pages >= clientLimits.followerPagesMax || items.length >= clientLimits.followRequestsMax)
        return { items, isWhole: false }
    }
  }

  /** One page of those whose record says so and verifies. */
  async #followers(after: IdentityId | undefined, options: CallOptions) {
    const { app, schema, crypto, reader, transport } = this.#parts
    const self = this.#parts.self()
    const request = { owner: self, app, ...(after && { after }) }
    const { records, more, silent } = await transport.call('follower.list', request, options)
    const verdicts = await reader.verdicts(records, { app }, options)
    const followers = verdicts.flatMap((verdict) => {
      if (!verdict.ok) return []
      const { owner, collection } = verdict.record.header
      const compiled = schema.collections.get(collection)
      const item = compiled?.follows && reader.item(verdict.record, collection)
      const followed = item?.value[compiled?.follows?.field ?? '']
      const isMe = followed instanceof Uint8Array && equalBytes(followed, self)
      return item !== undefined && isMe ? [{ identity: owner, sinceMs: item.writtenMs }] : []
    })
    // Where the node stands, whatever of it was believed.
    const last = more ? records.at(-1) : undefined
    return { followers, silent, more: last && decodeRecord(crypto, last).header.owner }
  }

  /** What to seal under now, once the wraps for it are on the way. */
  async current(): Promise<BoxSecret> {
    return this.#inTurn(async () => {
      await this.#freshen()
      // A device that may not write the list seals under what there is.
      if (this.#read !== undefined && this.#mayWrite()) await this.#settle(new Map(), 'seal')
      const newest = this.#newest
      const box = this.#identity?.box()
      if (newest === undefined || box === undefined) throw mayNotApprove(this.#parts.app)
      // Whoever was shut out since could make this secret.
      if (boxEpochOf(newest.epoch) < box.epoch) {
        throw new OnehopError(
          'STALE',
          'a device was revoked, and new keys for your readers were not made yet',
          {
            help: "Open the app on an owner's device while a node can be reached.",
          },
        )
      }
      return { epoch: newest.epoch, secret: this.#secretOf(newest.epoch) }
    })
  }

  async #change(
    options: CallOptions,
    occasion: Occasion,
    edit: (pages: ReaderPageList) => readonly [number, readonly UnwrappedEntry[]],
  ): Promise<ReadersChange> {
    this.#parts.self()
    return this.#inTurn(async () => {
      if (!this.#mayWrite()) throw mayNotApprove(this.#parts.app)
      await this.#refresh(options)
      const [page, entries] = edit(this.#entries())
      const writes = await this.#settle(new Map([[page, entries]]), occasion)
      return changeOf(writes)
    })
  }

  /** Writes what was changed, the epoch that has to begin, and every wrap that it or another device's change left behind. */
  async #settle(changed: ReaderPageList, occasion: Occasion): Promise<readonly Write[]> {
    const pages = new Map([...this.#entries(), ...changed])
    const before = this.#newest
    const boxEpoch = this.#identity?.box()?.epoch
    if (boxEpoch === undefined) throw mayNotApprove(this.#parts.app)
    const isWaiting = [...pages.values()].some((entries) =>
      entries.some(({ isRemoved, epoch }) => isRemoved && epoch === before?.epoch),
    )
    const nowMs = this.#nowMs()
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
    const link = { epoch: before, secret: this.#secretOf(before) }
    return { epoch, before, chain: sealReadersChain(crypto, this.#secretOf(epoch), of, link) }
  }

  /** All of it wrapped anew: whoever reads it looks for one sender. */
  #page(page: number, entries: readonly UnwrappedEntry[]): ItemValue {
    const { device } = this.#identity as Identity
    const wrapped = entries.map(
      (entry): ReaderEntry => ({
        ...entry,
        wrap: wrapSecret(this.#parts.crypto, device, entry.boxKey, this.#secretOf(entry.epoch)),
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

  #secretOf(epoch: number): Uint8Array {
    const secret = this.#secrets.ownOf(epoch)
    if (secret !== undefined) return secret
    if (this.#identity?.box() === undefined) throw mayNotApprove(this.#parts.app)
    throw new OnehopError('STALE', 'another device of yours knows of newer keys than this one', {
      help: 'Let this device learn your identity log first: open the app again while a node can be reached.',
    })
  }

  /** Best effort: what is known is good enough to write offline. */
  async #freshen(): Promise<void> {
    const { clock } = this.#parts
    const nowMs = clock.monotonicMs()
    const isFresh =
      this.#refreshedMs !== undefined && nowMs - this.#refreshedMs < clientLimits.readersRefreshMs
    if (isFresh) return
    try {
      await this.#refresh({ timeoutMs: clientLimits.readersRefreshTimeoutMs })
    } catch (cause) {
      this.#newest ??= await this.#kept()
      if (this.#newest === undefined || !asOnehopError(cause).retryable) throw cause
    }
    this.#refreshedMs = nowMs
  }

  /** All of it the first time, then what is newer. */
  async #refresh(options: CallOptions): Promise<void> {
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
    await this.#keys.write(new Map([[name, encode([1, newest.epoch, Math.floor(newest.startedMs)])]]))
  }

  async #kept(): Promise<Newest | undefined> {
    const kept = await this.#keys.get(keyNames.readers + this.#parts.app)
    if (kept === undefined) return undefined
    const [, epoch, startedMs] = parse(keptShape, decode(kept), 'readers')
    return { epoch, startedMs }
  }

  #entries(): ReaderPageList {
    return new Map([...this.#pages].map(([page, { entries }]) => [page, entries]))
  }

  #mayWrite(): boolean {
    const { app } = this.#parts
    const own = this.#identity?.state.devices.get(toHex(this.#identity.device.key))
    return own !== undefined && holds(own, app, readersCollection, 'write', this.#nowMs())
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(action)
    this.#tail = run.catch(() => undefined)
    return run
  }
}

function changeOf(writes: readonly Write[]): ReadersChange {
  const last = writes.at(-1) as Write
  const accepted = Promise.all(writes.map((write) => write.accepted)).then(() => last.accepted)
  // Nobody has to wait for it.
  accepted.catch(() => undefined)
  return {
    accepted,
    get durable() {
      return Promise.all(writes.map((write) => write.durable)).then(() => last.durable)
    },
  }
}

function mayNotApprove(app: string): OnehopError {
  return new OnehopError(
    'FORBIDDEN',
    `this device may not say who reads what is kept for followers in ${app}`,
    {
      help: "Use an owner's device, or admit this one with leave to write all of the app and to read private data.",
    },
  )
}
