/**
 * `npm run verdicts -- [--cases N] [--seed S] [--from I] [--json]`: a million odd signatures, and whether all
 * providers find the same. The last line is JSON for programs, or one sentence. Exits 1 when they differ.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type Compared, type Disagreement, disagreementsMax } from './compare.ts'

/** Two seconds of work: progress shows, and making the points of the seed again does not. */
const partCases = 4_000

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
})
const cases = whole(values.cases, 'cases')
const seed = whole(values.seed, 'seed')
const from = whole(values.from, 'from')

const disagreements: Disagreement[] = []
const kinds: Record<string, { accepted: number; refused: number }> = {}
let providers: readonly string[] = []
let accepted = 0
let done = 0
let next = 0
let shownMs = performance.now()

const threads = Math.min(availableParallelism(), Math.ceil(cases / partCases))
await Promise.all(Array.from({ length: threads }, work))

disagreements.sort((a, b) => a.index - b.index)
const summary = { cases: done, disagreements, seed, accepted, refused: done - accepted, providers }
if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
else {
  process.stdout.write(
    `${summary.cases} cases of seed ${seed}: ${accepted} accepted, ${summary.refused} refused by ` +
      `${providers.join(', ')}; ${disagreements.length} disagreements\n`,
  )
}
process.exitCode = disagreements.length > 0 ? 1 : 0

async function work(): Promise<void> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url))
  await new Promise<void>((resolve, reject) => {
    const give = (): void => {
      if (next >= cases || disagreements.length >= disagreementsMax) {
        resolve()
        return
      }
      const count = Math.min(partCases, cases - next)
      worker.postMessage({ seed, from: from + next, count })
      next += count
    }
    worker.on('error', reject)
    worker.on('message', (compared: Compared) => {
      take(compared)
      give()
    })
    give()
  })
  await worker.terminate()
}

function take(compared: Compared): void {
  done += compared.cases
  accepted += compared.accepted
  providers = compared.providers
  for (const [kind, counts] of Object.entries(compared.kinds)) {
    const sum = (kinds[kind] ??= { accepted: 0, refused: 0 })
    sum.accepted += counts.accepted
    sum.refused += counts.refused
  }
  for (const one of compared.disagreements) {
    disagreements.push(one)
    process.stderr.write(`${one.kind}: ${JSON.stringify(one.verdicts)}\n  replay: ${one.replay}\n`)
  }
  if (performance.now() - shownMs < 10_000 && done < cases) return
  shownMs = performance.now()
  process.stderr.write(`${done} of ${cases}\n`)
  if (done === cases) tellKinds()
}

function tellKinds(): void {
  for (const [kind, counts] of Object.entries(kinds)) {
    process.stderr.write(`${kind.padEnd(44)} ${counts.accepted} accepted, ${counts.refused} refused\n`)
  }
}

function whole(text: string, name: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} needs a whole number, not ${text}\n`)
  process.exit(2)
}
