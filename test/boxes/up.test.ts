/** `./scripts/up` whole, as in a fresh clone: it builds and runs the real node. Only the download is spared. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { until } from '../support/until.ts'

const root = resolve(import.meta.dirname, '../..')
const isClone = existsSync(join(root, '.git'))

const folder = mkdtempSync(join(tmpdir(), 'onehop-up-'))
const house = join(folder, 'onehop')
const state = join(folder, 'state')
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return stdout
}

/** A clone with what is not committed yet laid over it, and the dependencies of this one. */
function cloneHouse(): void {
  run('git', 'clone', '--quiet', root, house)
  const changed = [
    run('git', '-C', root, 'diff', '-z', '--name-only', '--no-renames', 'HEAD'),
    run('git', '-C', root, 'ls-files', '-z', '--others', '--exclude-standard'),
  ].join('')
  for (const name of changed.split('\0')) {
    if (name === '') continue
    rmSync(join(house, name), { force: true })
    if (!existsSync(join(root, name))) continue
    mkdirSync(dirname(join(house, name)), { recursive: true })
    cpSync(join(root, name), join(house, name))
  }
  // One link each: `npm ci`, should it run after all, must not empty the folder of this repository.
  mkdirSync(join(house, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules')))
    symlinkSync(join(root, 'node_modules', name), join(house, 'node_modules', name))
  rmSync(join(house, 'node_modules/.onehop-lock'), { force: true })
  run('bash', '-c', `cd '${house}' && . scripts/prepare.sh && lock_stamp >node_modules/.onehop-lock`)
}

test.skipIf(!isClone)(
  'up: builds, shows the dashboard and the QR, says when it runs already, ends with 0',
  async () => {
    cloneHouse()
    const options = {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        ONEHOP_SET_LISTEN__HOST: '127.0.0.1',
        ONEHOP_SET_LISTEN__HTTP: '0',
        ONEHOP_SET_LISTEN__TCP: '0',
        ONEHOP_SET_LISTEN__WEBSOCKET: '0',
        ONEHOP_SET_NETWORK__MDNS: 'false',
        ONEHOP_SET_LOG: 'silent',
      },
    }
    const script = join(house, 'scripts/up')
    const up = spawn(script, ['--state', state], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    try {
      let [data, words] = ['', '']
      up.stdout.on('data', (part: Buffer) => (data += part.toString()))
      up.stderr.on('data', (part: Buffer) => (words += part.toString()))
      await until(() => words.includes('six digits') || up.exitCode !== null, 60_000)
      expect(words).toMatch(/^Building/)
      const dashboard = /http:\/\/127\.0\.0\.1:\d+\/dashboard\/#token=[0-9a-f]{64}/.exec(data)?.[0]
      expect(dashboard, data + words).toBeDefined()
      // The rows of a QR code, half blocks, and under it the same as a link.
      expect(words.split('\n').filter((row) => /^\s*[█▀▄ ]{20,}$/.test(row)).length).toBeGreaterThan(10)
      expect(words).toMatch(/http:\/\/127\.0\.0\.1:\d+\/phone\/#p=[\w-]+/)
      // In place of the shell, so that a signal to `up` is one to the node.
      expect(JSON.parse(readFileSync(join(state, 'runtime.json'), 'utf8'))).toMatchObject({ pid: up.pid })
      const page = await fetch(new URL(dashboard as string))
      expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('html')])

      const again = spawnSync(script, ['--state', state], { ...options, encoding: 'utf8' })
      expect(again.stderr).toBe('A node runs here already:\n')
      expect(again.stdout).toContain(dashboard)
      expect(again.status).toBe(0)

      up.kill('SIGINT')
      await until(() => up.exitCode !== null || up.signalCode !== null, 20_000)
      expect(up.exitCode).toBe(0)
      expect(words).toMatch(/Closing \.\.\.\n$/)
      expect(existsSync(join(state, 'runtime.json'))).toBe(false)
    } finally {
      if (up.exitCode === null && up.signalCode === null) {
        up.kill('SIGKILL')
        await once(up, 'exit')
      }
    }
  },
)
