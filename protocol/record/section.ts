/**
 * What one audience reads of a record. Open: 16 random bytes || CBOR map. Sealed: nonce 24 || secretbox(the same
 * || 0x80 || zeros), under a key of its own that binds it to its place: moved to another record, another section
 * or another epoch, it does not open.
 */
import { concatBytes } from '../bytes.ts'
import { decode, encode } from '../codec.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { anything, map, parse, type Shape } from '../shape.ts'
import { audienceCode } from './header.ts'
import type { Audience, Fields, FieldValue, RecordHeader } from './types.ts'

const saltBytes = 16
const nonceBytes = 24
const tagBytes = 16
const paddingMark = 0x80
const noSalt = new Uint8Array(0)

const fieldsShape = map(anything as Shape<FieldValue>, {
  max: limits.schemaFieldsMax,
  keyBytesMax: limits.nameBytesMax,
})

/** Which section of which record: everything but what is known only after it was made. */
export interface SectionPlace extends Pick<
  RecordHeader,
  'owner' | 'author' | 'device' | 'app' | 'collection' | 'key' | 'number' | 'clock'
> {
  readonly index: number
  readonly audience: Audience
  readonly epoch: number
}

/** The random bytes keep anybody from guessing a withheld section by its hash in the header. */
export function buildSection(crypto: CryptoProvider, fields: Fields): Uint8Array {
  const bytes = encode(parse(fieldsShape, fields, 'section'), { bytesMax: limits.recordBytesMax })
  return concatBytes(crypto.random(saltBytes), bytes)
}

/** Throws BAD_MESSAGE. */
export function readSection(plain: Uint8Array): Fields {
  if (plain.length <= saltBytes) throw new OnehopError('BAD_MESSAGE', 'section: too short')
  return parse(fieldsShape, decode(plain.subarray(saltBytes), { bytesMax: limits.recordBytesMax }), 'section')
}

/** `audienceKey` is the audience's key of `place.epoch`. */
export function sealSection(
  crypto: CryptoProvider,
  place: SectionPlace,
  plain: Uint8Array,
  audienceKey: Uint8Array,
): Uint8Array {
  const padded = new Uint8Array(paddedLength(plain.length + 1))
  padded.set(plain)
  padded[plain.length] = paddingMark
  const nonce = crypto.random(nonceBytes)
  return concatBytes(nonce, crypto.secretboxSeal(padded, nonce, sectionKey(crypto, place, audienceKey)))
}

/** The plaintext; undefined when this is not the key, or the section not of this place. */
function unsealSection(
  crypto: CryptoProvider,
  place: SectionPlace,
  sealed: Uint8Array,
  audienceKey: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined
  const key = sectionKey(crypto, place, audienceKey)
  const padded = crypto.secretboxOpen(sealed.subarray(nonceBytes), sealed.subarray(0, nonceBytes), key)
  if (padded === undefined) return undefined
  let end = padded.length - 1
  while (end >= 0 && padded[end] === 0) end--
  return padded[end] === paddingMark ? padded.subarray(0, end) : undefined
}

/**
 * The fields of one section of a record. Undefined when it was withheld, or is sealed and `audienceKey` (of the
 * epoch in its header) is not given or not the right one. Throws BAD_MESSAGE when the author wrote nonsense.
 */
export function openSection(
  crypto: CryptoProvider,
  record: { readonly header: RecordHeader; readonly sections: readonly (Uint8Array | undefined)[] },
  index: number,
  audienceKey?: Uint8Array,
): Fields | undefined {
  const bytes = record.sections[index]
  const section = record.header.sections[index]
  if (bytes === undefined || section === undefined) return undefined
  if (section.epoch === 0) return readSection(bytes)
  if (audienceKey === undefined) return undefined
  const place = { ...record.header, index, audience: section.audience, epoch: section.epoch }
  const plain = unsealSection(crypto, place, bytes, audienceKey)
  return plain === undefined ? undefined : readSection(plain)
}

function sectionKey(crypto: CryptoProvider, place: SectionPlace, audienceKey: Uint8Array): Uint8Array {
  const info = encode([
    derivations.section,
    place.owner,
    place.author,
    place.device,
    place.app,
    place.collection,
    place.key,
    place.number,
    place.clock,
    place.index,
    audienceCode(place.audience),
    place.epoch,
  ])
  return crypto.hkdfSha256(audienceKey, noSalt, info, 32)
}

/** Padmé: leaks O(log log n) bits of the length for at most 12 % more bytes. */
export function paddedLength(length: number): number {
  if (length <= limits.sealedBytesMin) return limits.sealedBytesMin
  const exponent = 31 - Math.clz32(length)
  const kept = 32 - Math.clz32(exponent)
  const step = 2 ** (exponent - kept)
  return Math.ceil(length / step) * step
}
