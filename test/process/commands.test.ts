/** Commands that no other test runs as a person does, at two nodes that know each other. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryKeyStore, pair } from '../../client/index.ts'
import type { PairingRun } from '../../client/index.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { commandEnv } from '../support/command-env.ts'
import { startNodeProcess, type NodeProcess } from '../support/node-process.ts'
import { openTerminal, terminalMissing } from '../support/terminal.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')

type Json = Record<string, unknown>

interface Person {
  readonly home: string
  readonly at: NodeProcess
}

const opened = new AsyncDisposableStack()
let ada: Person
let ben: Person
let adasId: string
let meeting: Promise<void> | undefined
let movingIn: Promise<void> | undefined

function environment({ home }: Person): NodeJS.ProcessEnv {
  return { ...commandEnv, HOME: home }
}

function onehop(person: Person, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [bin, ...args, '--state', person.at.state, '--json'],
    { encoding: 'utf8', env: environment(person) },
  )
  const lines = (): Json[] =>
    stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Json)
  return { status, lines, said: stdout + stderr }
}

/** As it is told to people. */
function inWords({ home, at }: Person, ...args: readonly string[]): string {
  const command = [bin, ...args, '--state', at.state]
  const { stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    env: { ...commandEnv, HOME: home },
  })
  return stdout + stderr
}

async function person(settings: readonly string[]): Promise<Person> {
  const home = mkdtempSync(join(tmpdir(), 'onehop-person-'))
  opened.defer(() => rmSync(home, { recursive: true, force: true }))
  return { home, at: opened.use(await startNodeProcess(settings)) }
}

beforeAll(async () => {
  expect(existsSync(bin), 'npm run build comes first').toBe(true)
  // A neighbour that was named and is not there: nobody listens on that port.
  const gone = fullAddress(
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '/ip4/127.0.0.1/tcp/1',
  )
  ada = await person([
    'region="/geo/africa/ng/lagos"',
    'aggregate=[{"app":"*","scope":"/geo"}]',
    `network.bootstrap=${JSON.stringify([gone])}`,
  ])
})

afterAll(() => opened.disposeAsync())

/** Ben's node comes by and by, as the first of these tests look at Ada's alone; each other one sees to it, so that it runs alone too. */
function meet(): Promise<void> {
  return (meeting ??= (async () => {
    const addresses = ada.at.addresses.filter((address) => /\/tcp\/\d+$/.test(address))
    const bootstrap = addresses.map((address) => fullAddress(ada.at.node, address))
    ben = await person([`network.bootstrap=${JSON.stringify(bootstrap)}`])
    await until(() => onehop(ada, 'status').status === 0, 30_000)
  })())
}

/** Both live at their nodes, and Ada has written something. */
function moveIn(): Promise<void> {
  return (movingIn ??= (async () => {
    await meet()
    adasId = onehop(ada, 'init', '--user', 'Ada', '--no-recovery').lines()[0]?.['identity'] as string
    const profile = onehop(ada, 'put', 'profile', '{"name":"Ada","place":"/geo/africa/ng/lagos"}')
    expect(profile.status, profile.said).toBe(0)
    expect(onehop(ben, 'init', '--user', 'Ben', '--no-recovery').status).toBe(0)
    expect(onehop(ada, 'put', 'posts', '{"text":"a harbour in the morning"}').status).toBe(0)
  })())
}

test('status prints where the node is reached, as network.bootstrap takes it', () => {
  const [status] = onehop(ada, 'status').lines() as { reachedAt: string[] }[]
  const expected = ada.at.addresses
    .filter((address) => !address.endsWith('/http'))
    .map((address) => fullAddress(ada.at.node, address))
  expect(expected.length).toBeGreaterThan(0)
  expect(status?.reachedAt).toEqual(expected)
  const [first = '', ...others] = expected
  const shown = inWords(ada, 'status')
  expect(shown.split('\n').find((line) => line.startsWith('reached at'))).toContain(` ${first}`)
  for (const other of others) expect(shown).toContain(other)
})

test('status exits 4 while something is wrong, and 0 again afterwards', async () => {
  const alone = onehop(ada, 'status')
  expect(alone.status, alone.said).toBe(4)
  expect(alone.lines()).toMatchObject([
    {
      healthy: false,
      exit: 4,
      problems: [{ code: 'ALONE', help: expect.stringContaining('network.bootstrap') }],
    },
  ])
  await meet()
  expect(onehop(ada, 'status').status).toBe(0)
})

