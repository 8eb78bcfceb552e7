/**
 * npm run bench -- NAME [--json] [--mb N]
 * Runs one bench: a table for a person on stderr and, with --json, exactly one JSON object as the last line of
 * stdout. Exits 0 when it could measure, whether the targets are met or not; 1 when it could not; 2 for bad usage.
 */
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, type BenchReport, report } from './result.ts'
import { versions } from './versions.ts'

const benches = join(import.meta.dirname, 'benches')

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

function show({ figures, limit, ratio, target, sense, met }: BenchReport): void {
  const judged = Object.keys(ratio)
  const width = Math.max(12, ...Object.keys(figures).map((key) => key.length))
  const cell = (value: unknown): string =>
    (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).padStart(12)
  say(`${''.padEnd(width)} ${['figure', 'limit', 'ratio', 'target'].map(cell).join(' ')}`)
  for (const key of judged) {
    const bound = `${sense[key] === 'atLeast' ? '>=' : '<='} ${target[key]}`
    say(`${key.padEnd(width)} ${[figures[key], limit[key], ratio[key], bound].map(cell).join(' ')}`)
  }
  for (const [key, value] of Object.entries(figures))
    if (!judged.includes(key)) say(`${key.padEnd(width)} ${cell(value)}`)
  say(met ? 'All targets met.' : 'Not all targets met.')
}

function usage(): string {
  const names = globSync('*.ts', { cwd: benches }).map((file) => basename(file, '.ts'))
  return `Usage: npm run bench -- NAME [--json] [--mb N]\nBenches: ${names.toSorted().join(', ') || 'none yet'}`
}

async function run(name: string, json: boolean, mb: number | undefined): Promise<void> {
  const { bench, takes = [] } = (await import(join(benches, `${name}.ts`))) as {
    readonly bench: Bench
    readonly takes?: readonly string[]
  }
  if (mb !== undefined && !takes.includes('mb')) throw new Error(`${name} takes no --mb`)
  const folder = mkdtempSync(join(tmpdir(), `onehop-bench-${name}-`))
  try {
    const result = await bench({ folder, note: say, ...(mb !== undefined && { mb }) })
    const told = report(name, result, versions(result.packages ?? []))
    show(told)
    if (json) process.stdout.write(`${JSON.stringify(told)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

try {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean' }, mb: { type: 'string' } },
    allowPositionals: true,
  })
  const [name = '', ...rest] = positionals
  const isAmount = values.mb === undefined || /^[1-9]\d{0,3}$/.test(values.mb)
  if (
    !isAmount ||
    rest.length > 0 ||
    !/^[a-z][a-z0-9-]*$/.test(name) ||
    !existsSync(join(benches, `${name}.ts`))
  ) {
    say(usage())
    process.exitCode = 2
  } else await run(name, values.json ?? false, values.mb === undefined ? undefined : Number(values.mb))
} catch (error) {
  const usageError = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')
  say(usageError ? `${(error as Error).message}\n${usage()}` : String((error as Error).stack ?? error))
  process.exitCode = usageError ? 2 : 1
}
