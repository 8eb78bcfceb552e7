/** One line that overwrites itself, for whoever watches; nothing for a file or a program. */
import { systemClock } from '../../client/clock.ts'
import type { Output } from '../output.ts'
import { formatCount } from '../units.ts'
import type { ImportProgress } from './import-records.ts'

export interface ProgressBar {
  show(progress: ImportProgress): void
  /** Takes the line away. May be called again. */
  end(): void
  /** Since it was made. */
  seconds(): number
}

const redrawMs = 100
const barCells = 24

/** Of the whole file, or of its first lines where no more are wanted. */
export interface ImportSize {
  readonly bytes: number
  readonly lines: number | undefined
}

export function createProgressBar(output: Output, size: ImportSize): ProgressBar {
  const startMs = systemClock.monotonicMs()
  const drawn = output.watched && !output.json
  let shownMs = 0
  let visible = false
  const seconds = (): number => (systemClock.monotonicMs() - startMs) / 1000
  return {
    seconds,
    show(progress) {
      const nowMs = systemClock.monotonicMs()
      if (!drawn || nowMs - shownMs < redrawMs) return
      shownMs = nowMs
      visible = true
      output.raw(`\r\u001b[K${progressLine(progress, size, seconds()).slice(0, output.columns - 1)}`)
    },
    end() {
      if (visible) output.raw('\r\u001b[K')
      visible = false
    },
  }
}

function progressLine(progress: ImportProgress, size: ImportSize, seconds: number): string {
  const { stage, bytesRead, lines, users, stored, known, refused, placed } = progress
  // A file may have fewer lines than were asked for.
  const read = Math.max(
    bytesRead / Math.max(1, size.bytes),
    size.lines === undefined ? 0 : lines / Math.max(1, size.lines),
  )
  const share = stage === 'placing' ? placed / Math.max(1, users) : read
  const filled = Math.round(Math.min(1, share) * barCells)
  const bar = `${'█'.repeat(filled)}${'░'.repeat(barCells - filled)} ${String(Math.floor(Math.min(1, share) * 100)).padStart(3)} %`
  if (stage === 'placing') return `${bar}  replica sets ${formatCount(placed)} of ${formatCount(users)}`
  const perS = Math.round((stored + known) / Math.max(seconds, 0.001))
  const trouble = refused > 0 ? `, ${formatCount(refused)} refused` : ''
  return `${bar}  ${formatCount(stored + known)} records, ${formatCount(perS)}/s${trouble}`
}
