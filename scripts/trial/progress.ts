import { styleText } from 'node:util'

/** Lines that grow while the trial runs, on standard error: figures are for standard output. */
export class Progress {
  readonly #startedMs = performance.now()
  readonly #painted = process.stderr.isTTY && (process.env.NO_COLOR ?? '') === ''
  readonly #cpuS: () => number
  readonly seconds: { name: string; seconds: number; cpuSeconds: number }[] = []

  /** `cpuS`: processor seconds used so far, by whoever works for the trial. */
  constructor(cpuS: () => number) {
    this.#cpuS = cpuS
  }

  elapsedS(): number {
    return (performance.now() - this.#startedMs) / 1000
  }

  say(text: string): void {
    process.stderr.write(`${this.#paint('dim', `${this.elapsedS().toFixed(1).padStart(6)} s`)}  ${text}\n`)
  }

  title(text: string): void {
    process.stderr.write(`${this.#paint('bold', text)}\n`)
  }

  fail(text: string): void {
    this.say(this.#paint('red', `FAILED ${text}`))
  }

  async timed<T>(name: string, action: () => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    const startedCpuS = this.#cpuS()
    try {
      return await action()
    } finally {
      const seconds = (performance.now() - startedMs) / 1000
      const cpuSeconds = Math.max(0, this.#cpuS() - startedCpuS)
      this.seconds.push({ name, seconds: tenths(seconds), cpuSeconds: tenths(cpuSeconds) })
      const used = cpuSeconds > 0 ? ` (${cpuSeconds.toFixed(1)} s of processor)` : ''
      this.say(`${this.#paint('cyan', name.padEnd(10))} done in ${seconds.toFixed(1)} s${used}`)
    }
  }

  #paint(style: 'dim' | 'bold' | 'red' | 'cyan', text: string): string {
    return this.#painted ? styleText(style, text, { validateStream: false }) : text
  }
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
