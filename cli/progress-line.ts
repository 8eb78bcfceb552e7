/** One line that overwrites itself, for whoever watches; nothing for a file or a program. */
import type { Clock } from '../protocol/ports.ts'
import type { Output } from './output.ts'

export interface ProgressLine {
  /** The text is asked for when the line is drawn: ten times a second at most. */
  show(text: (seconds: number) => string): void
  /** Takes the line away. May be called again. */
  end(): void
  /** Since it was made. */
  seconds(): number
}

const redrawMs = 100
const barCells = 24

export function createProgressLine(output: Output, clock: Clock): ProgressLine {
  const startMs = clock.monotonicMs()
  const drawn = output.watched && !output.json
  let shownMs = 0
  let visible = false
  const seconds = (): number => (clock.monotonicMs() - startMs) / 1000
  return {
    seconds,
    show(text) {
      const nowMs = clock.monotonicMs()
      if (!drawn || nowMs - shownMs < redrawMs) return
      shownMs = nowMs
      visible = true
      output.raw(`\r\u001b[K${text(seconds()).slice(0, output.columns - 1)}`)
    },
    end() {
      if (visible) output.raw('\r\u001b[K')
      visible = false
    },
  }
}

/** A bar and its percentage. */
export function barOf(share: number): string {
  const filled = Math.round(Math.min(1, share) * barCells)
  return `${'█'.repeat(filled)}${'░'.repeat(barCells - filled)} ${String(Math.floor(share * 100)).padStart(3)} %`
}
