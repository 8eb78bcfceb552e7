/** Keys sealed under a passphrase: the real command, at a terminal and as a service. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandEnv } from '../support/command-env.ts'
import { openTerminal, terminalMissing, type Terminal } from '../support/terminal.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const home = mkdtempSync(join(tmpdir(), 'onehop-passphrase-'))
const passphrase = 'correct horse battery staple'
const nodeKey = join(home, '.local/state/onehop/node-key')
const cliDevice = join(home, '.local/share/onehop/cli-device.json')
const ports = [
  'listen.http=0',
  'listen.tcp=0',
  'listen.websocket=0',
  'network.mdns=false',
  'listen.host="127.0.0.1"',
]
const start = ['start', '--no-pair', ...ports.flatMap((setting) => ['--set', setting])]
const opened: Terminal[] = []

const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...commandEnv,
  HOME: home,
  ...more,
})

function onehop(args: readonly string[], more: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    encoding: 'utf8',
    env: environment(more),
  })
  return { status, stdout, said: stdout + stderr }
}

function terminal(...args: readonly string[]): Terminal {
  const made = openTerminal([process.execPath, bin, ...args], environment())
  opened.push(made)
  return made
}

let seeds: readonly string[] = []

beforeAll(async () => {
  const node = terminal(...start)
  await until(() => node.shown().includes('dashboard'), 20_000)
  expect(onehop(['init', '--user', 'Ada', '--no-recovery']).status).toBe(0)
  node.type('\u0003')
  expect(await node.ended).toBe(0)
  const device = /"device":"([0-9a-f]{64})"/.exec(readFileSync(cliDevice, 'utf8'))?.[1] ?? ''
  seeds = [readFileSync(nodeKey, 'utf8').trim(), device]
  for (const seed of seeds) expect(seed).toMatch(/^[0-9a-f]{64}$/)
})

afterAll(async () => {
  for (const one of opened) await one[Symbol.asyncDispose]()
  rmSync(home, { recursive: true, force: true })
})

const inFiles = (): string => readFileSync(nodeKey, 'utf8') + readFileSync(cliDevice, 'utf8')

const atTerminal = test.skipIf(terminalMissing() !== undefined)

atTerminal('asked twice and not shown; two that differ change nothing', async () => {
  const wrong = terminal('passphrase', 'set')
  await until(() => wrong.shown().includes('New passphrase:'), 10_000)
  wrong.type(`${passphrase}\r`)
  await until(() => wrong.shown().includes('The same again:'), 10_000)
  wrong.type('something else\r')
  expect(await wrong.ended).toBe(2)
  for (const seed of seeds) expect(inFiles()).toContain(seed)

  const set = terminal('passphrase', 'set')
  await until(() => set.shown().includes('New passphrase:'), 10_000)
  set.type(`${passphrase}\r`)
  await until(() => set.shown().includes('The same again:'), 10_000)
  set.type(`${passphrase}\r`)
  expect(await set.ended, set.shown()).toBe(0)
  expect(set.shown()).not.toContain('battery')
  for (const seed of seeds) expect(inFiles()).not.toContain(seed)
  for (const path of [nodeKey, cliDevice]) expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a short one is refused, and a file of its own seals them where there is no terminal', () => {
  const file = join(home, 'secret.txt')
  writeFileSync(file, 'short\n', { mode: 0o600 })
  const now = join(home, 'now.txt')
  writeFileSync(now, `${passphrase}\n`, { mode: 0o600 })
  const given = { ONEHOP_PASSPHRASE_FILE: now }
  expect(onehop(['passphrase', 'set', '--file', file], given).status).toBe(2)
  writeFileSync(file, `${passphrase}\r\nand more\n`)
  const set = onehop(['passphrase', 'set', '--file', file, '--json'], given)
  expect(set.status, set.said).toBe(0)
  expect(JSON.parse(set.stdout)).toEqual({ sealed: [nodeKey, cliDevice] })
  for (const seed of seeds) expect(inFiles()).not.toContain(seed)
})

test('without it neither node nor command line goes on, and both say what they need', () => {
  const started = onehop(start)
  expect(started.status, started.said).toBe(5)
  expect(started.said).toMatch(
    /node-key is sealed under a passphrase.*\n.*ONEHOP_PASSPHRASE_FILE.*onehop-passphrase/,
  )
  const wrong = join(home, 'wrong.txt')
  writeFileSync(wrong, 'incorrect horse battery staple\n')
  const before = inFiles()
  const refused = onehop(start, { ONEHOP_PASSPHRASE_FILE: wrong })
  expect(refused.status).toBe(5)
  expect(refused.said).toMatch(/node-key is sealed under another passphrase/)
  expect(onehop(['passphrase', 'remove'], { ONEHOP_PASSPHRASE_FILE: wrong }).status).toBe(5)
  expect(onehop(['passphrase', 'remove'], { ONEHOP_PASSPHRASE_FILE: join(home, 'none') }).status).toBe(5)
  expect(inFiles()).toBe(before)
})

atTerminal('as a service it comes from a credential, at a terminal it is asked', async () => {
  const credentials = join(home, 'credentials')
  mkdirSync(credentials)
  writeFileSync(join(credentials, 'onehop-passphrase'), `${passphrase}\n`)
  const service = openTerminal(
    [process.execPath, bin, ...start],
    environment({ CREDENTIALS_DIRECTORY: credentials }),
  )
  opened.push(service)
  await until(() => service.shown().includes('dashboard'), 20_000)

  // What is written stays sealed.
  const put = terminal('put', 'posts', '{"text":"sealed keys sign too"}')
  await until(() => put.shown().includes(`Passphrase of ${cliDevice}:`), 10_000)
  put.type('not this one\r')
  // What is typed before it asks again the terminal still shows.
  await until(() => /That is not it\.[^]*Passphrase of /.test(put.shown()), 10_000)
  put.type(`${passphrase}\r`)
  expect(await put.ended, put.shown()).toBe(0)
  expect(put.shown()).toContain('Stored')
  expect(put.shown()).not.toContain('battery')
  for (const seed of seeds) expect(inFiles()).not.toContain(seed)
  service.type('\u0003')
  expect(await service.ended).toBe(0)
})

atTerminal('a key file that is made later is sealed as the other one is', async () => {
  const file = join(home, 'now.txt')
  const given = { ONEHOP_PASSPHRASE_FILE: file }
  const sealed = /^\{"onehop":"sealed\/1"/
  // The node's key is there, and a command line begins.
  const data = join(home, 'other-data')
  const service = openTerminal([process.execPath, bin, ...start], environment(given))
  opened.push(service)
  await until(() => service.shown().includes('dashboard'), 20_000)
  const init = ['init', '--user', 'Ben', '--no-recovery']
  const refused = onehop(init, { XDG_DATA_HOME: data })
  expect([refused.status, refused.said]).toEqual([5, expect.stringContaining('node-key is sealed')])
  expect(existsSync(join(data, 'onehop/cli-device.json'))).toBe(false)
  const made = onehop(init, { ...given, XDG_DATA_HOME: data })
  expect(made.status, made.said).toBe(0)
  expect(readFileSync(join(data, 'onehop/cli-device.json'), 'utf8')).toMatch(sealed)
  service.type('\u0003')
  expect(await service.ended).toBe(0)
  // The command line's is there, and a node begins.
  const state = join(home, 'other-state')
  const begun = [...start, '--state', state]
  expect(onehop(begun).status).toBe(5)
  const fresh = openTerminal([process.execPath, bin, ...begun], environment(given))
  opened.push(fresh)
  await until(() => fresh.shown().includes('dashboard'), 20_000)
  expect(readFileSync(join(state, 'node-key'), 'utf8')).toMatch(sealed)
  fresh.type('\u0003')
  expect(await fresh.ended).toBe(0)
})

test('removed, all is as it was', () => {
  const file = join(home, 'now.txt')
  const removed = onehop(['passphrase', 'remove'], { ONEHOP_PASSPHRASE_FILE: file })
  expect(removed.status, removed.said).toBe(0)
  expect(removed.said).toContain(`No longer sealed: ${cliDevice}. Only its user may read it.`)
  for (const seed of seeds) expect(inFiles()).toContain(seed)
  expect(existsSync(`${cliDevice}.write.lock`)).toBe(false)
})

atTerminal(
  'a change that was cut short leaves two passphrases, and each file is asked for by its name',
  async () => {
    const [first, second] = ['the first one', 'the second one']
    const file = join(home, 'now.txt')
    writeFileSync(file, first)
    expect(onehop(['passphrase', 'set', '--file', file]).status).toBe(0)
    const sealedBefore = readFileSync(cliDevice)
    writeFileSync(join(home, 'next.txt'), second)
    const set = onehop(['passphrase', 'set', '--file', join(home, 'next.txt')], {
      ONEHOP_PASSPHRASE_FILE: file,
    })
    expect(set.status, set.said).toBe(0)
    writeFileSync(cliDevice, sealedBefore)

    const remove = terminal('passphrase', 'remove')
    await until(() => remove.shown().includes('Passphrase of'), 10_000)
    remove.type(`${second}\r`)
    await until(() => remove.shown().includes('That is not it. Passphrase of'), 10_000)
    remove.type(`${first}\r`)
    expect(await remove.ended, remove.shown()).toBe(0)
    for (const seed of seeds) expect(inFiles()).toContain(seed)
  },
)

test('a damaged file is not sealed over, and no plain draft stays behind', () => {
  const file = join(home, 'now.txt')
  writeFileSync(file, passphrase)
  const whole = readFileSync(nodeKey)
  writeFileSync(nodeKey, whole.subarray(0, 40))
  const before = inFiles()
  const refused = onehop(['passphrase', 'set', '--file', file])
  expect(refused.status).toBe(1)
  expect(refused.said).toContain('STORE_CORRUPT')
  expect(inFiles()).toBe(before)
  writeFileSync(nodeKey, whole)
  writeFileSync(`${nodeKey}.new`, whole)
  expect(onehop(['passphrase', 'set', '--file', file]).status).toBe(0)
  expect(existsSync(`${nodeKey}.new`)).toBe(false)
  for (const part of [40, -3]) {
    writeFileSync(nodeKey, readFileSync(nodeKey).subarray(0, part))
    const started = onehop(start, { ONEHOP_PASSPHRASE_FILE: file })
    expect(started.status, started.said).toBe(1)
    expect(started.said).toContain('STORE_CORRUPT')
  }
})
