import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { groupKeyFor, privateKeyFor } from '../protocol/identity/box.ts'
import type { BoxSecret, EpochSecret } from '../protocol/identity/box.ts'
import { blindCollection, blindingKey, blindItemKey } from '../protocol/record/blind.ts'
import { openSection } from '../protocol/record/section.ts'
import { followersKeyFor } from '../protocol/readers/secret.ts'
import type {
  DraftSection,
  Fields,
  IdentityId,
  RecordHeader,
  VerifiedRecord,
} from '../protocol/record/types.ts'
import type { Collection } from '../protocol/schema/schema.ts'
import type { PlannedSection } from '../protocol/schema/sections.ts'
import type { FollowerSecrets } from './readers/follower-secrets.ts'
import type { GroupSecrets } from './groups/group-secrets.ts'
import type { Identity } from './identity/identity.ts'
import type { CallOptions } from './transport.ts'

/** Where a sealed section stands, and for whom. */
export interface SealPlace {
  readonly owner: IdentityId
  readonly app: string
  /** As it stands in the header. */
  readonly collection: string
  /** Who reads what the schema keeps for followers. */
  readonly group: IdentityId | undefined
  /** The secret of their readers' newest epoch, where it is those whom they approved. */
  readonly followers: EpochSecret | undefined
}

type KeyPlace = Pick<SealPlace, 'owner' | 'app' | 'collection'>

type SealedRecord = Pick<VerifiedRecord, 'header' | 'sections'>

export interface OpenedSection {
  readonly fields: Fields
  /** Undefined for what is public. */
  readonly key: Uint8Array | undefined
}

/** What stands in headers for a private collection and its keys, and the keys that seal and open sealed sections. */
export class Sealing {
  readonly #crypto: CryptoProvider
  readonly #identity: Identity | undefined
  readonly #groups: GroupSecrets
  readonly #followers: FollowerSecrets
  #blinding: Uint8Array | undefined
  readonly #keys = new Map<string, Uint8Array>()

  constructor(
    crypto: CryptoProvider,
    identity: Identity | undefined,
    groups: GroupSecrets,
    followers: FollowerSecrets,
  ) {
    this.#crypto = crypto
    this.#identity = identity
    this.#groups = groups
    this.#followers = followers
  }

