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

export function createProgressBar(output: Output, sizeBytes: number, clock: Clock): ProgressBar {
  const line = createProgressLine(output, clock)
  return { ...line, show: (progress) => line.show((seconds) => progressLine(progress, sizeBytes, seconds)) }
}

function progressLine(progress: ImportProgress, sizeBytes: number, seconds: number): string {
  const { stage, bytesRead, users, stored, known, refused, placed } = progress
  const share = stage === 'placing' ? placed / Math.max(1, users) : bytesRead / Math.max(1, sizeBytes)
  const bar = barOf(share)
  if (stage === 'placing') return `${bar}  replica sets ${formatCount(placed)} of ${formatCount(users)}`
  const perS = Math.round((stored + known) / Math.max(seconds, 0.001))
  const trouble = refused > 0 ? `, ${formatCount(refused)} refused` : ''
  return `${bar}  ${formatCount(stored + known)} records, ${formatCount(perS)}/s${trouble}`
}
