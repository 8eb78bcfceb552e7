import { OnehopError } from '../../protocol/errors.ts'

/** Whole numbers from 0 to 2^53, seven bits a byte, low ones first. */
export class NumberWriter {
  #bytes = new Uint8Array(256)
  #used = 0

  get byteLength(): number {
    return this.#used
  }

  write(value: number): void {
    if (this.#used + 10 > this.#bytes.length) this.#grow()
    let rest = value
    while (rest > 127) {
      this.#bytes[this.#used++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#used++] = rest
  }

  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#used === this.#bytes.length) this.#grow()
      this.#bytes[this.#used++] = byte
    }
  }

  #grow(): void {
    const grown = new Uint8Array(this.#bytes.length * 2)
    grown.set(this.#bytes)
    this.#bytes = grown
  }

  /** As bytes of its own; the writer begins anew. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#used)
    this.#used = 0
    return bytes
  }
}

export class NumberReader {
  readonly #bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, from = 0) {
    this.#bytes = bytes
    this.#at = from
  }

  get at(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** So many bytes as they are. Throws STORE_CORRUPT past the end. */
  bytes(length: number): Uint8Array {
    const from = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length)
      throw new OnehopError('STORE_CORRUPT', 'a row of a segment ends within a name')
    return this.#bytes.subarray(from, this.#at)
  }

  /** Throws STORE_CORRUPT past the end. */
  read(): number {
    let value = 0
    let unit = 1
    for (;;) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined)
        throw new OnehopError('STORE_CORRUPT', 'a row of a segment ends within a number')
      value += (byte & 127) * unit
      if (byte < 128) return value
      unit *= 128
    }
  }
}
