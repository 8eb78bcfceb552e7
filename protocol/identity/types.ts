import type { DeviceKey, IdentityId } from '../record/types.ts'

export type Role = 'owner' | 'app' | 'node' | 'reader'
export type MemberRole = 'owner' | 'writer' | 'reader'
export type Access = 'read' | 'write'

/** Leave to read, or to read and write, one collection of an app or (collection undefined) all of them. */
export interface Capability {
  readonly app: string
  readonly collection: string | undefined
  readonly access: Access
  /** Unix time after which it no longer holds; a record is judged by its own clock, so that replicas agree. */
  readonly expiresMs: number | undefined
}

/** A device as an entry admits it. Owners hold 'all', the others a list. */
export interface Admission {
  readonly key: DeviceKey
  /** X25519. */
  readonly boxKey: Uint8Array
  readonly role: Role
  readonly capabilities: readonly Capability[] | 'all'
  readonly probation: boolean
}

/** The keys that the recovery words yield. */
export interface RecoveryKeys {
  readonly key: Uint8Array
  readonly boxKey: Uint8Array
}

/** A box secret for one recipient: a device, the recovery key, or in a group a member identity. */
export interface Wrap {
  readonly recipient: Uint8Array
  /** Which of the recipient's boxes opens it, where the recipient is an identity: one may have two of an epoch. */
  readonly recipientBox: Uint8Array | undefined
  /** nonce 24 || nacl.box(secret), from the X25519 key of the entry's signer. */
  readonly sealed: Uint8Array
}

/** The secret of a box from before, sealed under a newer one's. */
export interface BoxLink {
  readonly epoch: number
  readonly publicKey: Uint8Array
  /** nonce 24 || secretbox(its secret) */
  readonly sealed: Uint8Array
}

/** One epoch of an identity's box key. */
export interface Box {
  readonly epoch: number
  readonly publicKey: Uint8Array
  readonly wraps: readonly Wrap[]
  /** To the box of the epoch before, and to boxes that lost: the newest secret opens all older ones. None in epoch 1. */
  readonly links: readonly BoxLink[]
}

/** Which of a revoked device's records count in the shard of one owner. */
export interface RevokedNumbers {
  readonly owner: IdentityId
  /** 0 when none counts. */
  readonly lastNumber: number
  /** Hash of the list (number -> record id) up to it. */
  readonly listHash: Uint8Array
  /** In a group's shard: the last entry of the group's log, signed by this device, that counts. */
  readonly lastEntry: Uint8Array | undefined
}

export interface Member {
  readonly identity: IdentityId
  readonly role: MemberRole
}

/** Which records of a removed member count, by device. */
export interface RemovedNumbers {
  readonly device: DeviceKey
  readonly lastNumber: number
  readonly listHash: Uint8Array
}

export type EntryBody =
  | {
      readonly kind: 'genesisPerson'
      readonly nonce: Uint8Array
      readonly device: Admission
      readonly recovery: RecoveryKeys | undefined
      readonly box: Box
    }
  | {
      readonly kind: 'genesisGroup'
      readonly nonce: Uint8Array
      readonly authorHeads: readonly Uint8Array[]
      readonly members: readonly Member[]
      readonly box: Box | undefined
    }
  | {
      readonly kind: 'addDevice'
      readonly device: Admission
      /** The box secret for the new device: [epoch, nonce 24 || nacl.box]. The newest epoch is enough. */
      readonly grants: readonly { readonly epoch: number; readonly sealed: Uint8Array }[]
    }
  | { readonly kind: 'vouch'; readonly device: DeviceKey }
  | {
      readonly kind: 'revokeDevice'
      readonly device: DeviceKey
      readonly numbers: readonly RevokedNumbers[]
      /** The next epoch, without the revoked device; undefined where that device could read none. */
      readonly box: Box | undefined
    }
  | { readonly kind: 'rotate'; readonly recovery: RecoveryKeys | undefined; readonly box: Box | undefined }
  | { readonly kind: 'epoch'; readonly authorHeads: readonly Uint8Array[]; readonly box: Box }
  | {
      readonly kind: 'addMember'
      readonly authorHeads: readonly Uint8Array[]
      readonly member: Member
      readonly grants: readonly { readonly epoch: number; readonly wrap: Wrap }[]
    }
  | { readonly kind: 'changeMember'; readonly authorHeads: readonly Uint8Array[]; readonly member: Member }
  | {
      readonly kind: 'removeMember'
      readonly authorHeads: readonly Uint8Array[]
      readonly identity: IdentityId
      readonly numbers: readonly RemovedNumbers[]
      readonly box: Box | undefined
    }