test('get reads what is hosted elsewhere, asked for at the own node', async () => {
  await moveIn()
  const got = onehop(ben, 'get', 'posts', '--owner', adasId)
  expect(got.status, got.said).toBe(0)
  expect(got.lines()).toMatchObject([{ owner: adasId, value: { text: 'a harbour in the morning' } }])
})

test('search finds a post, and explain tells the plan', async () => {
  await moveIn()
  const args = ['harbour', '--scope', '/geo/africa']
  await until(() => onehop(ada, 'search', ...args).lines().length > 0, 30_000)
  const [hit] = onehop(ada, 'search', ...args).lines()
  expect(hit).toMatchObject({
    owner: adasId,
    value: { text: 'a harbour in the morning' },
    scope: '/geo/africa/ng/lagos',
  })
  const explained = onehop(ada, 'explain', ...args)
  expect(explained.status).toBe(0)
  expect(explained.lines()).toMatchObject([
    {
      total: 1,
      hits: 1,
      level: '/geo',
      plan: [
        { action: 'find', outcome: 'none', scope: '/geo/africa' },
        { action: 'here', outcome: 'answered', scope: '/geo', hits: 1 },
      ],
      problems: [],
    },
  ])
  expect(onehop(ada, 'search', 'nothing-like-it', '--scope', '/geo').lines()).toEqual([])
})

test('schema apply gives the node a schema, which put and get then use', async () => {
  await moveIn()
  const file = join(ada.home, 'notes.json')
  const schema = {
    onehop: 1,
    id: 'example.lists',
    version: 1,
    collections: { items: { key: 'none', fields: { what: { type: 'text', required: true } } } },
  }
  writeFileSync(file, JSON.stringify(schema))
  expect(onehop(ada, 'put', 'items', '{"what":"tea"}', '--schema', 'example.lists').status).toBe(1)
  const applied = onehop(ada, 'schema', 'apply', file)
  expect(applied.status, applied.said).toBe(0)
  expect(applied.lines()).toMatchObject([{ applied: true, app: 'example.lists' }])
  const put = onehop(ada, 'put', 'items', '{"what":"tea"}', '--schema', 'example.lists')
  expect(put.status, put.said).toBe(0)
  expect(onehop(ada, 'get', 'items', '--schema', 'example.lists').lines()).toMatchObject([
    { value: { what: 'tea' } },
  ])
  writeFileSync(file, JSON.stringify({ ...schema, version: 0 }))
  expect(onehop(ada, 'schema', 'apply', file).lines()).toMatchObject([{ error: { code: 'BAD_SCHEMA' } }])
})

