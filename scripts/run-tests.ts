/**
 * Runs the parts of the test suite one after another and counts what really ran: the counts come from vitest's JSON
 * reports, a check counts as a test, and a part that ends badly without a failed test counts as one failure.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
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

const root = resolve(import.meta.dirname, '..')
const ci = process.env.CI === 'true'

/** A part that takes longer hangs: CI as a whole has 20 minutes. */
const partSecondsMax = 600

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

async function runVitest(part: string): Promise<Counts> {
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
  const code = await new Promise<number>((done) => {
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
      { cwd: root, stdio: 'inherit', env: { ...process.env, NODE_ENV: 'test' } },
    )
    const timer = setTimeout(() => {
      say(`FAILED: ${part} still ran after ${partSecondsMax} s and was stopped`)
      child.kill('SIGKILL')
    }, partSecondsMax * 1000)
    child.on('exit', (exitCode) => {
      clearTimeout(timer)
      done(exitCode ?? 1)
    })
  })
  const counts = readReport(report) ?? { passed: 0, failed: 0, skipped: 0 }
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts
}

const names = ['check', 'build', ...Object.keys(vitestParts)]
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`There is no part ${unknown.join(', ')}. The parts are: ${names.join(', ')}\n`)
  process.exit(2)
}

const rows: { readonly name: string; readonly seconds: number; readonly counts: Counts }[] = []
for (const name of names) {
  // Whole processes, pages and packages are tested as they are built.
  const needed =
    ['process', 'boxes', 'browser', 'house'].some((part) => wanted.includes(part)) && name === 'build'
  if (wanted.length > 0 && !wanted.includes(name) && !needed) continue
  say(`\n== ${name}`)
  const startMs = performance.now()
  const counts = name === 'check' ? runCheck() : name === 'build' ? runBuild() : await runVitest(name)
  rows.push({ name, seconds: (performance.now() - startMs) / 1000, counts })
}

say('\npart      seconds  passed  failed  skipped')
for (const { name, seconds, counts } of rows) {
  const cells = [counts.passed, counts.failed, counts.skipped].map((count) => String(count).padStart(7))
  say(`${name.padEnd(8)} ${seconds.toFixed(1).padStart(8)} ${cells.join(' ')}`)
}
const sum = (key: keyof Counts): number => rows.reduce((total, row) => total + row.counts[key], 0)
const failed = sum('failed')
if (failed > 0) process.exitCode = 1
// Last, alone and in this form: programs read it.
say(`${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`)
