/** Devices of one person at one node: what one did, the other is told; a key is given up for another. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { commandEnv } from '../support/command-env.ts'
import { startNodeProcess, type NodeProcess } from '../support/node-process.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const folder = mkdtempSync(join(tmpdir(), 'onehop-devices-'))
const paper = join(folder, 'paper.txt')
let node: NodeProcess
let comeBack: (home: Home) => void

type Home = 'laptop' | 'desk' | 'tablet' | 'thief' | 'attic' | 'passer-by' | 'hall' | 'porch' | 'shed'

function run(home: Home, args: readonly string[], at: NodeProcess = node) {
  return spawnSync(process.execPath, [bin, ...args, '--state', at.state], {
    encoding: 'utf8',
    env: { ...commandEnv, HOME: join(folder, home) },
  })
}

function onehop(home: Home, ...args: readonly string[]) {
  const { status, stdout, stderr } = run(home, args)
  expect(status, stdout + stderr).toBe(0)
  return {
    stdout,
    said: stderr,
    lines: () =>
      stdout
        .trim()
        .split('\n')
        .map((line): Listed => JSON.parse(line)),
  }
}

interface Listed {
  readonly device: string
  readonly label: string
  readonly revoked: boolean
}

const keyOf = (home: Home): string => {
  const own = onehop(home, 'devices', '--json')
    .lines()
    .find(({ label }) => label === 'this command line')
  return own?.device ?? ''
}

beforeAll(async () => {
  node = await startNodeProcess(['hosting.offerTo="nobody"'])
  const { identity } = JSON.parse(
    onehop('laptop', 'init', '--user', 'Ada', '--words-file', paper, '--json').stdout,
  ) as { readonly identity: string }
  comeBack = (home) =>
    void onehop(home, 'recover', '--words-file', paper, '--identity', identity.slice(0, 12), '--json')
  comeBack('desk')
}, 60_000)

afterAll(async () => {
  await node[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('what another device or the words did is told once, with the way out', () => {
  const desk = keyOf('desk')
  const { said, stdout } = onehop('laptop', 'devices')
  expect(stdout).toContain(desk)
  expect(said).toMatch(/New since you last looked:\n\s+A device was added: .*, by the recovery words\.\n/)
  expect(said).toContain(`Not you? onehop devices revoke ${desk.slice(0, 12)}`)
  expect(onehop('laptop', 'devices').said).not.toContain('New since')
  expect(onehop('laptop', 'tokens', 'grant', 'Backup').said).toContain('Give this to the app')
  expect(onehop('desk', 'tokens').stdout).toMatch(/Backup .* for 30 days/)
  // Scripts are not told, and take nothing from whoever looks next.
  onehop('desk', 'devices', 'revoke', keyOf('laptop'))
  expect(onehop('desk', 'tokens').stdout).toMatch(/Backup .* over: the device that granted it is revoked/)
  expect(onehop('laptop', 'devices', '--json').said).toBe('')
  expect(onehop('laptop', 'devices').said).toMatch(/was shut out by/)
  const answer = run('laptop', ['devices', 'revoke', keyOf('desk')])
  expect([answer.status, answer.stderr]).toEqual([1, expect.stringMatching(/\(REVOKED\)/)])
})

test('a command line gets another key, goes on with it, and the others are told', () => {
  const before = keyOf('desk')
  const seedOf = (): string => {
    const kept = readFileSync(join(folder, 'desk/.local/share/onehop/cli-device.json'), 'utf8')
    return (JSON.parse(kept) as { readonly entries: { readonly device: string } }).entries.device
  }
  const seed = seedOf()
  onehop('desk', 'put', 'posts', '{"text":"under the first key"}')
  const needless = run('desk', ['devices', 'renew'])
  expect([needless.status, needless.stderr]).toEqual([1, expect.stringContaining('devices renew --force')])
  const renewed = onehop('desk', 'devices', 'renew', '--force')
  expect(renewed.said).toMatch(/A new key for this command line: [0-9a-f]{64}\n/)
  expect(renewed.said).toContain(`onehop devices revoke ${before.slice(0, 12)}`)
  const now = keyOf('desk')
  expect(now).not.toBe(before)
  expect(renewed.said).toContain(now)
  onehop('desk', 'put', 'posts', '{"text":"under the second"}')
  const texts = onehop('desk', 'get', 'posts', '--json').stdout
  for (const text of ['under the first key', 'under the second']) expect(texts).toContain(text)
  // Its own doing is no news to it.
  expect(onehop('desk', 'devices').said).not.toContain('New since')
  expect(seedOf()).not.toBe(seed)
})

test('a thief with a copy of the key writes, and is taken out since then: what was there before is back', async () => {
  comeBack('tablet')
  onehop('desk', 'put', 'profile', '{"name":"Ada herself"}')
  onehop('desk', 'put', 'posts', '{"text":"of Ada"}')
  const at = (home: string) => join(folder, home, '.local/share/onehop/cli-device.json')
  mkdirSync(dirname(at('thief')), { recursive: true })
  copyFileSync(at('desk'), at('thief'))
  await setTimeout(20)
  const stolen = new Date().toISOString()
  onehop('thief', 'put', 'profile', '{"name":"Mallory"}')
  onehop('thief', 'put', 'posts', '{"text":"of Mallory"}')
  const profile = () => onehop('tablet', 'get', 'profile', '--json').stdout
  expect(profile()).toContain('Mallory')
  for (const time of ['yesterday', '2999-01-01', '3 weeks'])
    expect(run('tablet', ['devices', 'revoke', keyOf('desk'), '--since', time]).status).toBe(2)
  expect(run('tablet', ['devices', 'revoke', node.node]).stderr).toContain('node revoke')
  const { said } = onehop('tablet', 'devices', 'revoke', keyOf('desk'), '--since', stolen)
  expect(said).toMatch(
    /What it wrote stays \(\d+ records\); it writes no more\. 2 records of it count no more\./,
  )
  expect(profile()).toContain('Ada herself')
  const posts = onehop('tablet', 'get', 'posts', '--json').stdout
  expect([posts.includes('of Ada'), posts.includes('of Mallory')]).toEqual([true, false])
  expect(onehop('tablet', 'devices', 'revoke', keyOf('desk')).said).toContain('was revoked before')
})

test('whoever has come back reads and writes what is of an app of theirs: its schema comes from the node', () => {
  const file = join(folder, 'lists.json')
  const fields = { what: { type: 'text', required: true } }
  const collections = { items: { key: 'none', fields }, secrets: { key: 'none', private: true, fields } }
  writeFileSync(file, JSON.stringify({ onehop: 1, id: 'example.lists', version: 1, collections }))
  const ofLists = ['--schema', 'example.lists', '--json']
  onehop('tablet', 'schema', 'apply', file)
  onehop('tablet', 'put', 'items', '{"what":"tea"}', ...ofLists)
  onehop('tablet', 'put', 'secrets', '{"what":"a ring"}', ...ofLists)
  comeBack('attic')
  const nothing = run('attic', ['get', 'others', ...ofLists])
  expect([nothing.status, nothing.stdout]).toEqual([1, expect.stringContaining('UNKNOWN_SCHEMA')])
  expect(onehop('attic', 'get', 'secrets', ...ofLists).stdout).toContain('"what":"a ring"')
  onehop('attic', 'put', 'items', '{"what":"milk"}', ...ofLists)
  const { stdout } = onehop('attic', 'get', 'items', ...ofLists)
  for (const what of ['tea', 'milk']) expect(stdout).toContain(what)
})

test('vouching for what is on no probation says what is so', () => {
  const own = keyOf('attic')
  expect(onehop('tablet', 'devices', 'vouch', own).said).toBe(
    `${own.slice(0, 12)} is not on probation: nobody has to vouch for it.\n`,
  )
  expect(onehop('tablet', 'devices', 'vouch', node.node).said).toMatch(
    / is a node, which is never on probation: /,
  )
})

test('shares are made of the words in force alone, and where that cannot be looked up it is said', () => {
  const replaced = join(folder, 'replaced.txt')
  copyFileSync(paper, replaced)
  const newer = join(folder, 'newer.txt')
  const shares = (home: Home, words: string, at?: NodeProcess) =>
    run(
      home,
      ['recovery', 'shares', '--words-file', words, '--shares-file', join(folder, `${home}-share`)],
      at,
    )
  onehop('tablet', 'recovery', 'new', '--words-file', newer)
  // By another device of hers, which has not heard of it yet.
  const former = shares('attic', replaced)
  expect([former.status, former.stderr]).toEqual([1, expect.stringMatching(/were replaced.*\(REVOKED\)/)])
  const others = join(folder, 'others.txt')
  onehop('hall', 'init', '--user', 'Hal', '--words-file', others)
  const strange = shares('attic', others)
  expect([strange.status, strange.stderr]).toEqual([
    1,
    expect.stringContaining('are not the recovery words of'),
  ])
  const good = shares('attic', newer)
  expect([good.status, good.stderr]).toEqual([0, expect.not.stringMatching(/looked up|could be asked/)])
  const nobodys = shares('passer-by', newer)
  expect([nobodys.status, nobodys.stderr]).toEqual([0, expect.stringContaining('was not looked up')])
  const offline = shares('tablet', newer, { ...node, state: join(folder, 'no-node') })
  expect([offline.status, offline.stderr]).toEqual([0, expect.stringContaining('No node could be asked')])
})

test('the way out that is printed for a device, and for a node, is one that can be taken', async () => {
  const bootstrap = node.addresses
    .filter((address) => /\/tcp\/\d+$/.test(address))
    .map((address) => fullAddress(node.node, address))
  await using other = await startNodeProcess([
    `network.bootstrap=${JSON.stringify(bootstrap)}`,
    'network.allowDial=["127.0.0.0/8"]',
    'hosting.offerTo="nobody"',
  ])
  const words = join(folder, 'words-of-hall.txt')
  const init = onehop('porch', 'init', '--user', 'Hal', '--words-file', words, '--json').stdout
  const { identity } = JSON.parse(init) as { readonly identity: string }
  const digits = identity.slice(0, 12)
  const recovered = run('shed', ['recover', '--words-file', words, '--identity', digits, '--json'], other)
  expect(recovered.status, recovered.stdout + recovered.stderr).toBe(0)
  // The node was told no name; the profile that came says it.
  await until(() => / 1 record /.test(run('shed', ['status'], other).stdout), 20_000)
  // The former home has it too, and that is known soon, not with the comparison an hour later.
  await until(() => / 2 of \d+ copies/.test(run('shed', ['status'], other).stdout), 20_000)
  expect(run('shed', ['status'], other).stdout).toMatch(/^ +Hal +/m)
  expect(JSON.parse(run('shed', ['status', '--json'], other).stdout)).toMatchObject({
    hosted: [{ identity, label: 'Hal' }],
  })
  await until(() => onehop('porch', 'devices', '--json').stdout.includes(other.node), 30_000)
  const { said } = onehop('porch', 'devices')
  const ways = [...said.matchAll(/Not you\? onehop (.*)/g)].map(([, way = '']) => way.split(' '))
  expect(ways.map(([first]) => first)).toEqual(['devices', 'node'])
  for (const way of ways) onehop('porch', ...way)
})