test('a club is founded, somebody writes in it from another node, and is put out again', async () => {
  await moveIn()
  const field = { type: 'text' }
  const fields = { title: { ...field, required: true }, minutes: { ...field, audience: 'followers' } }
  const schema = {
    onehop: 1,
    id: 'example.club',
    version: 1,
    collections: { talks: { key: 'none', fields } },
  }
  for (const one of [ada, ben]) {
    const file = join(one.home, 'club.json')
    writeFileSync(file, JSON.stringify(schema))
    expect(onehop(one, 'schema', 'apply', file).status).toBe(0)
  }
  const as = (one: Person, ...args: readonly string[]) => onehop(one, ...args, '--schema', 'example.club')
  const [benIs] = onehop(ben, 'init', '--user', 'Ben').lines()
  const bensId = benIs?.['identity'] as string
  expect(bensId).toMatch(/^[0-9a-f]{64}$/)

  expect(as(ada, 'groups').lines()).toEqual([])
  const founded = as(ada, 'groups', 'create', 'Chess club')
  expect(founded.status, founded.said).toBe(0)
  const group = founded.lines()[0]?.['group'] as string
  expect(as(ada, 'groups').lines()).toEqual([
    { group, role: 'owner', members: 1, held: true, label: 'Chess club' },
  ])
  const unnamed = as(ada, 'groups', 'create', ' ')
  expect([unnamed.status, unnamed.said]).toEqual([2, expect.stringContaining('NAME has 1 to 64 bytes')])
  expect(as(ada, 'groups', 'create', 'chess CLUB').lines()).toMatchObject([
    { error: { code: 'BAD_REQUEST', message: expect.stringContaining(group) } },
  ])
  const wrong = as(ada, 'groups', 'add', 'Chess club', bensId, 'king')
  expect(wrong.status).toBe(2)
  expect(wrong.said).toContain('owner, writer, reader')
  expect(as(ada, 'groups', 'add', 'Go club', bensId).lines()).toMatchObject([
    { error: { code: 'NOT_FOUND', help: expect.stringContaining('onehop groups') } },
  ])
  const added = as(ada, 'groups', 'add', 'chess club', bensId, 'reader')
  expect(added.status, added.said).toBe(0)
  expect(added.lines()).toEqual([
    {
      group,
      sealed: true,
      members: [
        { identity: adasId, role: 'owner' },
        { identity: bensId, role: 'reader' },
      ],
      unsigned: null,
      unrenewed: null,
    },
  ])
  const talk = '{"title":"Openings","minutes":"for us alone"}'
  expect(as(ben, 'put', 'talks', talk, '--owner', group).lines()).toMatchObject([
    { error: { code: 'FORBIDDEN' } },
  ])
  expect(as(ada, 'groups', 'role', group.slice(0, 12), bensId, 'writer').status).toBe(0)
  const written = as(ben, 'put', 'talks', talk, '--owner', group)
  expect(written.status, written.said).toBe(0)
  for (const name of [group, group.slice(0, 10), 'chess club'])
    expect(as(ada, 'get', 'talks', '--owner', name).lines()).toMatchObject([{ value: JSON.parse(talk) }])
  expect(as(ben, 'get', 'talks', '--owner', group).lines()).toMatchObject([{ value: JSON.parse(talk) }])

  expect(onehop(ada, 'put', 'notes', '{"text":"ours"}', '--owner', group).lines()).toMatchObject([
    { error: { code: 'FORBIDDEN', help: expect.stringContaining('Groups keep nothing private') } },
  ])

  expect(as(ben, 'groups').lines()).toMatchObject([{ group, role: 'writer', members: 2 }])
  expect(as(ben, 'groups', 'remove', group, adasId).lines()).toMatchObject([{ error: { code: 'FORBIDDEN' } }])
  expect(as(ada, 'groups', 'remove', group, bensId).status).toBe(0)
  expect(as(ben, 'groups').lines()).toEqual([])
  expect(as(ada, 'put', 'talks', talk, '--owner', 'Chess club').status).toBe(0)
  expect(as(ben, 'put', 'talks', talk, '--owner', group).status).toBe(1)
  const seen = as(ben, 'get', 'talks', '--owner', group).lines() as { value: { minutes?: string } }[]
  expect(seen.map(({ value }) => value.minutes)).toEqual([undefined, 'for us alone'])

  const second = as(ada, 'groups', 'create', 'Chess club', '--force')
  expect(second.status, second.said).toBe(0)
  const ambiguous = as(ada, 'groups', 'Chess club')
  expect(ambiguous.said).toContain(group.slice(0, 12))
})

test('a node that was revoked is met no more, until it is allowed again', async () => {
  await moveIn()
  const isMet = (): boolean => {
    const [status] = onehop(ada, 'status').lines() as { peers: { node: string; connected: boolean }[] }[]
    return status?.peers.some(({ node, connected }) => node === ben.at.node && connected) === true
  }
  await until(isMet, 20_000)
  expect(onehop(ada, 'node', 'revoke', 'abc').status).toBe(2)
  expect(onehop(ada, 'node', 'revoke', ada.at.node).lines()).toMatchObject([
    { error: { code: 'BAD_REQUEST', help: expect.stringContaining('onehop recover') } },
  ])
  const revoked = onehop(ada, 'node', 'revoke', ben.at.node.slice(0, 10))
  expect(revoked.status, revoked.said).toBe(0)
  expect(revoked.lines()).toEqual([{ node: ben.at.node, shards: [], device: false, denied: true }])
  await until(() => !isMet(), 20_000)
  expect(onehop(ada, 'node').lines()).toEqual([{ node: ben.at.node, denied: true }])
  expect(onehop(ada, 'status').lines()).toMatchObject([{ denied: [ben.at.node] }])
  const shown = inWords(ada, 'status')
  expect(shown).toMatch(new RegExp(`${ben.at.node.slice(0, 12)} +denied`))
  expect(shown).toMatch(new RegExp(`\nDenied 1\n +${ben.at.node}`))
  expect(onehop(ada, 'node', 'allow', 'abc').status).toBe(2)
  expect(onehop(ada, 'node', 'allow', ada.at.node.slice(0, 10)).lines()).toMatchObject([
    { error: { code: 'NOT_FOUND', help: expect.stringContaining('onehop node') } },
  ])
  const again = inWords(ada, 'node', 'revoke', ben.at.node.slice(0, 10))
  expect(again).toContain(
    `no more: ${ben.at.node}. onehop node allow ${ben.at.node.slice(0, 12)} undoes that.`,
  )
  const allowed = onehop(ada, 'node', 'allow', ben.at.node.slice(0, 12))
  expect(allowed.lines()).toEqual([{ node: ben.at.node, denied: 0 }])
  expect(onehop(ada, 'node').lines()).toEqual([])
})

