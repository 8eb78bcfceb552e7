/** A shard from its beginning for a holder that has nothing of it, page after page. Method `shard/snapshot`. */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { array, bytes, decodeAs, nullable, struct, type Typed } from '../shape.ts'
import { pushRecordsMax } from './messages.ts'

/** Where a page ended, in the answerer's own words; nobody else reads them. */
const cursor = nullable(bytes(1, 1_024))

const askShape = struct({ owner: bytes(32), cursor })
export type SnapshotAsk = Typed<typeof askShape>

export function encodeSnapshotAsk({ owner, cursor: from }: SnapshotAsk): Uint8Array {
  return encode([owner, from ?? null])
}

export function decodeSnapshotAsk(body: Uint8Array): SnapshotAsk {
  return decodeAs(askShape, body, 'snapshot')
}

const pageShape = struct({ records: array(bytes(1, limits.recordBytesMax), pushRecordsMax), next: cursor })
export type SnapshotPage = Typed<typeof pageShape>

/** Without `next` it is the last. */
export function encodeSnapshotPage({ records, next }: SnapshotPage): Uint8Array {
  return encode([records, next ?? null])
}

export function decodeSnapshotPage(body: Uint8Array): SnapshotPage {
  return decodeAs(pageShape, body, 'snapshot page')
}