export type EntryKind = EntryBody['kind']

export interface EntryHeader {
  /** Undefined in a genesis, whose hash it is. */
  readonly identity: IdentityId | undefined
  /** The entries it follows: one, or several where branches meet; none in a genesis. Ascending. */
  readonly previous: readonly Uint8Array[]
  /** The Ed25519 key that signs: a device's or the recovery key. */
  readonly signer: DeviceKey
  /** In a group's log the member whose device signs. */
  readonly author: IdentityId | undefined
  readonly body: EntryBody
}

/** Decoded and well-formed; nothing is known yet about who signed it. */
export interface SignedEntry extends EntryHeader {
  /** The exact bytes that were signed: a view of `message` behind its context. */
  readonly bytes: Uint8Array
  /** Context, zero byte and bytes: what the signature covers and whose SHA-256 is the hash. */
  readonly message: Uint8Array
  readonly signature: Uint8Array
  /** The new key's own signature in addDevice and rotate. */
  readonly possession: Uint8Array | undefined
  readonly hash: Uint8Array
}

export interface DeviceState extends Admission {
  /** Order of admission among owners, from 1; undefined for keys that may not extend the log. Recovery is 0. */
  readonly rank: number | undefined
  readonly addedBy: DeviceKey
  readonly revoked: Revocation | undefined
}

export interface Revocation {
  readonly by: DeviceKey
  /** By owner id in hex. In the shard of an owner that is not named nothing of the device counts. */
  readonly numbers: ReadonlyMap<string, RevokedNumbers>
}

/** A box secret as it was wrapped to one recipient. */
export interface WrapState extends Pick<Wrap, 'recipientBox' | 'sealed'> {
  readonly senderBoxKey: Uint8Array
}

export interface BoxState extends Omit<Box, 'wraps'> {
  /** By recipient in hex. */
  readonly wraps: ReadonlyMap<string, WrapState>
  readonly signer: DeviceKey
}

/** Of an entry that came to nothing. */
export interface LostBox extends BoxState {
  /** Made by a device that is revoked, or by somebody who was put out: maybe to be in the way. */
  readonly isSuspect: boolean
}

export interface MemberState extends Member {
  /** Order of admission, from 1, those who founded the group first. Owners alone may extend the log. */
  readonly rank: number
}

/** Of somebody who was a member: by device in hex, which records count. Of other devices none does. */
export type FormerMember = ReadonlyMap<string, RemovedNumbers>

/** The newest known state of an identity: whose devices sign in a group's log is said in the logs of its members. */
export type People = (identity: IdentityId) => IdentityState | undefined

/** What a log says. Immutable: appending makes another. */
export interface IdentityState {
  readonly id: IdentityId
  readonly type: 'person' | 'group'
  readonly recovery: RecoveryKeys | undefined
  /** By device key in hex, in order of admission; revoked ones too. */
  readonly devices: ReadonlyMap<string, DeviceState>
  /** By identity id in hex, in order of admission; of a group only. */
  readonly members: ReadonlyMap<string, MemberState>
  /** By identity id in hex. */
  readonly formerMembers: ReadonlyMap<string, FormerMember>
  /** Ascending by epoch. */
  readonly boxes: readonly BoxState[]
  /** Of entries that came to nothing, as far as they are still in the log. Something may be sealed under them; nothing more is. */
  readonly lostBoxes: readonly LostBox[]
  /** Hashes of the entries that no other follows, ascending. */
  readonly heads: readonly Uint8Array[]
  /** Those of the heads that hold: at them the log says what it says. Ascending. */
  readonly holding: readonly Uint8Array[]
  /** What the next entry follows. Not heads that lost to a higher rank: nothing could bring them back, and they may go. */
  readonly next: readonly Uint8Array[]
  /** Every entry, parents first and then by hash: equal sets are equal lists. */
  readonly entries: readonly SignedEntry[]
  /** Hashes in hex of entries that do nothing: on a branch that lost, or in a group's log not allowed (any more). */
  readonly dropped: ReadonlySet<string>
}

/** The secrets of one device, all from one 32-byte seed. */
export interface DeviceSecrets {
  readonly seed: Uint8Array
  readonly key: DeviceKey
  readonly boxSecret: Uint8Array
  readonly boxKey: Uint8Array
}
