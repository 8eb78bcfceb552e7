import type { Transport } from '../../client/transport.ts'
import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import type { Draw } from '../sim/draw.ts'
import type { History, Issued } from '../sim/history.ts'
import type { Writer } from '../sim/writer.ts'

/** One device that writes, edits and deletes, a few records at a time, at whichever box it draws. */
export class Lane {
  readonly #boxes: readonly Pick<Transport, 'call'>[]
  readonly #writer: Writer
  readonly #history: History
  readonly #draw: Draw
  readonly #pauseMsMax: number
  #isOver = false

  constructor(
    boxes: readonly Pick<Transport, 'call'>[],
    writer: Writer,
    history: History,
    draw: Draw,
    pauseMsMax = 0,
  ) {
    this.#boxes = boxes
    this.#writer = writer
    this.#history = history
    this.#draw = draw
    this.#pauseMsMax = pauseMsMax
  }

  stop(): void {
    this.#isOver = true
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      await this.write(this.#draw.pick(this.#boxes))
      if (this.#pauseMsMax > 0) await pause(this.#draw.between(0, this.#pauseMsMax))
    }
  }

  /** Once, there. */
  async write(box: Pick<Transport, 'call'>): Promise<void> {
    const written = Array.from({ length: Math.ceil(this.#draw.between(0, 8)) }, () => this.#sign())
    try {
      const { results } = await box.call('record.put', { records: written.map(({ bytes }) => bytes) })
      for (const [i, { outcome }] of results.entries())
        if (outcome !== 'refused') written[i]?.issued.acknowledgedBy.add(this.#boxes.indexOf(box))
    } catch (error) {
      // Killed, cut off, or not there yet: nothing was promised.
      if (asOnehopError(error).code === 'INTERNAL') throw error
      await pause(20)
    }
  }

  #sign(): { readonly bytes: Uint8Array; readonly issued: Issued } {
    const earlier = this.#history.of(toHex(this.#writer.owner)).slice(-200)
    const target = earlier.length > 5 && this.#draw.chance(0.4) ? this.#draw.pick(earlier) : undefined
    const operation = target !== undefined && this.#draw.chance(0.3) ? 'delete' : 'put'
    const { record, bytes } = this.#writer.sign(
      'posts',
      target?.key ?? new Uint8Array(0),
      operation,
      { text: 'as it comes' },
      Date.now(),
    )
    return { bytes, issued: this.#history.issue(record) }
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
