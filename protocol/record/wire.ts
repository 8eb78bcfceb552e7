/**
 * record = [header bytes, signature, [section bytes | null ...]]. Read by hand rather than by the codec: every
 * record passes here, most of its bytes are sections, and taking views of them spares three copies. As strict:
 * only the shortest heads are taken, so a record has one encoding and encodeRecord gives back what came in.
 */
import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeHeader } from './header.ts'
import type { SectionHeader, SignedRecord } from './types.ts'

const majorBytes = 2
const majorArray = 4
const nullByte = 0xf6
const signatureBytes = 64

/** The sections are views of `bytes`: whoever keeps the record and changes the bytes must copy them. */
export function decodeRecord(crypto: Pick<CryptoProvider, 'sha256'>, bytes: Uint8Array): SignedRecord {
  if (bytes.length > limits.recordBytesMax) {
    throw new OnehopError('TOO_LARGE', `a record of ${bytes.length} bytes is more than allowed`)
  }
  const reader = new Reader(bytes)
  reader.expect(majorArray, 3, 'record')
  const headerLength = reader.head(majorBytes, 'header')
  if (headerLength > limits.recordHeaderBytesMax) {
    throw new OnehopError('TOO_LARGE', `a header of ${headerLength} bytes is more than allowed`)
  }
  const message = signedMessage(contexts.record, reader.take(headerLength, 'header'))
  const headerBytes = message.subarray(message.length - headerLength)
  reader.expect(majorBytes, signatureBytes, 'signature')
  const signature = reader.take(signatureBytes, 'signature').slice()
  const header = decodeHeader(headerBytes)
  reader.expect(majorArray, header.sections.length, 'sections')
  const sections = header.sections.map((section) => reader.section(section))
  reader.end()
  return { header, headerBytes, message, signature, sections, id: crypto.sha256(message) }
}

/** The bytes that `decodeRecord` took, byte for byte. */
export function encodeRecord(
  record: Pick<SignedRecord, 'headerBytes' | 'signature' | 'sections'>,
): Uint8Array {
  const { headerBytes, signature, sections } = record
  const writer = new Writer(wireBytes(record))
  writer.head(majorArray, 3)
  writer.bytes(headerBytes)
  writer.bytes(signature)
  writer.head(majorArray, sections.length)
  for (const section of sections) {
    if (section === undefined) writer.byte(nullByte)
    else writer.bytes(section)
  }
  return writer.target
}

/** The same record, still verifying, without the sections for which `keep` says no. */
export function withholdSections<R extends SignedRecord>(
  record: R,
  keep: (section: SectionHeader, index: number) => boolean,
): R {
  return {
    ...record,
    sections: record.sections.map((bytes, index) =>
      keep(record.header.sections[index] as SectionHeader, index) ? bytes : undefined,
    ),
  }
}

/** Length of a record on the wire. */
export function wireBytes(record: Pick<SignedRecord, 'headerBytes' | 'signature' | 'sections'>): number {
  let length = 1 + stringBytes(record.headerBytes) + stringBytes(record.signature)
  length += headBytes(record.sections.length)
  for (const section of record.sections) length += section === undefined ? 1 : stringBytes(section)
  return length
}

function stringBytes(bytes: Uint8Array): number {
  return headBytes(bytes.length) + bytes.length
}

function headBytes(value: number): number {
  return value < 24 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : 5
}

class Reader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The length that follows a head of this major type. */
  head(major: number, what: string): number {
    const initial = this.#bytes[this.#offset++]
    if (initial === undefined || initial >> 5 !== major) throw malformed(what)
    const low = initial & 31
    if (low < 24) return low
    const more = low === 24 ? 1 : low === 25 ? 2 : low === 26 ? 4 : 0
    if (more === 0 || this.#offset + more > this.#bytes.length) throw malformed(what)
    let value = 0
    for (let i = 0; i < more; i++) value = value * 256 + (this.#bytes[this.#offset++] as number)
    if (headBytes(value) !== more + 1) throw malformed(what)
    return value
  }

  expect(major: number, value: number, what: string): void {
    if (this.head(major, what) !== value) throw malformed(what)
  }

  take(length: number, what: string): Uint8Array {
    const end = this.#offset + length
    if (end > this.#bytes.length) throw malformed(what)
    const part = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return part
  }

  section(header: SectionHeader): Uint8Array | undefined {
    if (this.#bytes[this.#offset] === nullByte) {
      this.#offset++
      return undefined
    }
    this.expect(majorBytes, header.length, 'section')
    return this.take(header.length, 'section')
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) throw malformed('end')
  }
}

class Writer {
  readonly target: Uint8Array
  #offset = 0

  constructor(length: number) {
    this.target = new Uint8Array(length)
  }

  byte(value: number): void {
    this.target[this.#offset++] = value
  }

  head(major: number, value: number): void {
    const length = headBytes(value)
    if (length === 1) return this.byte((major << 5) | value)
    this.byte((major << 5) | (length === 2 ? 24 : length === 3 ? 25 : 26))
    for (let shift = (length - 2) * 8; shift >= 0; shift -= 8) this.byte((value >>> shift) & 0xff)
  }

  bytes(value: Uint8Array): void {
    this.head(majorBytes, value.length)
    this.target.set(value, this.#offset)
    this.#offset += value.length
  }
}

function malformed(what: string): OnehopError {
  return new OnehopError('BAD_MESSAGE', `record: malformed at its ${what}`)
}
