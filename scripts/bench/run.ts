/**
 * npm run bench -- NAME [--json] [--docs N] [--mb N] [--records N]
 * Runs one bench: a table for a person on stderr and, with --json, exactly one JSON object as the last line of
 * stdout. Exits 0 when it could measure, whether the targets are met or not; 1 when it could not; 2 for bad usage.
 */
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, type BenchReport, report } from './result.ts'
import { versions } from './versions.ts'

/** Where benches lie, and where their lines go. */
export interface BenchWorld {
  readonly benches: string
  /** For a program: nothing but the JSON. */
  out(text: string): void
  /** For a person. */
  say(line: string): void
}

function show({ figures, limit, ratio, target, sense, met }: BenchReport, say: BenchWorld['say']): void {
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

function usage(benches: string): string {
  const names = globSync('*.ts', { cwd: benches }).map((file) => basename(file, '.ts'))
  return `Usage: npm run bench -- NAME [--json] [--docs N] [--mb N] [--records N]\nBenches: ${names.toSorted().join(', ') || 'none yet'}`
}

/** How much of something, for a bench that says that it takes it. */
const amounts = ['docs', 'mb', 'records'] as const
type Amounts = Partial<Record<(typeof amounts)[number], number>>

async function run(
  name: string,
  json: boolean,
  asked: Amounts,
  { benches, out, say }: BenchWorld,
): Promise<void> {
  const { bench, takes = [] } = (await import(join(benches, `${name}.ts`))) as {
    readonly bench: Bench
    readonly takes?: readonly string[]
  }
  for (const amount of Object.keys(asked))
    if (!takes.includes(amount)) throw new Error(`${name} takes no --${amount}`)
  const folder = mkdtempSync(join(tmpdir(), `onehop-bench-${name}-`))
  try {
    const result = await bench({ folder, note: say, ...asked })
    const told = report(name, result, versions(result.packages ?? []))
    show(told, say)
    if (json) out(`${JSON.stringify(told)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Returns what the process exits with. */
export async function runBench(args: readonly string[], world: BenchWorld): Promise<number> {
  const { benches, say } = world
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        docs: { type: 'string' },
        mb: { type: 'string' },
        records: { type: 'string' },
      },
      allowPositionals: true,
    })
    const [name = '', ...rest] = positionals
    const given = amounts.flatMap((amount) =>
      values[amount] === undefined ? [] : [[amount, values[amount]] as const],
    )
    const isAmount = given.every(([, text]) => /^[1-9]\d{0,8}$/.test(text))
    const isBench = /^[a-z][a-z0-9-]*$/.test(name) && existsSync(join(benches, `${name}.ts`))
    if (!isAmount || rest.length > 0 || !isBench) {
      say(usage(benches))
      return 2
    }
    const asked = Object.fromEntries(given.map(([amount, text]) => [amount, Number(text)]))
    await run(name, values.json ?? false, asked, world)
    return 0
  } catch (error) {
    const usageError = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')
    say(
      usageError ? `${(error as Error).message}\n${usage(benches)}` : String((error as Error).stack ?? error),
    )
    return usageError ? 2 : 1
  }
}

if (import.meta.main) {
  process.exitCode = await runBench(process.argv.slice(2), {
    benches: join(import.meta.dirname, 'benches'),
    out: (text) => process.stdout.write(text),
    say: (line) => process.stderr.write(`${line}\n`),
  })
}