test('paths are where things are', async () => {
  await moveIn()
  const collections = { leaves: { key: 'none', fields: { of: { type: 'text' } } } }
  const file = join(ada.home, 'leaves.json')
  writeFileSync(file, JSON.stringify({ onehop: 1, id: 'example.leaves', version: 1, collections }))
  expect(onehop(ada, 'schema', 'apply', file).status).toBe(0)
  const [paths] = onehop(ada, 'paths').lines() as [Record<string, string>]
  expect(paths['state']).toBe(ada.at.state)
  for (const name of ['store', 'adminToken', 'runtime', 'cliDevice', 'schemas'])
    expect(existsSync(paths[name] as string), name).toBe(true)
  expect(JSON.parse(readFileSync(paths['runtime'] as string, 'utf8'))).toMatchObject({ node: ada.at.node })
})

test('a pairing that nobody comes to expires, and says so', async () => {
  await moveIn()
  const { status, lines } = onehop(ada, 'pair', '--lifetime', '1')
  expect(status).toBe(1)
  expect(lines().at(-1)).toMatchObject({
    error: {
      code: 'PAIRING_BURNT',
      message: expect.stringContaining('in time'),
      help: expect.stringContaining('onehop pair'),
    },
  })
  // Nothing of it is left that would wait for a person.
  expect(onehop(ada, 'status').status).toBe(0)
})

