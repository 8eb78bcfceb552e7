/**
 * `npm run attack [-- NAME] [--list] [--json]`: every attack that must fail, one after the other, against real
 * nodes. Exits 1 when one got through.
 */
import { parseArgs } from 'node:util'
import { Untried, type Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const usage = 'npm run attack [-- NAME ... | --only NAME] [--list] [--json]'
const { values, positionals } = readArguments()
if (values.help) {
  process.stdout.write(`${usage}\nEvery attack, or those named. --list names them all.\n`)
  process.exit(0)
}

const only = [...(values.only ?? []), ...positionals]
const unknown = only.filter((name) => !scenarios.some((one) => one.name === name))
if (unknown.length > 0) {
  process.stderr.write(`There is no ${unknown.join(', ')}. npm run attack -- --list names them all.\n`)
  process.exit(2)
}
const chosen = scenarios.filter(({ name }) => only.length === 0 || only.includes(name))
/** With --json the last line alone is for programs; the table goes beside it. */
const say = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`)

interface Row {
  readonly name: string
  readonly attack: string
  readonly stoppedBy: string
  readonly outcome: 'passed' | 'FAILED' | 'untried'
  readonly ms: number
  readonly note: string | undefined
}

if (values.list) {
  for (const { name, attack } of chosen) say(`${name.padEnd(30)} ${attack}`)
} else await attackAll()

function readArguments() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        list: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    })
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}\n`)
    process.exit(2)
  }
}

async function attackAll(): Promise<void> {
  say(`${'attack'.padEnd(30)} outcome      ms  what stopped it`)
  const rows: Row[] = []
  for (const scenario of chosen) {
    const row = await attack(scenario)
    rows.push(row)
    say(`${row.name.padEnd(30)} ${row.outcome.padEnd(7)} ${String(row.ms).padStart(7)}  ${row.stoppedBy}`)
    if (row.note !== undefined) say(`${' '.repeat(31)}${row.note}`)
  }
  const failed = rows.filter(({ outcome }) => outcome === 'FAILED').map(({ name }) => name)
  const untried = rows.filter(({ outcome }) => outcome === 'untried').length
  say(`${rows.length} attacks, ${failed.length} got through, ${untried} could not be tried here`)
  if (values.json) process.stdout.write(`${JSON.stringify({ scenarios: rows, failed })}\n`)
  process.exitCode = failed.length > 0 ? 1 : 0
}

async function attack({ name, attack: what, stoppedBy, run }: Scenario): Promise<Row> {
  const startMs = performance.now()
  const row = (outcome: Row['outcome'], note?: string): Row => ({
    ...{ name, attack: what, stoppedBy, outcome, note },
    ms: Math.round(performance.now() - startMs),
  })
  try {
    const figure = await run()
    return row('passed', figure === undefined ? undefined : figure)
  } catch (error) {
    if (error instanceof Untried) return row('untried', error.message)
    return row('FAILED', error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}
