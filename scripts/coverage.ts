/**
 * `npm run coverage [-- --json]`: which branches of what decides about trust its tests do not take: the
 * codec, crypto, identity logs, records, readers, pairing on both sides, and who may call. Prints a table and each branch by its place; exits
 * with 1 when there is one.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')

/** Nothing is left out by a comment: a branch that cannot be taken is not written. */
const watched = [
  'protocol/codec*.ts',
  'protocol/crypto/*.ts',
  'protocol/identity/**/*.ts',
  'protocol/record/*.ts',
  'protocol/readers/*.ts',
  'protocol/pairing/*.ts',
  'daemon/crypto/*.ts',
  'daemon/pairing/*.ts',
  'daemon/api/auth.ts',
]

/**
 * The tests that mean them. Thousands of odd inputs take other ways by accident, and so do whole nodes; a branch is to
 * have a test of its own.
 */
const tests = [
  'test/unit/{api-auth,blind,clock,codec,crypto-node-keys,crypto-strict,ends,merge,seen,shape}.test.ts',
  'test/unit/{identity,pairing,record}*.test.ts',
  'test/unit/{client-group-people,client-sealing,readers,recovery-words,second-thread}.test.ts',
  'test/unit/slip39.test.ts',
  'test/contract/{crypto,pairing}.test.ts',
].flatMap((pattern) => globSync(pattern, { cwd: root }))

/** Half a minute on two cores, two where others work on them: after ten something hangs. */
const runMaxMs = 10 * 60_000

interface Place {
  readonly start: { readonly line: number; readonly column: number | null }
}

/** Istanbul's form: a branch has as many counts as ways. */
interface FileCoverage {
  readonly branchMap: Readonly<
    Record<
      string,
      {
        readonly type: string
        readonly line?: number
        readonly loc: Place
        readonly locations: readonly Place[]
      }
    >
  >
  readonly b: Readonly<Record<string, readonly number[]>>
}

interface FileBranches {
  readonly file: string
  readonly taken: number
  readonly all: number
  /** `line:column kind` */
  readonly missed: readonly string[]
}

const json = process.argv.includes('--json')
const folder = mkdtempSync(join(tmpdir(), 'onehop-coverage-'))
try {
  run(folder)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(reports: string): void {
  const { status, error } = spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      ...tests,
      '--reporter=dot',
      // Counting makes the longest of them several times as long; a hung one ends all the same.
      '--testTimeout=300000',
      '--coverage.enabled',
      '--coverage.reportOnFailure',
      '--coverage.provider=v8',
      '--coverage.reporter=json',
      `--coverage.reportsDirectory=${reports}`,
      ...watched.map((pattern) => `--coverage.include=${pattern}`),
    ],
    {
      cwd: root,
      timeout: runMaxMs,
      stdio: ['ignore', json ? 'ignore' : 'inherit', 'inherit'],
      // A thousand coloured dots in a file hide the table.
      env: { ...process.env, NODE_ENV: 'test', ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }) },
    },
  )
  if (error !== undefined) {
    throw new Error('The tests did not end: nothing is known of their branches.', { cause: error })
  }
  if (status !== 0) {
    process.stderr.write('Tests failed: branches that they take may be missing below.\n')
  }
  const covered = JSON.parse(readFileSync(join(reports, 'coverage-final.json'), 'utf8')) as Record<
    string,
    FileCoverage
  >
  const files = Object.entries(covered)
    .map(([path, coverage]) => branchesOf(relative(root, path), coverage))
    .filter(({ all }) => all > 0)
    .toSorted((a, b) => (a.file < b.file ? -1 : 1))
  const sum = (count: (file: FileBranches) => number): number =>
    files.reduce((total, file) => total + count(file), 0)
  const [taken, all] = [sum((file) => file.taken), sum((file) => file.all)]
  if (json) process.stdout.write(`${JSON.stringify({ taken, branches: all, files })}\n`)
  else {
    for (const file of files) {
      process.stdout.write(`${file.file.padEnd(44)} ${String(file.taken).padStart(4)} of ${file.all}\n`)
      for (const place of file.missed) process.stdout.write(`  ${file.file}:${place}\n`)
    }
    process.stdout.write(`${taken} of ${all} branches\n`)
  }
  process.exitCode = taken === all && status === 0 ? 0 : 1
}

function branchesOf(file: string, { branchMap, b }: FileCoverage): FileBranches {
  const ways = Object.entries(branchMap).flatMap(([id, { type, loc, locations }]) =>
    (b[id] ?? []).map((count, way) => {
      // An `if` without `else` has no place for the way past it.
      const start = locations[way]?.start.line === undefined ? loc.start : (locations[way] as Place).start
      return {
        count,
        place: `${start.line}:${(start.column ?? 0) + 1} ${type === 'if' && way === 1 ? 'else' : type}`,
      }
    }),
  )
  const missed = ways.filter(({ count }) => count === 0).map(({ place }) => place)
  return { file, taken: ways.length - missed.length, all: ways.length, missed }
}
