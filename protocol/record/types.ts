/** 32 bytes: the hash of an identity's genesis entry. */
export type IdentityId = Uint8Array
/** 32 bytes: an Ed25519 public key. */
export type DeviceKey = Uint8Array
/** 32 bytes: SHA-256 of the signed bytes of a record. */
export type RecordId = Uint8Array

export type MergeKind = 'register' | 'append'
export type Operation = 'put' | 'delete'
/** Who may read a section; a group by its identity id. */
export type Audience = 'public' | 'followers' | 'private' | { readonly group: IdentityId }

export interface SectionHeader {
  readonly audience: Audience
  /**
   * For each hierarchy the smallest scope depth at which this section may be searched: 0 is the root (the whole
   * world), 1 the scopes below it, and so on. A hierarchy that is not named may not be searched at all.
   */
  readonly heights: Readonly<Record<string, number>>
  /** 0 when the section is not sealed, else the epoch of the key that seals it. */
  readonly epoch: number
  readonly length: number
  readonly hash: Uint8Array
}

export interface RecordHeader {
  readonly owner: IdentityId
  /** The identity whose device signs: the owner, or in a group's shard a member. */
  readonly author: IdentityId
  readonly app: string
  /** A name from the schema, or for a private collection `~` and its keyed hash. */
  readonly collection: string
  /** Empty for a new append-only item; the item's id (32 bytes) for its edit or deletion; else the item's key. */
  readonly key: Uint8Array
  readonly merge: MergeKind
  readonly device: DeviceKey
  /** Counts the records of this device in this owner's shard, from 1. */
  readonly number: number
  readonly clock: bigint
  readonly operation: Operation
  /** SHA-256 of the schema document. */
  readonly schema: Uint8Array
  readonly expiresMs: number | undefined
  readonly sections: readonly SectionHeader[]
}

/** Decoded and well-formed; nothing is known yet about who signed it. */
export interface SignedRecord {
  readonly header: RecordHeader
  /** The exact header bytes that were signed: a view of `message` behind its context. */
  readonly headerBytes: Uint8Array
  /** Context, zero byte and header: what the signature covers and whose SHA-256 is the id. Kept, so that it is built once. */
  readonly message: Uint8Array
  readonly signature: Uint8Array
  /** In the order of the header; undefined where the section was withheld. Views of the bytes it came in. */
  readonly sections: readonly (Uint8Array | undefined)[]
  readonly id: RecordId
}

declare const verified: unique symbol
/** Signature, section hashes and the author's right to write were checked. Only the verifier makes one. */
export type VerifiedRecord = SignedRecord & { readonly [verified]: true }

/** Where a record stands in its shard's order. */
export interface RecordRef {
  readonly clock: bigint
  readonly id: RecordId
}

/** What a field holds in CBOR; the schema says which of these it may be. */
export type FieldValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly FieldValue[]
  | { readonly [name: string]: FieldValue }

export type Fields = Readonly<Record<string, FieldValue>>

/** A section before it is sealed and hashed. */
export interface DraftSection {
  readonly audience: Audience
  readonly heights?: Readonly<Record<string, number>>
  readonly fields: Fields
  /** Needed unless the audience is public: the audience's key of that epoch. */
  readonly sealing?: { readonly epoch: number; readonly key: Uint8Array }
}

/** A record before it is signed. The device is the signer's. */
export interface RecordDraft extends Omit<RecordHeader, 'device' | 'sections'> {
  readonly sections: readonly DraftSection[]
}
