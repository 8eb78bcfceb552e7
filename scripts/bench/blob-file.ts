/** A long file that nobody keeps: one block of random bytes again and again, each time with its number in front. */
const blockBytes = 2 ** 20

export class BlobFile {
  readonly #block: Buffer

  /** A MiB. */
  constructor(block: Uint8Array) {
    this.#block = Buffer.from(block)
  }

  async *read(mb: number): AsyncGenerator<Uint8Array> {
    for (let number = 0; number < mb; number++) {
      const block = Buffer.from(this.#block)
      block.writeUInt32BE(number)
      yield block
    }
  }

  /** Throws unless the stream is this file, to its end. */
  async check(mb: number, stream: AsyncIterable<Uint8Array>): Promise<void> {
    const expected = Buffer.from(this.#block)
    let at = 0
    for await (const piece of stream) {
      for (let offset = 0; offset < piece.length; ) {
        const within = at % blockBytes
        expected.writeUInt32BE(Math.floor(at / blockBytes))
        const length = Math.min(piece.length - offset, blockBytes - within)
        if (expected.compare(piece, offset, offset + length, within, within + length) !== 0)
          throw new Error(`the file is another one near byte ${at}`)
        offset += length
        at += length
      }
    }
    if (at !== mb * blockBytes) throw new Error(`${at} bytes came back`)
  }
}
