import { OnehopError } from '../../protocol/errors.ts'
import { NumberReader, NumberWriter } from './leb128.ts'

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

/** Places of a term's slots: in each the first as it is, the others as the distance from the one before, less one. */
export class PlacesWriter {
  readonly #numbers = new NumberWriter()

  add(places: Uint32Array, from: number, count: number): void {
    let last = -1
    for (let i = from; i < from + count; i++) {
      const place = places[i] as number
      this.#numbers.write(place - last - 1)
      last = place
    }
  }

  take(): Uint8Array {
    return this.#numbers.take()
  }
}

/** Of so many slots, whose frequencies say how many each has; into `places` from `to` on. Answers where it ended. */
export function readPlaces(
  bytes: Uint8Array,
  frequencies: Uint32Array,
  slots: { readonly from: number; readonly count: number },
  places: Uint32Array,
  to: number,
): number {
  const numbers = new NumberReader(bytes)
  let at = to
  for (let i = slots.from; i < slots.from + slots.count; i++) {
    let last = -1
    for (let left = frequencies[i] as number; left > 0; left--) {
      last += 1 + numbers.read()
      places[at++] = last
    }
  }
  if (!numbers.isAtEnd)
    throw new OnehopError('STORE_CORRUPT', 'the places of a segment end elsewhere than they should')
  return at
}
