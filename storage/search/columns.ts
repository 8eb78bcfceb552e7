/** Numbers in a row, without a box for each; grows by doubling. */
type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array

export class Column<T extends Numbers> {
  #values: T
  #length = 0
  readonly #make: (length: number) => T

  constructor(make: (length: number) => T, room = 256) {
    this.#make = make
    this.#values = make(room)
  }

  get length(): number {
    return this.#length
  }

  /** With room behind the last; valid until the next `push`. */
  get values(): T {
    return this.#values
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = this.#make(this.#length * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.#length++] = value
  }
}

export const bytesColumn = (room?: number): Column<Uint8Array> =>
  new Column((length) => new Uint8Array(length), room)
export const shortsColumn = (room?: number): Column<Uint16Array> =>
  new Column((length) => new Uint16Array(length), room)
export const wordsColumn = (room?: number): Column<Uint32Array> =>
  new Column((length) => new Uint32Array(length), room)
export const positionsColumn = (room?: number): Column<Float64Array> =>
  new Column((length) => new Float64Array(length), room)
