/** `npm run diskfull [-- --rounds N] [--json]`: a real box on a small disk that fills up. Needs root, for the disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fillDisk, mountsHere } from './disk-full.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '12' }, json: { type: 'boolean', default: false } },
})
const rounds = Number(values.rounds)
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  process.stderr.write('Usage: npm run diskfull [-- --rounds N] [--json]\n')
  process.exit(2)
}
if (!mountsHere()) {
  process.stderr.write('A small disk is mounted for this, which root alone may: sudo npm run diskfull\n')
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), 'onehop-disk-full-'))
try {
  const note = (line: string): void => void process.stderr.write(`${line}\n`)
  const result = await fillDisk({ folder, rounds, note })
  for (const problem of result.problems) note(problem)
  const { acknowledged, refused, problems, slowestRecoveryS } = result
  const told = `${rounds} times full, ${acknowledged} records acknowledged, ${refused} writes refused, ${problems.length} problems; room was noticed within ${slowestRecoveryS.toFixed(1)} s`
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `${told}\n`)
  process.exitCode = problems.length > 0 ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
