/** What holders of one shard say to each other. Methods `shard/push`, `compare`, `reconcile`, `fetch`, `numbers`, `schema`. */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { array, boolean, bytes, choice, decodeAs, nullable, struct, u64, uint, type Typed } from '../shape.ts'

const id = bytes(32)
const recordBytes = bytes(1, limits.recordBytesMax)

/** Records in one push or fetch, over all its shards. */
export const pushRecordsMax = 1_024
/** Shards compared in one message: 72 bytes each. */
export const compareShardsMax = 2_048

export function encodePush(records: readonly Uint8Array[]): Uint8Array {
  return encode(records)
}

export function decodePush(body: Uint8Array): Uint8Array[] {
  return decodeAs(array(recordBytes, pushRecordsMax), body, 'push')
}

/**
 * One per record. held: on disk there; later: try again (its clock is ahead, its identity log is missing, no room);
 * never: it cannot be taken, whatever happens.
 */
const receipts = ['held', 'later', 'never'] as const
export type Receipt = (typeof receipts)[number]

export function encodeReceipts(given: readonly Receipt[]): Uint8Array {
  return encode(given.map((receipt) => receipts.indexOf(receipt)))
}

export function decodeReceipts(body: Uint8Array): Receipt[] {
  return decodeAs(array(choice(...receipts), pushRecordsMax), body, 'receipts')
}

/** Shards held in common, each with the hash of its replica set and the fingerprint of its records below `until`. */
const comparisonShape = struct({
  until: u64,
  shards: array(struct({ owner: id, set: nullable(id), fingerprint: bytes(16) }), compareShardsMax),
})
export type Comparison = Typed<typeof comparisonShape>

export function encodeComparison({ until, shards }: Comparison): Uint8Array {
  return encode([until, shards.map(({ owner, set, fingerprint }) => [owner, set ?? null, fingerprint])])
}

export function decodeComparison(body: Uint8Array): Comparison {
  return decodeAs(comparisonShape, body, 'compare')
}

/**
 * One per shard. notHeld: the answerer does not hold it (any more, or yet). coming: they differ, and the answerer has
 * yet to push what is new, so that looking closer would only find what is on its way. filling: equal, and the answerer is
 * itself still waiting for records, which proves nobody whole.
 */
const verdicts = ['equal', 'differs', 'notHeld', 'coming', 'filling'] as const
const comparedShape = array(struct({ records: choice(...verdicts), sameSet: boolean }), compareShardsMax)
export type Compared = Typed<typeof comparedShape>[number]

export function encodeCompared(compared: readonly Compared[]): Uint8Array {
  return encode(compared.map(({ records, sameSet }) => [verdicts.indexOf(records), sameSet]))
}

export function decodeCompared(body: Uint8Array): Compared[] {
  return decodeAs(comparedShape, body, 'compared')
}

const reconcileShape = struct({ owner: id, until: u64, message: bytes(1, limits.frameBytesMax) })
export type ReconcileRequest = Typed<typeof reconcileShape>

export function encodeReconcile({ owner, until, message }: ReconcileRequest): Uint8Array {
  return encode([owner, until, message])
}

export function decodeReconcile(body: Uint8Array): ReconcileRequest {
  return decodeAs(reconcileShape, body, 'reconcile')
}

const fetchShape = struct({ owner: id, ids: array(id, pushRecordsMax) })
export type FetchRequest = Typed<typeof fetchShape>

export function encodeFetch({ owner, ids }: FetchRequest): Uint8Array {
  return encode([owner, ids])
}

export function decodeFetch(body: Uint8Array): FetchRequest {
  return decodeAs(fetchShape, body, 'fetch')
}

/** In the order asked; undefined for what is not held or did not fit: ask again for those. */
export function encodeFetched(records: readonly (Uint8Array | undefined)[]): Uint8Array {
  return encode(records.map((record) => record ?? null))
}

export function decodeFetched(body: Uint8Array): (Uint8Array | undefined)[] {
  return decodeAs(array(nullable(recordBytes), pushRecordsMax), body, 'fetched')
}

const numbersAskShape = struct({ owner: id, device: id, after: uint() })
export type NumbersAsk = Typed<typeof numbersAskShape>

/** Numbers in one answer: some 350 KB. */
export const numbersMax = 8_192

export function encodeNumbersAsk({ owner, device, after }: NumbersAsk): Uint8Array {
  return encode([owner, device, after])
}

export function decodeNumbersAsk(body: Uint8Array): NumbersAsk {
  return decodeAs(numbersAskShape, body, 'numbers')
}

const numbersShape = array(struct({ number: uint(), id }), numbersMax)
export type Numbered = Typed<typeof numbersShape>[number]

/** Ascending by number; as many as may be in one answer when there are more. */
export function encodeNumbers(numbers: readonly Numbered[]): Uint8Array {
  return encode(numbers.map(({ number, id: record }) => [number, record]))
}

export function decodeNumbers(body: Uint8Array): Numbered[] {
  return decodeAs(numbersShape, body, 'numbers')
}

const blobShape = struct({ blob: id, index: uint(65_535) })

export type ChunkRequest = Typed<typeof blobShape>

export function encodeChunkRequest({ blob, index }: ChunkRequest): Uint8Array {
  return encode([blob, index])
}

export function decodeChunkRequest(body: Uint8Array): ChunkRequest {
  return decodeAs(blobShape, body, 'chunk')
}

const offerShape = struct({ owner: id, blob: id })
export type BlobOffer = Typed<typeof offerShape>

export function encodeBlobOffer({ owner, blob }: BlobOffer): Uint8Array {
  return encode([owner, blob])
}

export function decodeBlobOffer(body: Uint8Array): BlobOffer {
  return decodeAs(offerShape, body, 'blobOffer')
}

/** Bytes that may be missing: a schema, a manifest, a chunk. */
export function encodeMaybe(found: Uint8Array | undefined): Uint8Array {
  return encode(found ?? null)
}

export function decodeMaybe(body: Uint8Array): Uint8Array | undefined {
  return decodeAs(nullable(bytes(0, limits.frameBytesMax)), body, 'answer')
}

export function encodeHash(hash: Uint8Array): Uint8Array {
  return encode(hash)
}

export function decodeHash(body: Uint8Array): Uint8Array {
  return decodeAs(id, body, 'hash')
}
