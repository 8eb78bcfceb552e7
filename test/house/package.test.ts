import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string
  readonly engines: { readonly node: string }
}
const pinned = dirname(process.execPath)

/** A registry that does not answer must not hold up everything that comes after. */
const childWithinMs = 120_000

let folder: string

function run(command: string, args: readonly string[], path: string, cwd = folder) {
  const { NODE_OPTIONS: _, ...environment } = process.env
  return spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...environment, PATH: path },
    timeout: childWithinMs,
    killSignal: 'SIGKILL',
  })
}

/** The command as npm installed it, found on PATH like any other. */
function onehop(nodeFolder: string, args: readonly string[]) {
  return run(
    'onehop',
    args,
    [join(folder, 'node_modules/.bin'), nodeFolder, process.env.PATH].join(delimiter),
  )
}

/** The first Node on PATH that is too old, if this machine has one. */
function oldNodeFolder(): string | undefined {
  return (process.env.PATH ?? '').split(delimiter).find((entry) => {
    if (!existsSync(join(entry, 'node'))) return false
    const { stdout } = spawnSync(join(entry, 'node'), ['--version'], { encoding: 'utf8' })
    return Number(/^v(\d+)/.exec(stdout)?.[1]) < 24
  })
}

beforeAll(() => {
  expect(existsSync(join(root, 'dist/cli/bin.js')), 'npm run build comes first').toBe(true)
  folder = mkdtempSync(join(tmpdir(), 'onehop-package-'))
  const path = [pinned, process.env.PATH].join(delimiter)
  const packed = run('npm', ['pack', '--silent', '--pack-destination', folder], path, root)
  expect(packed.status, packed.stderr).toBe(0)
  const tarball = packed.stdout.trim().split('\n').at(-1) as string
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}\n')
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-timeout=20000', '--fetch-retries=3']
  const install = (): ReturnType<typeof run> => run('npm', ['install', ...quiet, `./${tarball}`], path)
  const first = install()
  // The network may fail once; what is tested is the package.
  const installed = first.status === 0 ? first : install()
  expect(installed.status, `${installed.stderr}${installed.error ?? ''}`).toBe(0)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the installed package has a working onehop command', () => {
  const result = onehop(pinned, ['--version'])
  expect(result.stderr).toBe('')
  expect(result.stdout).toBe(`${manifest.version}\n`)
  expect(result.status).toBe(0)
})

test('the package carries what runs, and neither tests nor sources', () => {
  const home = join(folder, 'node_modules/onehop')
  for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/cli/bin.js', 'dist/cli/main.js'])
    expect(existsSync(join(home, name)), name).toBe(true)
  for (const name of ['test', 'scripts', 'cli', 'node_modules/vitest', '../vitest'])
    expect(existsSync(join(home, name)), name).toBe(false)
})

test('what package.json exports is there to import', () => {
  const code = `await import('onehop'); await import('onehop/protocol')`
  const result = run(process.execPath, ['--input-type=module', '-e', code], process.env.PATH ?? '')
  expect(result.stderr).toBe('')
  expect(result.status).toBe(0)
})

test('on an older Node it says what it needs and exits 2', (context) => {
  const old = oldNodeFolder()
  if (old === undefined) return context.skip('no Node older than 24 on PATH')
  const result = onehop(old, ['--version'])
  expect(result.status).toBe(2)
  expect(result.stdout).toBe('')
  expect(result.stderr).toContain('onehop needs Node 24.12 or later')
})

test.each(['18.20.8', '20.20.2', '22.22.0', '24.11.1'])('told that Node is %s, it exits 2', (version) => {
  const lie = join(folder, 'older.cjs')
  const bin = join(folder, 'node_modules/onehop/dist/cli/bin.js')
  writeFileSync(lie, `Object.defineProperty(process, 'versions', { value: { node: '${version}' } })\n`)
  const result = run(process.execPath, ['--require', lie, bin, '--version'], process.env.PATH ?? '')
  expect(result.stderr).toContain(`this is ${version}`)
  expect(result.status).toBe(2)
})

test('the version that the command asks for is the one in engines', () => {
  const source = readFileSync(join(root, 'cli/bin.ts'), 'utf8')
  const needed = /needed: readonly number\[\] = \[(\d+), (\d+)\]/.exec(source)
  expect(`>=${needed?.[1]}.${needed?.[2]}`).toBe(manifest.engines.node)
})
