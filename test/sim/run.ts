/** `npm run sim -- --seeds N` runs seeds 1 to N, `--seed N` one of them; `--json` for programs. */
import { parseArgs } from 'node:util'
import { simulate, type SimResult } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const one = values.seed === undefined ? undefined : whole(values.seed, 'seed')
const from = one ?? whole(values.from, 'from')
const count = one === undefined ? whole(values.seeds, 'seeds') : 1
const virtualS = whole(values.seconds, 'seconds')
const failures: { seed: number; replay: string; failures: readonly string[] }[] = []
const faults: Record<string, number> = {}
let virtual = 0
let real = 0

for (let seed = from; seed < from + count; seed++) {
  const result = await simulate({ seed, virtualS, keepTrace: values.trace })
  virtual += result.virtualS
  real += result.realS
  for (const [kind, struck] of Object.entries(result.faults)) faults[kind] = (faults[kind] ?? 0) + struck
  if (values.trace) process.stderr.write(result.lines.join(''))
  if (result.failures.length > 0) {
    const replay = `npm run sim -- --seed ${seed}${virtualS === 60 ? '' : ` --seconds ${virtualS}`}`
    failures.push({ seed, replay, failures: result.failures })
  }
  tell(result)
}

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

function tell(result: SimResult): void {
  const { seed, trace, healedS, realS } = result
  const verdict = result.failures.length === 0 ? 'ok' : 'FAILED'
  process.stderr.write(
    `seed ${seed} ${verdict}: ${sum(result.operations)} operations, ${sum(result.faults)} faults, ` +
      `healed in ${healedS.toFixed(0)} s, trace ${trace.slice(0, 12)}, ${realS.toFixed(1)} s\n`,
  )
  for (const failure of result.failures.slice(0, 10)) process.stderr.write(`  ${failure}\n`)
  if (result.failures.length > 0) process.stderr.write(`  replay: ${failures.at(-1)?.replay}\n`)
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
