/** A file kept apart from the record: its hash names it, and its chunks are fetched in ranges. */
export type BlobReference = {
  /** The hash of the blob's manifest. */
  readonly hash: Uint8Array
  readonly size: number
  /** A media type, such as `image/jpeg`. */
  readonly mime: string
  /** Of a sealed file, and of no other: stands in sealed sections alone. */
  readonly key?: Uint8Array
}

/** Another item of the same app. */
export type RecordReference = {
  readonly owner: Uint8Array
  readonly collection: string
  readonly key: Uint8Array
}

/**
 * text and scope: string; integer, number and time (Unix milliseconds): number; user: the 32 bytes of an
 * identity's id; image: the bytes of a JPEG, PNG, WebP, GIF or AVIF.
 */
export type ScalarValue = string | number | boolean | Uint8Array | BlobReference | RecordReference
export type ItemFieldValue = ScalarValue | readonly ScalarValue[] | { readonly [name: string]: ScalarValue }

/** What an item says: its fields by name. */
export type ItemValue = { readonly [field: string]: ItemFieldValue }
