import { barOf, createProgressLine } from '../progress-line.ts'
import type { Clock } from '../../protocol/ports.ts'
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

/** Of the whole file, or of its first lines where no more are wanted. */
export interface ImportSize {
  readonly bytes: number
  readonly lines: number | undefined
}

export function createProgressBar(output: Output, size: ImportSize, clock: Clock): ProgressBar {
  const line = createProgressLine(output, clock)
  return { ...line, show: (progress) => line.show((seconds) => progressLine(progress, size, seconds)) }
}

function progressLine(progress: ImportProgress, size: ImportSize, seconds: number): string {
  const { stage, bytesRead, lines, users, stored, known, refused, placed } = progress
  // A file may have fewer lines than were asked for.
  const read = Math.max(
    bytesRead / Math.max(1, size.bytes),
    size.lines === undefined ? 0 : lines / Math.max(1, size.lines),
  )
  const share = stage === 'placing' ? placed / Math.max(1, users) : read
  const bar = barOf(Math.min(1, share))
  if (stage === 'placing') return `${bar}  replica sets ${formatCount(placed)} of ${formatCount(users)}`
  const perS = Math.round((stored + known) / Math.max(seconds, 0.001))
  const trouble = refused > 0 ? `, ${formatCount(refused)} refused` : ''
  return `${bar}  ${formatCount(stored + known)} records, ${formatCount(perS)}/s${trouble}`
}
