/**
 * `npm run fuzz -- [--minutes N] [--decoder NAME] [--seed S] [--json]`: inputs made of valid messages, led by what code
 * they reach, for every decoder, node-to-node method,
 * operation and wire in turn. `--hex H` (or `--file F`) tries one input again. Exits 1 when one is found that
 * must not be. `--exchanges N` plays N exchanges of two sides that compare their records instead (exchanges.ts), from seed S on.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fromHex } from '../../protocol/bytes.ts'
import { Coverage } from './coverage.ts'
import { decoders } from './decoders.ts'
import { playExchange } from './exchanges.ts'
import { openServices } from './services.ts'
import { openWires } from './wires.ts'
import { check } from './fuzzer.ts'
import { replayOf } from './replay.ts'
import { takeTurns } from './turns.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    decoder: { type: 'string' },
    seed: { type: 'string', default: '1' },
    hex: { type: 'string' },
    file: { type: 'string' },
    json: { type: 'boolean', default: false },
    exchanges: { type: 'string' },
  },
})

if (values.exchanges !== undefined) {
  const faults = playMany(number(values.exchanges, 'exchanges'), number(values.seed, 'seed'))
  process.exit(faults > 0 ? 1 : 0)
}

await using services = await openServices()
await using wires = await openWires()
const all = [...decoders, ...services.targets, ...wires.targets]
const targets = all.filter(({ name }) => values.decoder === undefined || name === values.decoder)
if (targets.length === 0) {
  process.stderr.write(
    `There is no ${values.decoder}. There are:\n${all.map(({ name }) => `  ${name}\n`).join('')}`,
  )
  process.exit(2)
}

const given = values.file === undefined ? values.hex : readFileSync(values.file, 'utf8').trim()
if (given !== undefined) await replay(given)
else await run(number(values.minutes, 'minutes'), number(values.seed, 'seed'))

/** Returns how many were not as they must be. */
function playMany(count: number, from: number): number {
  let faults = 0
  let roundsMost = 0
  for (let seed = from; seed < from + count; seed++) {
    try {
      roundsMost = Math.max(roundsMost, playExchange(seed).rounds)
    } catch (error) {
      faults++
      process.stderr.write(`${String(error)}\n  npm run fuzz -- --exchanges 1 --seed ${seed}\n`)
    }
  }
  const summary = { seed: from, exchanges: count, roundsMost, faults }
  process.stdout.write(
    values.json
      ? `${JSON.stringify(summary)}\n`
      : `${count} exchanges, ${roundsMost} rounds at most, ${faults} faults\n`,
  )
  return faults
}

async function replay(text: string): Promise<void> {
  const input = fromHex(text)
  const [target] = targets
  if (input === undefined || target === undefined || targets.length > 1) {
    process.stderr.write('--hex takes lower-case hex, and --decoder the name of one decoder\n')
    process.exit(2)
  }
  const slowest = { ms: 0 }
  const { problem, wasTaken } = await check(target, input, slowest)
  process.stdout.write(
    `${target.name}: ${problem ?? (wasTaken ? 'taken' : 'refused')}, ${slowest.ms.toFixed(1)} ms\n`,
  )
  process.exitCode = problem === undefined ? 0 : 1
}

async function run(minutes: number, seed: number): Promise<void> {
  const untilMs = performance.now() + minutes * 60_000
  const coverage = await Coverage.start((url) => /\/(protocol|daemon)\/[^?]*\.ts/.test(url))
  let told = 0
  const { results, faults } = await takeTurns(targets, {
    ...{ seed, untilMs, coverage },
    onFault(fault) {
      told++
      process.stderr.write(`${replayOf(fault)}\n`)
    },
    onTurn: (turn) =>
      void process.stderr.write(
        `turn ${turn + 1}: ${coverage.functions} functions reached, ${told} faults\n`,
      ),
  })
  await coverage.stop()
  for (const { target, inputs, taken, kept, slowestMs } of results) {
    process.stderr.write(
      `${target.padEnd(52)} ${inputs} inputs, ${taken} taken, ${kept.length} kept, ${slowestMs.toFixed(1)} ms at most\n`,
    )
  }
  const inputs = results.reduce((sum, of) => sum + of.inputs, 0)
  const leastInputs = Math.min(...results.map((of) => of.inputs))
  const summary = {
    seed,
    inputs,
    targets: results.length,
    targetsInAll: targets.length,
    leastInputs,
    faults: faults.map((of) => ({ ...of, replay: replayOf(of) })),
  }
  if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  else {
    process.stdout.write(
      `${inputs} inputs to ${results.length} of ${targets.length} targets, ${leastInputs} at least to each, ${faults.length} faults\n`,
    )
  }
  process.exitCode = faults.length > 0 || results.length < targets.length ? 1 : 0
}

function number(text: string, name: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value >= 0) return value
  process.stderr.write(`--${name} needs a number, not ${text}\n`)
  process.exit(2)
}
