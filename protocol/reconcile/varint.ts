import { OnehopError } from '../errors.ts'

/** Ten base-128 digits hold a u64. */
const varintBytesMax = 10
const u64Max = 0xffff_ffff_ffff_ffffn

/**
 * Negentropy's varint: base-128 digits, most significant first, as few as possible, high bit set on all but the
 * last. Clocks need all 64 bits, hence bigint: the shifts of other implementations stop at 32.
 */
export function encodeVarint(value: bigint | number): number[] {
  if (value < 0 || value > u64Max) throw new OnehopError('BAD_REQUEST', 'a varint holds 0 to 2^64-1')
  // Two halves of 49 and 15 bits: arithmetic on numbers costs a tenth of that on bigints.
  const digits: number[] = []
  const high = typeof value === 'bigint' ? Number(value >> 49n) : 0
  let low = typeof value === 'bigint' ? Number(value & (2n ** 49n - 1n)) : value
  for (let at = 0; at < 7 && (high > 0 || low > 0 || at === 0); at++) {
    digits.push((low % 128) | (at === 0 ? 0 : 128))
    low = Math.floor(low / 128)
  }
  for (let rest = high; rest > 0; rest >>>= 7) digits.push((rest & 127) | 128)
  return digits.reverse()
}

/** Reads one message from front to back; whatever does not fit is BAD_MESSAGE. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw new OnehopError('BAD_MESSAGE', 'reconcile: message ends early')
    return this.#bytes.subarray(this.#offset, (this.#offset += length))
  }

  varint(): bigint {
    let value = 0n
    for (let digits = 0; digits < varintBytesMax; digits++) {
      const byte = this.bytes(1)[0] as number
      // One number, one encoding: a leading zero digit would give a message a second form.
      if (digits === 0 && byte === 128) break
      value = (value << 7n) | BigInt(byte & 127)
      if (byte < 128) {
        if (value > u64Max) break
        return value
      }
    }
    throw new OnehopError('BAD_MESSAGE', 'reconcile: varint is not minimal or exceeds 64 bits')
  }

  /** A varint that counts something that must still follow, `unitBytes` each. */
  count(unitBytes: number): number {
    const value = this.varint()
    if (value * BigInt(unitBytes) > BigInt(this.remaining)) {
      throw new OnehopError('BAD_MESSAGE', 'reconcile: list is longer than the message')
    }
    return Number(value)
  }
}
