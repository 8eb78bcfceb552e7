import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

let house: string

/**
 * The script in a house of its own, where everything is installed and built and `onehop` is this program: for what the
 * real node (test/boxes/up.test.ts) would be slow to bring about.
 */
beforeEach(() => {
  house = mkdtempSync(join(tmpdir(), 'onehop-up-'))
  for (const folder of ['scripts', 'dist/cli', '.cache', 'node_modules'])
    mkdirSync(join(house, folder), { recursive: true })
  for (const name of [
    'scripts/up',
    'scripts/prepare.sh',
    'scripts/build.ts',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ])
    copyFileSync(join(root, name), join(house, name))
  for (const room of ['protocol', 'storage', 'daemon', 'client', 'cli']) mkdirSync(join(house, room))
  symlinkSync(join(root, 'node_modules/.bin'), join(house, 'node_modules/.bin'))
  const stamps = '. scripts/prepare.sh; lock_stamp >node_modules/.onehop-lock; sources_stamp >.cache/built'
  expect(spawnSync('bash', ['-c', stamps], { cwd: house }).status).toBe(0)
})

afterEach(() => rmSync(house, { recursive: true, force: true }))

function onehop(source: string): void {
  writeFileSync(join(house, 'dist/cli/bin.js'), source)
}

test('a node that runs badly runs: up says so, shows it and exits 0', () => {
  onehop(`
    if (process.argv[2] !== 'status') throw new Error('a second node was started')
    console.log('dashboard http://127.0.0.1:4180')
    process.exit(4)
  `)
  const result = spawnSync(join(house, 'scripts/up'), { encoding: 'utf8' })
  expect(result.stderr).toBe('A node runs here already:\n')
  expect(result.stdout).toBe('dashboard http://127.0.0.1:4180\n')
  expect(result.status).toBe(0)
})

test.each([1, 3])(
  'where none runs (status %i), start has the word: its options and its exit code are handed on',
  (status) => {
    onehop(`
    if (process.argv[2] === 'status') process.exit(${status})
    console.log(process.argv.slice(2).join(' '), process.versions.node)
    process.exit(7)
  `)
    const result = spawnSync(join(house, 'scripts/up'), ['--set', 'name=box'], { encoding: 'utf8' })
    expect(result.stdout).toBe(`start --set name=box ${process.versions.node}\n`)
    expect(result.status).toBe(7)
  },
)

test('builds first when a source has changed', () => {
  onehop(`console.log('the old build ran')`)
  writeFileSync(join(house, 'cli/new.ts'), '')
  const result = spawnSync(join(house, 'scripts/up'), { encoding: 'utf8' })
  // There is no compiler in this house, so that the build cannot but fail.
  expect(result.stderr).toMatch(/^Building/)
  expect(result.stderr).toMatch(/The build failed/)
  expect(result.stdout).toBe('')
  expect(result.status).toBe(1)
})
