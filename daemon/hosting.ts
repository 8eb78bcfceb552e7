import { concatBytes, emptyBytes, toHex } from '../protocol/bytes.ts'
import { nameOf } from '../protocol/id-name.ts'
import { encode } from '../protocol/codec.ts'
import { OnehopError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { leaseSize } from '../protocol/placement/lease-size.ts'
import { boolean, decodeAs, nullable, struct, text, uint } from '../protocol/shape.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Store, StoreBatch } from '../storage/types.ts'
import type { Config } from './config.ts'
import { forgetWork } from './replication/revoked-lists.ts'

const kind = 'hosted'
/** Empty documents by person and group: who brought which group here. */
const broughtKind = 'hosted-by'
/** Documents that mark shards of others which were found whole here; see replication. */
export const wholeKind = 'whole'
/** Of shards that are being fetched from their beginning: from whom, and how far. */
export const snapshotKind = 'snapshot'
/** Empty documents: of shards that were here as followers' copies, in which what is sealed for the owner is withheld. */
export const withheldKind = 'withheld'

/** Why and up to which size this node holds somebody's shard. */
export interface Hosted {
  readonly owner: IdentityId
  /** A person of this house, who paired with it or was brought in; else somebody's shard under a lease. */
  readonly person: boolean
  readonly quotaBytes: number
  /** When the lease ends; undefined for the people of the house. */
  readonly expiresMs: number | undefined
  readonly label: string
}

const shape = struct({
  person: boolean,
  quotaBytes: uint(),
  expiresMs: nullable(uint()),
  label: text(64),
})

/** Whose shards this node holds. All entries stay in memory: they are asked at every write. */
export class Hosting {
  readonly #store: Store
  readonly #hosted = new Map<string, Hosted>()
  #inOrder: readonly Hosted[] | undefined
  /** Asked for every lease that is granted: never counted anew. */
  #leasedBytes = 0
  #people = 0
  #changes = 0
  readonly #listeners = new Set<(owner: IdentityId) => void>()
  readonly #removeListeners = new Set<(owner: IdentityId) => void>()
  readonly #releases = new Set<(owner: IdentityId) => Promise<void>>()
  /** By owner: shards whose bytes are going just now. Whoever is taken in anew waits, or would lose what comes meanwhile. */
  readonly #going = new Map<string, Promise<void>>()

  private constructor(store: Store) {
    this.#store = store
  }

  static async open(store: Store): Promise<Hosting> {
    const hosting = new Hosting(store)
    let after: Uint8Array | undefined
    do {
      const page = await store.documents.list(kind, { ...(after && { gt: after }), limit: 1_000 })
      for (const { key, bytes } of page) {
        hosting.#set({ owner: key, ...decodeAs(shape, bytes, 'hosted') })
      }
      after = page.length < 1_000 ? undefined : page.at(-1)?.key
    } while (after !== undefined)
    return hosting
  }

  get(owner: IdentityId): Hosted | undefined {
    return this.#hosted.get(nameOf(owner))
  }

  has(owner: IdentityId): boolean {
    return this.#hosted.has(nameOf(owner))
  }

  /** Grows whenever a shard comes or goes. */
  get changes(): number {
    return this.#changes
  }

  get size(): number {
    return this.#hosted.size
  }

  /** How many people live here. */
  get people(): number {
    return this.#people
  }

  list(): Iterable<Hosted> {
    return this.#hosted.values()
  }

  /** In order of id, so that a list of thousands can be paged through. */
  inOrder(): readonly Hosted[] {
    this.#inOrder ??= [...this.#hosted.keys()].toSorted().map((name) => this.#hosted.get(name) as Hosted)
    return this.#inOrder
  }

  /** `by`: of a group, the person of this house who brings it. */
  async add(hosted: Hosted, by?: IdentityId): Promise<void> {
    await this.addMany([hosted], by)
  }

  /** Throws NO_QUOTA where the person has brought as many groups to this node as one may. */
  async requireRoomFor(group: IdentityId, by: IdentityId): Promise<void> {
    if (this.get(group)?.person === true) return
    const rows = await this.#store.documents.list(broughtKind, { prefix: by })
    const living = rows.filter(({ key }) => this.get(key.slice(32))?.person === true).length
    if (living >= limits.groupsPerPersonMax)
      throw new OnehopError('NO_QUOTA', `${living} groups that this person brought live here already`, {
        help: 'Whoever runs the node can remove one: onehop status lists them.',
      })
  }

  /** One batch for all of them. A person of the house stays one, whatever lease comes later. */
  async addMany(many: readonly Hosted[], by?: IdentityId): Promise<void> {
    await Promise.allSettled(many.map(({ owner }) => this.#going.get(nameOf(owner))))
    const added = many.map((hosted) => {
      const before = this.get(hosted.owner)
      return before?.person === true && !hosted.person ? before : hosted
    })
    await this.#store.write((batch) => {
      for (const hosted of added) this.#stage(batch, hosted)
      if (by === undefined) return
      for (const { owner } of added)
        if (this.get(owner)?.person !== true)
          this.#store.documents.putIn(batch, broughtKind, concatBytes(by, owner), emptyBytes)
    })
    for (const hosted of added) this.#set(hosted)
    this.#inOrder = undefined
    for (const { owner } of added) for (const listener of this.#listeners) listener(owner)
  }

  /** Of somebody who lives here; throws NOT_HOSTED. What they have stays, also where it is more. */
  async setQuota(owner: IdentityId, quotaBytes: number): Promise<void> {
    const hosted = this.get(owner)
    if (hosted?.person !== true)
      throw new OnehopError('NOT_HOSTED', `nobody of the id ${toHex(owner)} lives here`, {
        help: 'onehop status lists who does. Room for others is agreed by pacts and offers.',
      })
    this.#set({ ...hosted, quotaBytes })
    this.#inOrder = undefined
    await this.#store.write((batch) => this.stageQuota(batch, owner))
  }

  /** More was promised for a shard that is held; `stageQuota` puts it on disk. */
  raiseQuota(owner: IdentityId, quotaBytes: number): void {
    const hosted = this.get(owner)
    if (hosted === undefined || hosted.quotaBytes >= quotaBytes) return
    this.#set({ ...hosted, quotaBytes })
    this.#inOrder = undefined
  }

  /** Within the batch that keeps the promise. */
  stageQuota(batch: StoreBatch, owner: IdentityId): void {
    const hosted = this.get(owner)
    if (hosted !== undefined) this.#store.documents.putIn(batch, kind, owner, rowOf(hosted))
  }

  /** Calls back with every shard that is taken in; returns the way to stop. */
  onAdded(listener: (owner: IdentityId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls back with every shard that is given up; returns the way to stop. */
  onRemoved(listener: (owner: IdentityId) => void): () => void {
    this.#removeListeners.add(listener)
    return () => this.#removeListeners.delete(listener)
  }

  /** For what is kept of a shard outside of it: awaited before the shard goes, and again after a crash in between. */
  beforeRemoval(release: (owner: IdentityId) => Promise<void>): void {
    this.#releases.add(release)
  }

  /** Stops answering for the shard at once, then deletes what was kept of it. */
  async remove(owner: IdentityId): Promise<boolean> {
    const before = this.get(owner)
    if (before === undefined) return false
    const name = nameOf(owner)
    this.#hosted.delete(name)
    this.#changes++
    this.#leasedBytes -= leasedBytesOf(before)
    if (before.person) this.#people--
    this.#inOrder = undefined
    for (const listener of this.#removeListeners) listener(owner)
    const going = this.#wipe(owner).finally(() => this.#going.delete(name))
    this.#going.set(name, going)
    await going
    return true
  }

  async #wipe(owner: IdentityId): Promise<void> {
    for (const release of this.#releases) await release(owner)
    await this.#store.write((batch) => {
      for (const each of [kind, wholeKind, snapshotKind, withheldKind])
        this.#store.documents.deleteIn(batch, each, owner)
    })
    await forgetWork(this.#store, owner)
    await this.#store.shards.remove(owner)
  }

  /** True when so many more bytes of records fit into the shard's quota. */
  hasRoom(owner: IdentityId, bytes: number): boolean {
    return this.has(owner) && bytes <= this.roomBytes(owner)
  }

  /** What the shard's quota leaves; below zero when it is overdrawn. */
  roomBytes(owner: IdentityId): number {
    const hosted = this.get(owner)
    return hosted === undefined ? 0 : hosted.quotaBytes - this.usedBytes(owner)
  }

  /** Records and files that are here. */
  usedBytes(owner: IdentityId): number {
    const info = this.#store.shards.get(owner)
    return (info?.recordBytes ?? 0) + (info?.blobBytes ?? 0)
  }

  /** What others are asked to keep room for. */
  leaseBytes(
    owner: IdentityId,
    { firstLeaseBytes, leaseBytes }: Pick<Config['hosting'], 'firstLeaseBytes' | 'leaseBytes'>,
  ): number {
    const mostBytes = Math.min(this.get(owner)?.quotaBytes ?? 0, leaseBytes)
    return leaseSize({ usedBytes: this.usedBytes(owner), firstBytes: firstLeaseBytes, mostBytes })
  }

  /** Bytes promised to others under leases. */
  leasedBytes(): number {
    return this.#leasedBytes
  }

  #set(hosted: Hosted): void {
    const before = this.get(hosted.owner)
    this.#hosted.set(toHex(hosted.owner), hosted)
    this.#changes++
    this.#leasedBytes += leasedBytesOf(hosted) - (before === undefined ? 0 : leasedBytesOf(before))
    this.#people += Number(hosted.person) - Number(before?.person ?? false)
  }

  #stage(batch: StoreBatch, hosted: Hosted): void {
    const { owner } = hosted
    this.#store.documents.putIn(batch, kind, owner, rowOf(hosted))
    const before = this.#store.shards.get(owner)
    if (before?.status === 'partial' && before.records > 0)
      this.#store.documents.putIn(batch, withheldKind, owner, emptyBytes)
    this.#store.shards.setStatusIn(batch, owner, 'hosted')
  }
}

function rowOf({ person, quotaBytes, expiresMs, label }: Hosted): Uint8Array {
  return encode([person, quotaBytes, expiresMs ?? null, label])
}

function leasedBytesOf({ person, quotaBytes }: Hosted): number {
  return person ? 0 : quotaBytes
}
