import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Found } from './fuzzer.ts'

/** A terminal shows it whole, and a shell takes it as an argument. */
const hexLengthMax = 20_000

/** What went wrong, and the command that does it again; a long input lies in a file. */
export function replayOf({ target, problem, hex }: Found): string {
  const command = `npm run fuzz -- --decoder ${target}`
  if (hex.length <= hexLengthMax) return `${target}: ${problem}\n  replay: ${command} --hex ${hex}`
  const folder = join(import.meta.dirname, '../../.cache/fuzz')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${createHash('sha256').update(hex).digest('hex').slice(0, 16)}.hex`)
  writeFileSync(file, hex)
  return `${target}: ${problem}\n  replay: ${command} --file ${file}`
}