  collectionName(app: string, collection: Collection): string {
    return collection.private
      ? blindCollection(this.#crypto, this.#blindingKey(collection), app, collection.name)
      : collection.name
  }

  itemKey(app: string, collection: Collection, key: Uint8Array): Uint8Array {
    return collection.private && collection.merge === 'register'
      ? blindItemKey(this.#crypto, this.#blindingKey(collection), app, collection.name, key)
      : key
  }

  seal(section: PlannedSection, place: SealPlace): DraftSection {
    const { audience, heights, fields } = section
    if (audience === 'public') return { audience, heights, fields }
    const { owner, app, collection, group, followers } = place
    if (audience === 'followers' && group === undefined) {
      if (followers === undefined || !this.#isOwn(owner)) throw noBox(collection)
      const key = this.#followersKey(followers, place)
      return { audience, heights: {}, fields, sealing: { epoch: followers.epoch, key } }
    }
    if (audience === 'followers' && group !== undefined) {
      const box = this.#groups.newest(group)
      if (box === undefined) throw this.#groups.isOutside(group) ? noMember(group) : noGroupBox(group)
      const key = this.#groupKey(box, group, place)
      return { audience: { group }, heights: {}, fields, sealing: { epoch: box.epoch, key } }
    }
    const box = this.#identity?.box()
    if (box === undefined || !this.#isOwn(owner)) throw noBox(collection)
    const key = this.#privateKey(box, app, collection)
    return { audience, heights: {}, fields, sealing: { epoch: box.epoch, key } }
  }

  /** What a section says, and the key that opened it; undefined where this device has none that does. Throws as `openSection`. */
  open(record: SealedRecord, index: number): OpenedSection | undefined {
    const fields = openSection(this.#crypto, record, index)
    if (fields !== undefined) return { fields, key: undefined }
    for (const key of this.#keysFor(record.header, index)) {
      const opened = openSection(this.#crypto, record, index, key)
      if (opened !== undefined) return { fields: opened, key }
    }
    return undefined
  }

  /** Fetches what opens the sections that are sealed for approved readers, as far as this person is one of them. */
  async learn(records: readonly VerifiedRecord[], options: CallOptions): Promise<void> {
    const wanted = records.flatMap(({ header: { owner, sections: headers }, sections }) =>
      headers.flatMap(({ audience, epoch }, i) =>
        audience === 'followers' && sections[i] !== undefined ? [{ owner, epoch }] : [],
      ),
    )
    if (wanted.length > 0) await this.#followers.learn(wanted, options)
  }

  /** Something changed, an approval perhaps. */
  retry(): void {
    this.#followers.retry()
  }

  /** More than one where two devices made an epoch of that number apart from each other. */
  #keysFor(header: RecordHeader, index: number): readonly Uint8Array[] {
    const section = header.sections[index]
    if (section === undefined) return []
    const { audience, epoch } = section
    const { owner, app, collection } = header
    if (typeof audience === 'object') {
      const { group } = audience
      return this.#groups.ofEpoch(group, epoch).map((box) => this.#groupKey(box, group, header))
    }
    if (audience === 'followers')
      return this.#followers
        .ofEpoch(owner, epoch, app)
        .map((secret) => this.#followersKey({ epoch, secret }, header))
    if (audience !== 'private' || !this.#isOwn(owner)) return []
    return (this.#identity?.boxes.ofEpoch(epoch) ?? []).map((box) => this.#privateKey(box, app, collection))
  }

  #groupKey(box: BoxSecret, group: IdentityId, { owner, app, collection }: KeyPlace): Uint8Array {
    return this.#kept([toHex(group), ...nameOf(box), toHex(owner), app, collection], () =>
      groupKeyFor(this.#crypto, box, { group, owner, app, collection }),
    )
  }

  #followersKey(of: EpochSecret, { owner, app, collection }: KeyPlace): Uint8Array {
    const { epoch, secret } = of
    return this.#kept(['followers', epoch, toHex(secret), toHex(owner), app, collection], () =>
      followersKeyFor(this.#crypto, secret, { owner, app, collection, epoch }),
    )
  }

  #isOwn(owner: IdentityId): boolean {
    return this.#identity !== undefined && equalBytes(this.#identity.id, owner)
  }

  #privateKey(box: BoxSecret, app: string, collection: string): Uint8Array {
    const owner = (this.#identity as Identity).id
    return this.#kept(['', ...nameOf(box), '', app, collection], () =>
      privateKeyFor(this.#crypto, box, { owner, app, collection }),
    )
  }

  #kept(name: readonly unknown[], derive: () => Uint8Array): Uint8Array {
    const text = JSON.stringify(name)
    const key = this.#keys.get(text) ?? derive()
    this.#keys.set(text, key)
    return key
  }

  /** From the first box secret, whatever epoch is the newest: an item keeps its name when a device is revoked. */
  #blindingKey(collection: Collection): Uint8Array {
    if (this.#blinding !== undefined) return this.#blinding
    const first = this.#identity?.boxes.first()
    if (first === undefined) throw noBox(collection.name)
    this.#blinding = blindingKey(this.#crypto, (this.#identity as Identity).id, first.secret)
    return this.#blinding
  }
}

/** A stolen device may give a secret again as that of another epoch. */
function nameOf({ epoch, publicKey }: BoxSecret): [number, string] {
  return [epoch, toHex(publicKey)]
}

function noBox(collection: string): OnehopError {
  return new OnehopError('FORBIDDEN', `${collection}: this device holds no key to private data`, {
    help: "Use an owner's device, or admit this one anew with leave to read private data.",
  })
}

function noMember(group: IdentityId): OnehopError {
  return new OnehopError('FORBIDDEN', `you are not, or no longer, a member of the group ${toHex(group)}`, {
    help: 'One of its owners can let you in (app.groups.add, onehop groups add GROUP PERSON).',
  })
}

function noGroupBox(group: IdentityId): OnehopError {
  return new OnehopError('FORBIDDEN', `no key of the group ${toHex(group)} is held here`, {
    help: 'Open the group first (app.groups.open); it must be sealed, and this person one of its members.',
  })
}
