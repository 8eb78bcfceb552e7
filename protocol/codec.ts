/**
 * One value, one byte string: RFC 8949 core deterministic CBOR without tags, indefinite lengths, undefined, NaN
 * and infinities. Keys of maps are text. A JavaScript number is a CBOR integer when it is a safe integer and
 * else the shortest float; an integer beyond the safe ones is a bigint, from -2^63 to 2^64-1.
 */
import { Token, Tokenizer, Type, decode as cborgDecode } from 'cborg'
import { Measure } from './codec-measure.ts'
import { type CodecLimits, scan } from './codec-scan.ts'
import { Writer } from './codec-write.ts'
import { OnehopError } from './errors.ts'
import { limits } from './limits.ts'

export type { CodecLimits } from './codec-scan.ts'

/**
 * Takes null, booleans, finite numbers, bigints, text, Uint8Array, arrays and plain objects; whatever `decode`
 * would refuse is refused here. The result owns its memory. Throws BAD_MESSAGE or TOO_LARGE.
 */
export function encode(value: unknown, bounds: CodecLimits = {}): Uint8Array {
  const measure = new Measure(bounds.depthMax ?? limits.cborDepthMax, bounds.itemsMax ?? limits.cborItemsMax)
  const bytes = new Uint8Array(measure.bytes(value))
  const written = new Writer(bytes).write(value)
  if (written > (bounds.bytesMax ?? limits.frameBytesMax)) throw tooLong(written)
  return written === bytes.length ? bytes : bytes.slice(0, written)
}

/**
 * Whatever the bytes: a value, or BAD_MESSAGE or TOO_LARGE. Byte strings are copies, so that an id kept in a
 * cache does not keep the frame it came in, and nobody can change it through the frame.
 */
export function decode(bytes: Uint8Array, bounds: CodecLimits = {}): unknown {
  if (bytes.length > (bounds.bytesMax ?? limits.frameBytesMax)) throw tooLong(bytes.length)
  scan(bytes, bounds.depthMax ?? limits.cborDepthMax, bounds.itemsMax ?? limits.cborItemsMax)
  // A Buffer's slice() is a view; byte strings must be copies.
  const plain =
    bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  try {
    const value: unknown = cborgDecode(plain, {
      ...decodeOptions,
      tokenizer: new TextTokenizer(plain, decodeOptions),
    })
    if (isEncodingOf(value, plain)) return value
  } catch (cause) {
    throw new OnehopError('BAD_MESSAGE', 'not deterministic CBOR', { cause })
  }
  throw new OnehopError('BAD_MESSAGE', 'not deterministic CBOR')
}

const decodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: true,
  rejectDuplicateMapKeys: true,
} as const

const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** cborg's own text decoder drops a leading U+FEFF and mends bad UTF-8; people's text must come back as it was. */
class TextTokenizer extends Tokenizer {
  override next(): Token {
    const initial = this.data[this._pos] as number
    if (initial >> 5 !== Type.string.major) return super.next()
    let start = this._pos + 1
    let length = initial & 31
    if (length >= 24) {
      // The scan saw the whole head and text; a head longer than need be fails when re-encoded.
      const width = 1 << (length - 24)
      length = 0
      for (let i = 0; i < width; i++) length = length * 256 + (this.data[start + i] as number)
      start += width
    }
    const token = new Token(
      Type.string,
      readText(this.data, start, start + length),
      start + length - this._pos,
    )
    this._pos = start + length
    return token
  }
}

const shortTextBytes = 32

function readText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > shortTextBytes) return textDecoder.decode(bytes.subarray(start, end))
  // Names are short and ASCII, and a call to TextDecoder costs more than they do.
  let text = ''
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    if (byte > 0x7f) return textDecoder.decode(bytes.subarray(start, end))
    text += String.fromCharCode(byte)
  }
  return text
}

// Decoding never nests, so one buffer serves every comparison. It grows when a copy of a shard comes, whose frames are full one after the other.
let scratch = new Uint8Array(64 * 1024)

function isEncodingOf(value: unknown, bytes: Uint8Array): boolean {
  if (bytes.length > scratch.length && bytes.length <= limits.frameBytesMax)
    scratch = new Uint8Array(limits.frameBytesMax)
  const target = bytes.length <= scratch.length ? scratch : new Uint8Array(bytes.length)
  const written = new Writer(target).write(value)
  if (written !== bytes.length) return false
  for (let i = 0; i < written; i++) if (target[i] !== bytes[i]) return false
  return true
}

function tooLong(length: number): OnehopError {
  return new OnehopError('TOO_LARGE', `${length} bytes are more than allowed`)
}
