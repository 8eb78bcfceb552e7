/**
 * Every key of the database, in one place. The first byte says what it is; ids are fixed in length, names carry
 * their length in front, numbers are big-endian, so the order of bytes is the order that reads need.
 * README.md has the table.
 */
import { concatBytes, utf8 } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { RecordRef } from '../protocol/record/types.ts'

export const tags = {
  counts: 0x63, // c
  document: 0x64, // d
  equivocation: 0x65, // e
  feed: 0x66, // f
  log: 0x67, // g
  head: 0x68, // h
  feedCount: 0x6b, // k
  live: 0x6c, // l
  meta: 0x6d, // m
  numbers: 0x6e, // n
  tree: 0x6f, // o
  cursor: 0x70, // p
  order: 0x72, // r
  end: 0x73, // s
  table: 0x74, // t
  aside: 0x75, // u
  version: 0x76, // v
  winner: 0x77, // w
  removing: 0x78, // x
  rebuilding: 0x79, // y
  dropped: 0x7a, // z
} as const

/** What lies under a shard besides its head, which goes last when the shard is removed. */
export const shardTags = [
  tags.order,
  tags.live,
  tags.winner,
  tags.numbers,
  tags.log,
  tags.counts,
  tags.equivocation,
  tags.cursor,
  tags.dropped,
  tags.tree,
  tags.end,
  tags.version,
]

export const idBytes = 32
export const refBytes = 40

const slabBytes = 64 * 1024
let slab = new ArrayBuffer(slabBytes)
let slabUsed = 0

/**
 * Bytes for keys and values on their way into a batch: several per record, so they are cut from slabs. What is
 * kept longer is copied, lest it hold its slab. (A Buffer would do the same, but its `slice` is no copy.)
 */
export function scratch(length: number): Uint8Array {
  if (length > slabBytes >> 3) return new Uint8Array(length)
  if (slabUsed + length > slabBytes) {
    slab = new ArrayBuffer(slabBytes)
    slabUsed = 0
  }
  const bytes = new Uint8Array(slab, slabUsed, length)
  slabUsed += length
  return bytes
}

/** Clock and id: the order of records in a shard. */
export function encodeRef(ref: RecordRef): Uint8Array {
  const bytes = scratch(refBytes)
  writeClock(bytes, ref.clock)
  bytes.set(ref.id, 8)
  return bytes
}

export function decodeRef(bytes: Uint8Array, offset = 0): RecordRef {
  return { clock: readClock(bytes, offset), id: bytes.slice(offset + 8, offset + refBytes) }
}

/** The first place in the order of a shard after a record. */
export function refAfter({ clock, id }: RecordRef): RecordRef {
  const next = Uint8Array.from(id)
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = ((next[i] as number) + 1) & 0xff
    if (next[i] !== 0) return { clock, id: next }
  }
  return { clock: clock + 1n, id: next }
}

export function encodeClock(clock: bigint): Uint8Array {
  const bytes = scratch(8)
  writeClock(bytes, clock)
  return bytes
}

function writeClock(bytes: Uint8Array, clock: bigint): void {
  writeUint32(bytes, 0, Number(clock >> 32n))
  writeUint32(bytes, 4, Number(clock & 0xffff_ffffn))
}

export function readClock(bytes: Uint8Array, offset: number): bigint {
  return (BigInt(readUint32(bytes, offset)) << 32n) | BigInt(readUint32(bytes, offset + 4))
}

/** A safe integer in 8 bytes, big-endian. */
export function writeUint(bytes: Uint8Array, offset: number, value: number): void {
  writeUint32(bytes, offset, Math.floor(value / 0x1_0000_0000))
  writeUint32(bytes, offset + 4, value % 0x1_0000_0000)
}

export function readUint(bytes: Uint8Array, offset: number): number {
  return readUint32(bytes, offset) * 0x1_0000_0000 + readUint32(bytes, offset + 4)
}

function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24
  bytes[offset + 1] = value >>> 16
  bytes[offset + 2] = value >>> 8
  bytes[offset + 3] = value
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) * 0x100_0000 +
    (((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number))
  )
}

/** Tag and parts. */
export function keyOf(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 1
  for (const part of parts) length += part.length
  const key = scratch(length)
  key[0] = tag
  let offset = 1
  for (const part of parts) {
    key.set(part, offset)
    offset += part.length
  }
  return key
}

/** `space` with tag, then `last`: for the keys that are made for every record. */
export function spaceKey(tag: number, space: Uint8Array, last: Uint8Array): Uint8Array {
  const key = scratch(1 + space.length + last.length)
  key[0] = tag
  key.set(space, 1)
  key.set(last, 1 + space.length)
  return key
}

/** A name with its length in front, so that no name is the beginning of another key's. */
export function namePart(name: string, bytesMax: number = limits.nameBytesMax): Uint8Array {
  const bytes = utf8(name)
  if (bytes.length === 0 || bytes.length > bytesMax) {
    throw new OnehopError('BAD_REQUEST', `a name of ${bytes.length} bytes; 1 to ${bytesMax} are allowed`)
  }
  return shortPart(bytes)
}

/** Up to 255 bytes with their length in front. */
export function shortPart(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 255) throw new OnehopError('BAD_REQUEST', 'a key part of more than 255 bytes')
  const part = scratch(1 + bytes.length)
  part[0] = bytes.length
  part.set(bytes, 1)
  return part
}

export function uintPart(value: number): Uint8Array {
  const bytes = scratch(8)
  writeUint(bytes, 0, value)
  return bytes
}

/** Where a collection's items lie within a shard: app and collection, the same in live, winner and count keys. */
export function placePart(app: string, collection: string): Uint8Array {
  let collections = places.get(app)
  const known = collections?.get(collection)
  if (known !== undefined) return known
  // Names may come from anybody's request.
  if (++placesCount > placesMax) {
    places.clear()
    collections = undefined
    placesCount = 1
  }
  if (collections === undefined) {
    collections = new Map()
    places.set(app, collections)
  }
  // A private collection is `~` and its keyed hash, longer than a plain name.
  const place = concatBytes(namePart(app, 255), namePart(collection, 255))
  collections.set(collection, place)
  return place
}

/** Encoding two names costs as much as reading a key. */
const places = new Map<string, Map<string, Uint8Array>>()
const placesMax = 1024
let placesCount = 0

/** The first key after all that begin with `prefix`; undefined when none can be. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  const end = prefix.slice()
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i] !== 0xff) {
      end[i] = (end[i] as number) + 1
      return end.subarray(0, i + 1)
    }
  }
  return undefined
}
