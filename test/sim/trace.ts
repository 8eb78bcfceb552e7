import { createHash } from 'node:crypto'

/** Everything that happened, in order: its hash says whether two runs were the same. */
export class Trace {
  readonly #hash = createHash('sha256')
  readonly #nowMs: () => number
  readonly #keep: boolean
  readonly lines: string[] = []
  #count = 0

  constructor(nowMs: () => number, keep: boolean) {
    this.#nowMs = nowMs
    this.#keep = keep
  }

  add(event: string): void {
    const line = `${this.#nowMs().toFixed(3)} ${event}\n`
    this.#hash.update(line)
    this.#count++
    if (this.#keep) this.lines.push(line)
  }

  get events(): number {
    return this.#count
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}
