import { OnehopError } from '../../protocol/errors.ts'
import { NumberWriter } from './leb128.ts'

/** Where a term stands: slots ascend, and beside each is how often the term stands there. */
export interface Postings {
  readonly slots: Uint32Array
  readonly frequencies: Uint32Array
}

/**
 * Each slot as its distance from the one before, doubled, plus one where the frequency is not 1, which follows then: most
 * words stand in a text once.
 */
export class PostingsWriter {
  readonly #numbers = new NumberWriter()
  #last = -1
  #count = 0

  get byteLength(): number {
    return this.#numbers.byteLength
  }

  get count(): number {
    return this.#count
  }

  /** Slots must ascend. */
  add(slot: number, frequency: number): void {
    this.#count++
    const distance = slot - this.#last - 1
    this.#last = slot
    this.#numbers.write(distance * 2 + (frequency === 1 ? 0 : 1))
    if (frequency !== 1) this.#numbers.write(frequency - 2)
  }

  /** What was written; the writer begins anew. */
  take(): Uint8Array {
    this.#last = -1
    this.#count = 0
    return this.#numbers.take()
  }
}

/** Reads so many into the arrays from `to` on: written out, as searches spend their time here. Throws STORE_CORRUPT. */
export function readPostings(
  bytes: Uint8Array,
  from: number,
  { slots, frequencies }: Postings,
  to: number,
  count: number,
): void {
  let at = from
  let slot = -1
  for (let i = to; i < to + count; i++) {
    let byte = bytes[at++] as number
    let value = byte & 127
    for (let unit = 128; byte > 127; unit *= 128) {
      byte = bytes[at++] as number
      value += (byte & 127) * unit
    }
    slot += 1 + (value - (value & 1)) / 2
    slots[i] = slot
    if ((value & 1) === 0) {
      frequencies[i] = 1
      continue
    }
    byte = bytes[at++] as number
    value = byte & 127
    for (let unit = 128; byte > 127; unit *= 128) {
      byte = bytes[at++] as number
      value += (byte & 127) * unit
    }
    frequencies[i] = value + 2
  }
  if (at !== bytes.length)
    throw new OnehopError('STORE_CORRUPT', 'the postings of a segment end elsewhere than they should')
}
