/** Which files of a shard a holder has whole, told where the other's list is another one. Method `shard/blobs`. */
import { encode } from '../codec.ts'
import { array, bytes, decodeAs, nullable, struct, type Typed } from '../shape.ts'

/** Shards in a message. */
export const blobListsMax = 128
/** In an answer, of all its shards; more come with the next, as the lists differ still. */
export const blobsListedMax = 8_192

const id = bytes(32)
/** `digest`: SHA-256 of the names of the files that the asker has whole, ascending and one after the other. */
const askShape = struct({ owner: id, digest: id })
export type BlobListAsk = Typed<typeof askShape>

export function encodeBlobListAsks(asks: readonly BlobListAsk[]): Uint8Array {
  return encode(asks.map(({ owner, digest }) => [owner, digest]))
}

export function decodeBlobListAsks(body: Uint8Array): BlobListAsk[] {
  return decodeAs(array(askShape, blobListsMax), body, 'blobs')
}

/** In the order asked; undefined where both have the same, or the shard is not held. */
export function encodeBlobLists(lists: readonly (readonly Uint8Array[] | undefined)[]): Uint8Array {
  return encode(lists.map((list) => list ?? null))
}

export function decodeBlobLists(body: Uint8Array): (Uint8Array[] | undefined)[] {
  return decodeAs(array(nullable(array(id, blobsListedMax)), blobListsMax), body, 'blobs')
}
