/**
 * `npm run sim -- --seeds N` runs seeds 1 to N, `--seed N` one of them; `--mutants` plants faults in our own code and says which
 * were noticed (`--only TEXT` those whose name has it); `--long` has stories of `--days N` (100). `--json` for programs.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { hunt } from './hunt.ts'
import { mutants } from './mutants.ts'
import { runSeeds, type SeedResult } from './seeds.ts'

const noticedMin = 0.95

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    long: { type: 'boolean', default: false },
    days: { type: 'string', default: '100' },
    trace: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

if (values.mutants) await huntMutants()
else await trySeeds()

async function trySeeds(): Promise<void> {
  const one = values.seed === undefined ? undefined : whole(values.seed, 'seed')
  const from = one ?? whole(values.from, 'from')
  const count = one === undefined ? whole(values.seeds ?? (values.long ? '1' : '20'), 'seeds') : 1
  const virtualS = whole(values.seconds, 'seconds')
  const failures: { seed: number; replay: string; failures: readonly string[] }[] = []
  const faults: Record<string, number> = {}
  let virtual = 0

  const seeds = Array.from({ length: count }, (_, i) => ({
    seed: from + i,
    virtualS,
    days: values.long ? whole(values.days, 'days') : undefined,
    keepTrace: values.trace,
  }))
  const startMs = performance.now()
  await runSeeds(seeds, availableParallelism(), (result) => {
    virtual += result.virtualS ?? 0
    for (const [kind, struck] of Object.entries(result.faults ?? {}))
      faults[kind] = (faults[kind] ?? 0) + struck
    if (values.trace) process.stderr.write((result.lines ?? []).join(''))
    const { seed } = result
    const replay = `npm run sim -- --seed ${seed}${values.long ? ` --long --days ${values.days}` : ''}${virtualS === 60 ? '' : ` --seconds ${virtualS}`}`
    if (result.failures.length > 0) failures.push({ seed, replay, failures: result.failures })
    tell(result, replay)
  })
  const real = (performance.now() - startMs) / 1_000

  const summary = {
    seeds: count,
    failures,
    faults,
    virtualS: Math.round(virtual),
    realS: Number(real.toFixed(1)),
  }
  if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  else {
    process.stdout.write(
      `${count - failures.length} of ${count} seeds passed; ${summary.virtualS} virtual s in ${summary.realS} s\n`,
    )
  }
  process.exitCode = failures.length > 0 ? 1 : 0
}

/** 95 of 100 have to be noticed, and none may have lost its place. */
async function huntMutants(): Promise<void> {
  const chosen = mutants.filter(({ name }) => name.includes(values.only ?? ''))
  const options = {
    seeds: whole(values.seeds ?? '6', 'seeds'),
    seconds: whole(values.seconds, 'seconds'),
    atOnce: availableParallelism(),
    endsAfterMs: 300_000,
  }
  const hunted = await hunt(chosen, options, ({ name, by, broken, realS }) => {
    const [verdict, what] =
      broken !== undefined
        ? ['BROKEN', broken]
        : by === undefined
          ? ['missed', '']
          : [`seed ${by.seed}`, by.failure]
    process.stderr.write(`${verdict.padEnd(8)} ${realS.toFixed(0).padStart(4)} s  ${name}\n`)
    if (what !== '') process.stderr.write(`${' '.repeat(17)}${what.slice(0, 160)}\n`)
  })
  const missed = hunted.filter(({ by }) => by === undefined).map(({ name }) => name)
  const caught = hunted.length - missed.length
  if (values.json) process.stdout.write(`${JSON.stringify({ planted: hunted.length, caught, missed })}\n`)
  else process.stdout.write(`${caught} of ${hunted.length} mutants noticed\n`)
  const isBroken = hunted.some(({ broken }) => broken !== undefined)
  process.exitCode = isBroken || caught < hunted.length * noticedMin ? 1 : 0
}

function tell(result: SeedResult, replay: string): void {
  const { seed, operations, faults, trace = '', healedS = 0, realS = 0 } = result
  const verdict = result.failures.length === 0 ? 'ok' : 'FAILED'
  const what =
    operations === undefined || faults === undefined
      ? 'it broke'
      : `${sum(operations)} operations, ${sum(faults)} faults, ` +
        `healed in ${healedS.toFixed(0)} s, trace ${trace.slice(0, 12)}, ${realS.toFixed(1)} s`
  process.stderr.write(`seed ${seed} ${verdict}: ${what}\n`)
  for (const failure of result.failures.slice(0, 10)) process.stderr.write(`  ${failure}\n`)
  if (result.failures.length > 0) process.stderr.write(`  replay: ${replay}\n`)
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, n) => total + n, 0)
}

function whole(text: string, name: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} needs a whole number, not ${text}\n`)
  process.exit(2)
}
