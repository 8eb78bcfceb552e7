/** What a thief did is taken back at the victim's own command line, and who was shut out comes back: real nodes, the real command. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { commandEnv } from '../support/command-env.ts'
import { startNodeProcess, type NodeProcess } from '../support/node-process.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const folder = mkdtempSync(join(tmpdir(), 'onehop-take-back-'))
const paper = join(folder, 'paper.txt')
const running: NodeProcess[] = []
let identity = ''

async function start(index: number): Promise<NodeProcess> {
  const bootstrap = running[0]?.addresses
    .filter((address) => /\/tcp\/\d+$/.test(address))
    .map((address) => fullAddress(running[0]!.node, address))
  const node = await startNodeProcess([
    `listen.host="127.0.${index + 1}.1"`,
    `operator="operator-${index}"`,
    `network.bootstrap=${JSON.stringify(bootstrap ?? [])}`,
    'network.allowDial=["127.0.0.0/8"]',
    'hosting.offerTo="anyone"',
    'hosting.heartbeatMs=500',
  ])
  running.push(node)
  return node
}

function onehop(home: string, args: readonly string[], node = running[0]!) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args, '--state', node.state], {
    encoding: 'utf8',
    env: { ...commandEnv, HOME: join(folder, home) },
  })
  const json = (): Record<string, unknown> => JSON.parse(stdout.split('\n')[0] ?? '')
  return { status, said: stdout + stderr, json }
}

const recover = (home: string, words: string, ...args: readonly string[]) =>
  onehop(home, ['recover', '--words-file', words, '--identity', identity, '--json', ...args])

/** The key of the command line that recovers. */
function comeBack(home: string, ...args: readonly string[]): string {
  const done = recover(home, paper, ...args)
  expect(done.status, done.said).toBe(0)
  return String(done.json()['device'])
}

beforeAll(async () => {
  await start(0)
  const init = onehop('laptop', ['init', '--user', 'Ada', '--words-file', paper, '--json'])
  expect(init.status, init.said).toBe(0)
  identity = String(init.json()['identity']).slice(0, 12)
}, 60_000)

afterAll(async () => {
  for (const node of running.toReversed()) await node[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('words that a thief replaced are in force again, by the laptop that was told of it', () => {
  const thief = comeBack('thief')
  const theirs = join(folder, 'theirs.txt')
  const replaced = onehop('thief', ['recovery', 'new', '--words-file', theirs, '--json'])
  expect(replaced.status, replaced.said).toBe(0)
  expect(onehop('laptop', ['devices']).said).toContain('undo it: onehop recover --take-back')
  const refused = recover('laptop', paper)
  expect([refused.status, refused.said]).toEqual([1, expect.stringContaining('--take-back')])

  const taken = recover('laptop', paper, '--take-back', '--lost', thief)
  expect([taken.status, taken.json()], taken.said).toEqual([
    0,
    expect.objectContaining({ revoked: [thief], renewed: null }),
  ])
  const lost = recover('attic', theirs)
  expect([lost.status, lost.said]).toEqual([1, expect.stringContaining('REVOKED')])
  expect(onehop('thief', ['put', 'posts', '{"text":"mine"}']).status).toBe(1)
}, 60_000)

test('a command line that was shut out is told so, and goes on under another key', () => {
  const desk = comeBack('desk')
  const [laptop] = [recover('laptop', paper).json()['device']]
  const shut = onehop('desk', ['devices', 'revoke', String(laptop)])
  expect(shut.status, shut.said).toBe(0)
  expect(onehop('laptop', ['devices']).said).toContain('gives this command line another key')
  const init = onehop('laptop', ['init'])
  expect([init.status, init.said]).toEqual([1, expect.stringContaining('onehop recover')])
  expect(init.said).toContain('move the key file away')
  const revoke = onehop('laptop', ['devices', 'revoke', desk])
  expect([revoke.status, revoke.said]).toEqual([1, expect.stringContaining('REVOKED')])

  const back = recover('laptop', paper, '--lost', desk)
  expect([back.status, back.json()], back.said).toEqual([
    0,
    expect.objectContaining({ revoked: [desk], renewed: { records: 0, left: 0 } }),
  ])
  expect(back.json()['device']).not.toBe(laptop)
  expect(onehop('laptop', ['put', 'posts', '{"text":"here again"}']).status).toBe(0)
  const again = recover('laptop', paper)
  expect(again.json(), again.said).toMatchObject({ device: back.json()['device'], renewed: null })
}, 60_000)

test('a node whose key was revoked is no home again, and everything there says so', async () => {
  const [old] = running
  const other = await start(1)
  await until(() => onehop('tower', ['status', '--json'], other).said.includes(old!.node), 30_000)
  const args = ['recover', '--words-file', paper, '--identity', identity, '--json']
  const moved = onehop('tower', args, other)
  expect(moved.status, moved.said).toBe(0)
  for (const [name] of [['revoke'], ['allow']]) {
    const done = onehop('tower', ['node', String(name), old!.node], other)
    expect(done.status, done.said).toBe(0)
  }
  await until(() => onehop('laptop', ['status', '--json']).said.includes('"SHUT_OUT"'), 30_000)
  expect(onehop('laptop', ['devices']).said).toContain('It is the node that you are at.')
  for (const again of [['init'], args, ['place']]) {
    const { status, said } = onehop('laptop', again)
    expect([status, said]).toEqual([1, expect.stringContaining('another --state folder')])
  }
  const anew = onehop('laptop', ['init', '--json'], await start(2))
  expect([anew.status, anew.json()['problem']], anew.said).toEqual([0, null])
}, 60_000)
