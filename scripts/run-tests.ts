/**
 * Runs the parts of the test suite, some beside each other, and counts what really ran: the counts come from vitest's
 * JSON reports, a check counts as a test, and a part that ends badly without a failed test counts as one failure.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, globSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parts as vitestParts } from '../vitest.config.ts'
import { check, printStep } from './check.ts'
import { findDebian } from './debian.ts'

interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

interface Row {
  readonly name: string
  readonly seconds: number
  readonly counts: Counts
}

const root = resolve(import.meta.dirname, '..')
const ci = process.env.CI === 'true'

/** A part that takes longer hangs: CI as a whole has 20 minutes. */
const partSecondsMax = 600

/** First and by themselves: nothing is built beside what is tested as it is built. */
const ahead = ['check', 'build']

/** Then these two rows at the same time, the parts of a row one after another. */
const beside = [false, true].map((isBeside) =>
  Object.keys(vitestParts).filter((name) => vitestParts[name]?.isBeside === isBeside),
)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function runCheck(): Counts {
  const steps = check(printStep)
  const passed = steps.filter((step) => step.ok).length
  return { passed, failed: steps.length - passed, skipped: 0 }
}

function runBuild(): Counts {
  const built = spawnSync('bash', ['-c', '. scripts/prepare.sh; prepare_build'], {
    cwd: root,
    stdio: 'inherit',
  })
  const ok = built.status === 0
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
}

function readReport(path: string): Counts | undefined {
  if (!existsSync(path)) return undefined
  const report = JSON.parse(readFileSync(path, 'utf8')) as VitestReport
  // A file that cannot even be loaded has no tests to count; it is a failure all the same.
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/** What a part prints goes out at once where it runs alone, and as a whole at its end where others run beside it. */
async function runVitest(part: string, isAlone: boolean): Promise<Counts> {
  const files = globSync(`test/${part}/**/*.test.ts`, { cwd: root }).length
  if (files === 0) {
    say(`No tests in test/${part} yet`)
    return { passed: 0, failed: 0, skipped: 0 }
  }
  if (part === 'browser') {
    const chromium = findDebian('chromium', 'chromium')
    if (!chromium.found) {
      say(`${ci ? 'FAILED' : 'skipped'}: test/browser needs Chromium. ${chromium.help}`)
      return ci ? { passed: 0, failed: files, skipped: 0 } : { passed: 0, failed: 0, skipped: files }
    }
  }
  const report = join(root, '.cache/test', `${part}.json`)
  mkdirSync(join(root, '.cache/test'), { recursive: true })
  rmSync(report, { force: true })
  // A file and no pipe: whatever a test leaves running keeps nobody waiting, and of a run that was stopped it is still there.
  const printed = join(root, '.cache/test', `${part}.txt`)
  const out = isAlone ? 'inherit' : openSync(printed, 'w')
  const child = spawn(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      `--project=${part}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    {
      cwd: root,
      stdio: ['inherit', out, out],
      // Hundreds of processes start from the same files: compiled once, each takes a quarter less of a core.
      env: { ...process.env, NODE_ENV: 'test', NODE_COMPILE_CACHE: join(root, '.cache/compiled') },
    },
  )
  const timer = setTimeout(() => {
    say(`FAILED: ${part} still ran after ${partSecondsMax} s and was stopped`)
    child.kill('SIGKILL')
  }, partSecondsMax * 1000)
  const [code] = (await once(child, 'exit')) as [number | null]
  clearTimeout(timer)
  if (out !== 'inherit') {
    closeSync(out)
    say(`\n== ${part}`)
    process.stdout.write(readFileSync(printed))
  }
  const counts = readReport(report) ?? { passed: 0, failed: 0, skipped: 0 }
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts
}

const names = [...ahead, ...beside.flat()]
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`There is no part ${unknown.join(', ')}. The parts are: ${names.join(', ')}\n`)
  process.exit(2)
}

// Whole processes, pages and packages are tested as they are built.
const needsBuild = ['process', 'boxes', 'browser', 'house'].some((part) => wanted.includes(part))
const isWanted = (name: string): boolean =>
  wanted.length === 0 || wanted.includes(name) || (name === 'build' && needsBuild)

async function run(name: string, isAlone: boolean): Promise<Row> {
  say(isAlone ? `\n== ${name}` : `\n(${name} begins; what it prints comes when it ends)`)
  const startMs = performance.now()
  const counts =
    name === 'check' ? runCheck() : name === 'build' ? runBuild() : await runVitest(name, isAlone)
  return { name, seconds: (performance.now() - startMs) / 1000, counts }
}

const done: Row[] = []
for (const name of ahead.filter(isWanted)) done.push(await run(name, true))
const rows = beside.map((row) => row.filter(isWanted)).filter((row) => row.length > 0)
await Promise.all(
  rows.map(async (row) => {
    for (const name of row) done.push(await run(name, rows.length === 1))
  }),
)

say('\npart      seconds  passed  failed  skipped')
for (const { name, seconds, counts } of done) {
  const cells = [counts.passed, counts.failed, counts.skipped].map((count) => String(count).padStart(7))
  say(`${name.padEnd(8)} ${seconds.toFixed(1).padStart(8)} ${cells.join(' ')}`)
}
const sum = (key: keyof Counts): number => done.reduce((total, row) => total + row.counts[key], 0)
const failed = sum('failed')
if (failed > 0) process.exitCode = 1
// Last, alone and in this form: programs read it.
say(`${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`)