test.skipIf(terminalMissing() !== undefined)(
  'at a terminal one that nobody came to is shown anew',
  async () => {
    await moveIn()
    const command = [process.execPath, bin, 'pair', '--lifetime', '1', '--state', ada.at.state]
    await using terminal = openTerminal(command, environment(ada))
    const links = () => new Set(terminal.shown().match(/http\S+#pair=\S+|http\S+#\S{20,}/g))
    await until(() => terminal.shown().includes('Nobody came in time.'), 10_000)
    expect(links().size).toBe(1)
    terminal.type('\r')
    await until(() => links().size === 2, 10_000)
    terminal.type('\u0003')
    expect(await terminal.ended, terminal.shown()).toBe(130)
    // Three that nobody came to lock the door, here as well.
    await setTimeout(1_100)
    expect(onehop(ada, 'pair', '--unlock').status).toBe(0)
  },
)

test('a phone is paired by the digits that are typed, and revoked by the beginning of its key', async () => {
  await moveIn()
  const child = spawn(process.execPath, [bin, 'pair', '--state', ada.at.state, '--json'], {
    env: environment(ada),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  let run: PairingRun | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const { pairing } = JSON.parse(line) as { pairing: { state: string; link: string | null } }
    if (pairing.state === 'waiting')
      run = await pair(pairing.link as string, { keys: memoryKeyStore(), role: 'app', label: 'phone' })
    if (pairing.state !== 'code') continue
    child.stdin.write(`${run?.digits}\n`)
    run?.confirm()
  }
  expect((await ended)[0]).toBe(0)
  const { identity, transport } = await (run as PairingRun).done
  await transport.close()
  expect(Buffer.from(identity.id).toString('hex')).toBe(adasId)

  const key = Buffer.from(identity.device.key).toString('hex')
  const shown = () =>
    onehop(ada, 'devices')
      .lines()
      .find(({ device }) => device === key)
  expect(shown()).toMatchObject({ role: 'app', revoked: false })
  const wrong = onehop(ada, 'devices', 'revoke', key.slice(0, 7))
  expect(wrong.status).toBe(2)
  expect(wrong.said).toContain('8 at least')
  const revoked = onehop(ada, 'devices', 'revoke', key.slice(0, 12))
  expect(revoked.status, revoked.said).toBe(0)
  expect(revoked.lines()).toEqual([
    {
      wasRevoked: false,
      left: 0,
      revoked: key,
      records: 0,
      lastNumber: 0,
      groups: 0,
      unheld: [],
      isCut: false,
      unsigned: [],
      unrenewed: [],
    },
  ])
  expect(onehop(ada, 'devices', 'revoke', '--help').said).toContain('what is not named never does')
  expect(shown()).toMatchObject({ revoked: true })
})

test('how much a person may keep is said by whoever runs the node', () => {
  const set = onehop(ada, 'quota', adasId.slice(0, 12), '6GB')
  expect(set.lines()).toMatchObject([{ quotaBytes: 6 * 2 ** 30, usedBytes: expect.any(Number) }])
  expect(inWords(ada, 'quota', adasId, '5GB')).toMatch(/^Set: [0-9a-f]{12} may keep 5\.0 GB here, and has /)
  expect(onehop(ada, 'status').lines()[0]).toMatchObject({
    hosted: expect.arrayContaining([expect.objectContaining({ identity: adasId, quotaBytes: 5 * 2 ** 30 })]),
  })
  expect(onehop(ada, 'quota', adasId, 'plenty')).toMatchObject({
    status: 2,
    said: expect.stringContaining('500MB'),
  })
  expect(onehop(ada, 'quota', 'f'.repeat(64), '1GB').said).toContain('NOT_HOSTED')
})

test('two friends keep copies for each other: invite, accept, neighbours, lease, offer, end', async () => {
  await moveIn()
  const wrong = onehop(ada, 'invite', '--gives', 'plenty')
  expect([wrong.status, wrong.said]).toEqual([2, expect.stringContaining('500MB')])
  const tooMuch = onehop(ada, 'invite', '--gives', '100GB')
  expect(tooMuch.said).toContain('hosting.offerBytes')
  const [made] = onehop(ada, 'invite', '--gives', '2GB', '--gets', '1GB', '--for', 'Ben').lines()
  const accepted = onehop(ben, 'invite', 'accept', made?.['link'] as string, '--as', 'Ada')
  expect(accepted.status, accepted.said).toBe(0)
  expect(accepted.lines()).toMatchObject([{ label: 'Ada', givesBytes: 2 ** 30, getsBytes: 2 * 2 ** 30 }])
  const again = onehop(ada, 'invite', 'accept', made?.['link'] as string)
  expect(again.said).toContain('wrote the invitation itself')

  expect(onehop(ada, 'neighbours').lines()).toMatchObject([
    { node: ben.at.node, label: 'Ben', pact: { givesBytes: 2 * 2 ** 30, getsBytes: 2 ** 30 } },
  ])
  const shown = inWords(ben, 'neighbours')
  expect(shown).toMatch(/Ada +[0-9a-f]{12} .* 2\.0 GB for 1\.0 GB/)

  expect(onehop(ada, 'offer', 'make', 'Lagos', '1GB').said).toContain('/geo/africa/ng')
  expect(onehop(ada, 'offer', 'make', '/geo/africa/ng', '1GB').status).toBe(0)
  expect(onehop(ada, 'offer').lines()).toContainEqual({
    to: '/geo/africa/ng',
    bytes: 2 ** 30,
    source: 'offer',
  })
  expect(onehop(ada, 'offer', 'withdraw', '/geo/africa/ng').lines()).toEqual([
    { to: '/geo/africa/ng', bytes: 0 },
  ])

  expect(onehop(ada, 'lease').status).toBe(0)
  expect(onehop(ada, 'lease', 'end', adasId).said).toContain('"ended":false')
  const visit = onehop(ada, 'lease', 'guest', '--days', '2')
  expect(visit.status, visit.said).toBe(0)
  expect(visit.lines()).toMatchObject([{ node: ben.at.node, days: 2, latencyMs: expect.any(Number) }])
  expect(onehop(ada, 'lease', 'guest', '--near', '/geo/europe/de').said).toContain('/geo/europe/de')
  expect(onehop(ada, 'invite', '--for', 'Chidi').status).toBe(0)
  expect(onehop(ada, 'invite', 'cancel').lines()).toEqual([{ cancelled: 1 }])
  const ended = onehop(ada, 'neighbours', 'end', ben.at.node.slice(0, 12))
  expect(ended.lines()).toMatchObject([{ ended: true }])
  expect(inWords(ada, 'neighbours')).not.toContain('Ben')
})
