/**
 * The neighbourhood: eight real processes on this machine, each on a loopback address of its own, do the whole job on
 * real posts where the data lies beside the repository. The order of events is in `phases`; each phase is a file
 * that adds figures, compares what nodes answer with a plain model (`model/`), and is timed. `plan.ts` says who the
 * eight are, `figures.ts` what must hold, `data/` where people and posts come from.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { loadCrypto } from '../../cli/crypto.ts'
import { loadDataset } from './data/dataset.ts'
import { judge } from './figures.ts'
import { measureMachine } from './machine.ts'
import { Ledger } from './model/ledger.ts'
import { Writer } from './model/writer.ts'
import { help, type Options, readOptions } from './options.ts'
import { phases } from './phases/index.ts'
import { Processes } from './processes.ts'
import { Progress } from './progress.ts'
import { report } from './report.ts'
import type { Trial } from './trial.ts'

/** Four minutes for all of it; what is under way then is cut short and counts as failed. */
const deadlineMs = 235_000

const exitFailed = 1
const exitUsage = 2

async function run(options: Options): Promise<number> {
  const stopping = new AbortController()
  const stop = (reason: string) => () => stopping.abort(new Error(reason))
  const timer = setTimeout(stop(`the ${deadlineMs / 1000} s for all of it are over`), deadlineMs)
  timer.unref()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop(`stopped by ${name}`))

  const folder = await makeFolder(options.folder)
  const processes = new Processes(folder)
  const progress = new Progress(() => processes.cpuS() + process.cpuUsage().user / 1e6)
  process.once('exit', () => processes.killAll())
  try {
    progress.title('A neighbourhood of eight nodes')
    const dataset = loadDataset(Date.now(), options.people)
    progress.say(
      `${dataset.people.length} people, ${dataset.posts.length} posts, ${dataset.follows.length} follows: ${dataset.source}`,
    )
    const crypto = await loadCrypto()
    const machine = measureMachine(crypto)
    progress.say(
      `this machine verifies ${machine.verifiesPerS} signatures a second on one of ${machine.cores} cores`,
    )
    const trial: Trial = {
      dataset,
      processes,
      ledger: new Ledger(dataset),
      writer: new Writer(crypto),
      figures: { machine },
      progress,
      signal: stopping.signal,
      notes: [],
      named: [],
      announced: [],
      reader: undefined,
    }
    const broken = await runPhases(trial)
    const failures = [...broken, ...judge(trial.figures)]
    const outcome = { ok: failures.length === 0, failures, trial }
    if (options.json !== undefined)
      await writeFile(options.json, `${JSON.stringify(report.json(outcome), undefined, 2)}\n`)
    process.stdout.write(report.table(outcome))
    if (options.keep && !stopping.signal.aborted) {
      await processes.stopAll()
      await processes.restartAll()
      process.stdout.write(report.kept(processes))
      processes.letGo()
    } else {
      await processes.stopAll()
      if (options.folder === undefined && failures.length === 0)
        await rm(folder, { recursive: true, force: true })
      else if (failures.length > 0) progress.say(`state and logs of the nodes are in ${folder}`)
    }
    return failures.length === 0 ? 0 : exitFailed
  } catch (error) {
    progress.fail(error instanceof Error ? error.message : String(error))
    await processes.stopAll()
    return exitFailed
  } finally {
    clearTimeout(timer)
  }
}

/** One broken phase does not hide the figures of the others, save where nothing could follow. */
async function runPhases(trial: Trial): Promise<string[]> {
  const broken: string[] = []
  for (const phase of phases) {
    if (trial.signal.aborted) {
      broken.push(`${phase.name}: ${(trial.signal.reason as Error).message}`)
      continue
    }
    try {
      await trial.progress.timed(phase.name, () => phase.run(trial))
    } catch (error) {
      const reason = trial.signal.aborted ? (trial.signal.reason as Error) : (error as Error)
      broken.push(`${phase.name}: ${reason.message}`)
      trial.progress.fail(`${phase.name}: ${reason.message}`)
      if (phase.isNeeded === true) break
    }
  }
  return broken
}

async function makeFolder(named: string | undefined): Promise<string> {
  if (named === undefined) return mkdtemp(join(tmpdir(), 'onehop-neighbourhood-'))
  await mkdir(resolve(named), { mode: 0o700 })
  return resolve(named)
}

let options: Options | undefined
try {
  options = readOptions(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${help}`)
  process.exitCode = exitUsage
}
if (options?.help === true) process.stdout.write(help)
else if (options !== undefined) process.exitCode = await run(options)
