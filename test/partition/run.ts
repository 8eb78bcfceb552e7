/**
 * `npm run partition [-- --schedules N] [--seed S] [--trace] [--json]`: real nodes in networks of their own, cut apart and healed.
 * Exits 1 when something was lost, came back or stayed unequal.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { networksMissing } from './networks.ts'

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const [schedules, seed] = [values.schedules, values.seed].map(Number) as [number, number]
if (![schedules, seed].every((value) => Number.isSafeInteger(value) && value > 0)) {
  process.stderr.write('Usage: npm run partition [-- --schedules N] [--seed S] [--trace] [--json]\n')
  process.exit(2)
}
const missing = networksMissing()
if (missing === undefined) process.exitCode = await drive()
else {
  process.stderr.write(`skipped: ${missing.why}\n`)
  if (values.json) process.stdout.write(`${JSON.stringify({ skipped: missing.why })}\n`)
  // A missing tool is a fault of CI; that networks may not be made is none.
  process.exitCode = missing.isTool && process.env.CI === 'true' ? 1 : 0
}

/** In a network of its own, so that this machine's own sees nothing of it and nothing stays behind. */
async function drive(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-partition-'))
  const driver = resolve(import.meta.dirname, 'drive.ts')
  const figures = [schedules, seed, values.json ? 1 : 0, values.trace ? 1 : 0].map(String)
  const within = ['--user', '--map-root-user', '--net', 'setpriv', '--pdeathsig', 'KILL']
  try {
    const driving = spawn('unshare', [...within, process.execPath, driver, folder, ...figures], {
      stdio: 'inherit',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    })
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void driving.kill(name))
    const [code] = (await once(driving, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
