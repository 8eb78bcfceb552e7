/** `npm run crash [-- --cycles N] [--seed S] [--json]`: real boxes killed in the middle of their work. Exits 1 when something was lost. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crash } from './crashes.ts'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const [cycles, seed] = [values.cycles, values.seed].map(Number) as [number, number]
if (![cycles, seed].every((value) => Number.isSafeInteger(value) && value > 0)) {
  process.stderr.write('Usage: npm run crash [-- --cycles N] [--seed S] [--json]\n')
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), 'onehop-crash-'))
try {
  const note = (line: string): void => void process.stderr.write(`${line}\n`)
  const { lost, acknowledged, slowestStartS } = await crash({ folder, cycles, seed, note })
  for (const line of lost.slice(0, 20)) note(line)
  const told = `${cycles} kills, ${acknowledged} records acknowledged, ${lost.length} lost; the slowest start took ${slowestStartS.toFixed(1)} s`
  process.stdout.write(
    values.json ? `${JSON.stringify({ cycles, acknowledged, lost: lost.length })}\n` : `${told}\n`,
  )
  process.exitCode = lost.length > 0 ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
