import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import type { Duplex } from 'node:stream'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { httpCaller, socketClient } from '../support/api-client.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')

let home: string
const started: ChildProcess[] = []

beforeAll(() => expect(existsSync(bin), 'npm run build comes first').toBe(true))

/** Ports of nobody's choice, on loopback alone. */
function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NO_COLOR: __, FORCE_COLOR: ___, ...rest } = process.env
  const own = Object.fromEntries(Object.entries(rest).filter(([name]) => !/^(XDG_|ONEHOP_)/.test(name)))
  return {
    ...own,
    HOME: home,
    ONEHOP_SET_LISTEN__HOST: '127.0.0.1',
    ONEHOP_SET_LISTEN__HTTP: '0',
    ONEHOP_SET_LISTEN__TCP: '0',
    ONEHOP_SET_LISTEN__WEBSOCKET: '0',
    ONEHOP_SET_NETWORK__MDNS: 'false',
    ONEHOP_SET_LOG: 'silent',
    ...more,
  }
}

function onehop(args: readonly string[], more: NodeJS.ProcessEnv = {}, input: string | Uint8Array = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    encoding: 'utf8',
    env: environment(more),
    input,
  })
  return { status, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, unknown> }
}

/** A daemon that has said that it is ready. */
async function start(
  args: readonly string[] = [],
): Promise<{ child: ChildProcess; ready: Record<string, unknown> }> {
  const child = spawn(process.execPath, [bin, 'start', '--no-pair', '--json', ...args], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  let text = ''
  child.stdout?.on('data', (part: Buffer) => (text += part.toString()))
  await until(() => text.includes('\n') || child.exitCode !== null, 60_000)
  return { child, ready: JSON.parse(text) as Record<string, unknown> }
}

/** A WebSocket that opens and then neither reads nor closes, as of a phone that has walked out of range. */
async function silentSocket(port: number): Promise<Duplex> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'c2lsZW50IHNpbGVudCBzaQ==',
  }
  const request = get({ host: '127.0.0.1', port, path: '/api/v1/socket', headers })
  const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Duplex]
  socket.on('error', () => {})
  return socket.pause()
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'onehop-cli-'))
})

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  chmodSync(home, 0o700)
  rmSync(home, { recursive: true, force: true })
})

afterAll(() => expect(started).toEqual([]))

test('a life: start, init, put, get, status, stop', async () => {
  const { child, ready } = await start()
  expect(ready).toMatchObject({
    pid: child.pid,
    node: expect.stringMatching(/^[0-9a-f]{64}$/),
    dashboard: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/dashboard\/#token=[0-9a-f]{64}$/),
    phone: expect.stringMatching(/\/phone\/$/),
  })

  const again = onehop(['start', '--json'])
  expect([again.status, again.json()['pid']]).toEqual([0, child.pid])

  const init = onehop(['init', '--user', 'Ada', '--no-recovery', '--json'])
  expect(init.status, init.stdout + init.stderr).toBe(0)
  const me = init.json()
  expect(me).toMatchObject({ madeIdentity: true, hosted: ready['node'], problem: null })
  const keyFile = me['keyFile'] as string
  expect(statSync(keyFile).mode & 0o777).toBe(0o600)
  expect(keyFile.startsWith(join(home, '.local/state'))).toBe(false)
  const twice = onehop(['init', '--user', 'Ada', '--json']).json()
  expect(twice).toMatchObject({ madeIdentity: false, identity: me['identity'], device: me['device'] })
  const other = onehop(['init', '--user', 'Bob'])
  expect([other.status, other.stderr]).toEqual([2, expect.stringMatching(/belongs to Ada .*stays theirs/)])

  const put = onehop(['put', 'posts', '{"text":"hello"}', '--json'])
  expect(put.json()).toMatchObject({ number: 2, outcome: 'accepted' })
  const got = onehop(['get', 'posts', '--json']).json()
  expect(got).toMatchObject({
    id: put.json()['id'],
    owner: me['identity'],
    value: { text: 'hello' },
    withheld: 0,
  })
  expect(onehop(['get', 'profile', '--json']).json()).toMatchObject({ value: { name: 'Ada' } })
  expect(onehop(['view', 'home', '--json']).json()).toMatchObject({
    requestsBetweenNodes: 0,
    counts: { posts: 1 },
  })

  const devices = onehop(['devices', '--json'])
    .stdout.trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(devices).toMatchObject([
    { identity: me['identity'], device: me['device'], role: 'owner' },
    { device: ready['node'], role: 'node' },
  ])

  // Alone, there are fewer copies than asked for: said, but no fault of the box.
  const status = onehop(['status', '--json'])
  expect(status.json()).toMatchObject({
    hostedTotal: 1,
    healthy: true,
    exit: 0,
    problems: [{ code: 'FEW_COPIES' }],
    storage: { records: 2 },
  })
  expect(status.status).toBe(0)
  const place = onehop(['place', '--json'])
  expect([place.status, place.json()]).toEqual([
    0,
    { owner: me['identity'], copies: 1, wanted: 4, problem: null },
  ])

  const stop = onehop(['stop', '--json'])
  expect([stop.status, stop.json()]).toEqual([0, { stopped: true, node: ready['node'], pid: child.pid }])
  await until(() => child.exitCode !== null)
  expect(child.exitCode).toBe(0)
  expect(onehop(['status']).status).toBe(3)
})

test('an app is let in, read with, seen and put out', async () => {
  const { ready } = await start()
  const { identity } = onehop(['init', '--user', 'Ada', '--no-recovery', '--json']).json()
  const granted = onehop([
    ...['tokens', 'grant', 'Reader', '--collection', 'posts', '--origin', 'https://reader.example', '--json'],
  ])
  expect(granted.status, granted.stdout + granted.stderr).toBe(0)
  const { id, token } = granted.json() as { id: string; token: string }
  const ask = async (collection: string): Promise<number> =>
    (
      await fetch(new URL('/api/v1/feed.list', ready['dashboard'] as string), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ owner: identity, app: 'example.microblog', collection }),
      })
    ).status
  expect([await ask('posts'), await ask('profile')]).toEqual([200, 403])

  const [seen] = onehop(['tokens', '--json']).stdout.trim().split('\n')
  expect(JSON.parse(seen ?? '')).toMatchObject({
    id,
    label: 'Reader',
    origin: 'https://reader.example',
    owner: identity,
  })
  expect(onehop(['tokens']).stdout).toMatch(
    /Reader +example\.microblog: reads posts +https:\/\/reader\.example/,
  )
  expect(onehop(['tokens', 'revoke', '00000000']).status).toBe(1)
  expect(onehop(['tokens', 'revoke', id.slice(0, 8), '--json']).json()).toEqual({ id, revoked: true })
  expect(await ask('posts')).toBe(401)
})

test('tokens grant: a slip is named, and no token is made that opens nothing', async () => {
  await start()
  onehop(['init', '--user', 'Ada', '--no-recovery', '--json'])
  const refused = (...args: readonly string[]): string => {
    const { status, stderr } = onehop(['tokens', 'grant', ...args])
    return `${status} ${stderr}`
  }
  expect(refused('Reader', '--days', '91')).toMatch(/^2 .*--days/)
  for (const origin of ['reader.example', 'https://reader.example/', 'https://Reader.example'])
    expect(refused('Reader', '--origin', origin)).toMatch(/^2 .*--origin is a site.*\n.*no slash/)
  expect(refused('x'.repeat(65))).toMatch(/^2 .*LABEL has 1 to 64 bytes, not 65/)
  expect(refused('Reader', '--collection', 'pots')).toMatch(
    /^1 .*no collection "pots".*posts.*UNKNOWN_COLLECTION/,
  )
  expect(refused('Reader', '--collection', 'notes')).toMatch(
    /^1 .*notes is private.*\n.*Leave --collection out/,
  )
  expect(refused('Reader', '--app', 'nobodys.app')).toMatch(
    /^1 .*nobodys\.app.*UNKNOWN_SCHEMA.*\n.*schema apply/,
  )
  expect(onehop(['tokens', '--json']).stdout).toBe('')
  // One that may write brings its schema itself.
  expect(onehop(['tokens', 'grant', 'Maker', '--app', 'nobodys.app', '--write']).status).toBe(0)
  expect(onehop(['tokens']).stdout).toContain('for 30 days')
})

test('readers: whoever follows is shown, approved, and put out again', async () => {
  await start()
  const init = onehop(['init', '--user', 'Ada', '--no-recovery', '--json']).json()
  const schema = join(home, 'circle.json')
  writeFileSync(
    schema,
    JSON.stringify({
      ...{ onehop: 1, id: 'example.circle', version: 1 },
      collections: {
        posts: { key: 'none', stream: true, fields: { text: { type: 'text', audience: 'followers' } } },
        follows: {
          ...{ key: { field: 'user' }, follows: { field: 'user' } },
          fields: { user: { type: 'user', required: true } },
        },
      },
      views: { home: { feed: { of: 'posts', latest: 10 } } },
    }),
  )
  expect(onehop(['schema', 'apply', schema, '--json']).status).toBe(0)
  const circle = ['--schema', schema, '--json']
  const other = { XDG_CONFIG_HOME: join(home, 'ben'), XDG_DATA_HOME: join(home, 'ben-data') }
  const ben = onehop(['init', '--user', 'Ben', '--no-recovery', '--json'], other)
  expect(ben.status, ben.stdout + ben.stderr).toBe(0)
  const id = ben.json()['identity'] as string
  expect(id).not.toBe(init['identity'])
  const follow = JSON.stringify({ user: init['identity'] })
  expect(onehop(['put', 'follows', follow, ...circle], other).status).toBe(0)
  // Whoever looks at their page is served from then on, and is known as a follower.
  expect(onehop(['view', 'home', ...circle], other).status).toBe(0)

  const lines = () => {
    const { stdout } = onehop(['readers', ...circle])
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as object]))
  }
  await until(() => lines().length > 0)
  expect(lines()).toMatchObject([{ identity: id, state: 'asks', wasRemoved: false }])
  expect(onehop(['readers', 'approve', id, ...circle]).json()).toEqual({ identity: id, state: 'approved' })
  expect(onehop(['put', 'posts', '{"text":"for my circle"}', ...circle]).status).toBe(0)
  const read = onehop(['get', 'posts', '--owner', init['identity'] as string, ...circle], other)
  expect(read.stdout).toContain('for my circle')
  expect(onehop(['readers', 'remove', id, '--urgent', ...circle]).json()).toEqual({
    ...{ identity: id, state: 'removed' },
  })
  expect(lines()).toMatchObject([{ identity: id, state: 'asks', wasRemoved: true }])
  const again = onehop(['readers', 'remove', id, ...circle])
  expect([again.status, again.stdout]).toEqual([1, expect.stringContaining('onehop readers')])
  // This node is alone: it could ask nobody.
  for (const [command, told] of [
    [['readers', 'approve', 'ab'.repeat(32), ...circle], 'has met no other that it could ask'],
    [['devices', 'ab'.repeat(32)], 'Check the id.'],
  ] as const) {
    const unknown = onehop([...command])
    expect([unknown.status, unknown.stdout + unknown.stderr]).toEqual([1, expect.stringContaining(told)])
  }
  // The default app keeps nothing for followers.
  expect(onehop(['readers', '--json']).stdout).toContain('keeps nothing for followers')
})

test('pair: one QR at a time, whose lifetime a second command does not change, and says so', async () => {
  const { ready } = await start()
  const dashboard = new URL(ready['dashboard'] as string)
  const call = httpCaller(Number(dashboard.port), dashboard.hash.replace('#token=', ''))
  await call('admin.pair.open', { lifetimeS: 3 })
  const { status, stderr } = onehop(['pair', '--lifetime', '600'])
  expect([status, stderr]).toEqual([1, expect.stringContaining('open already and keeps its time')])
  expect(stderr).toContain('nobody scanned the QR code in time')
})

test('blob: a file up and down, sealed or not, from a file or a stream, whole and in ranges', async () => {
  await start()
  onehop(['init', '--user', 'Ada', '--no-recovery', '--json'])
  const file = join(home, 'film.bin')
  const bytes = Buffer.from(Uint8Array.from({ length: 600_000 }, (_, i) => i * 7 + (i >> 8)))
  writeFileSync(file, bytes)
  const out = join(home, 'back.bin')
  const plain = onehop(['blob', 'put', file, '--mime', 'video/mp4', '--json'])
  expect(plain.status, plain.stdout + plain.stderr).toBe(0)
  expect(plain.stderr).toBe('')
  expect(plain.json()).toEqual({ hash: expect.any(String), size: 600_000, mime: 'video/mp4' })
  const sealed = onehop(['blob', 'put', '-', '--sealed'], {}, bytes)
  expect(sealed.json()).toMatchObject({ size: 600_000, key: expect.stringMatching(/^[0-9a-f]{64}$/) })
  expect(sealed.stderr).toMatch(/^Stored 586 KB/)

  for (const { ref, input } of [
    { ref: plain.json()['hash'] as string, input: '' },
    { ref: sealed.stdout, input: '' },
    { ref: '-', input: sealed.stdout },
  ]) {
    const got = onehop(['blob', 'get', ref, '--out', out, '--json'], {}, input)
    expect(got.json()).toEqual({ out, offset: 0, bytes: 600_000 })
    expect(readFileSync(out).equals(bytes)).toBe(true)
    expect(statSync(out).mode & 0o777).toBe(0o600)
    const range = onehop(['blob', 'get', ref, '--out', out, '--range', '262100-262200', '--json'], {}, input)
    expect(range.json()).toEqual({ out, offset: 262_100, bytes: 101 })
    expect(readFileSync(out).equals(bytes.subarray(262_100, 262_201))).toBe(true)
  }

  // What does not open leaves nothing, and what was there before stays.
  const otherKey = { ...sealed.json(), key: '0'.repeat(64) }
  const wrong = onehop(['blob', 'get', JSON.stringify(otherKey), '--out', out, '--json'])
  expect([wrong.status, wrong.json()]).toEqual([
    1,
    { error: expect.objectContaining({ code: 'BAD_SIGNATURE' }) },
  ])
  expect(readFileSync(out).length).toBe(101)
  expect(existsSync(`${out}.part`)).toBe(false)
  expect(onehop(['blob', 'put', home]).stderr).toMatch(/is a folder/)
  expect(onehop(['blob', 'put', join(home, 'none')]).stderr).toMatch(/cannot read.*ENOENT.*NOT_FOUND/s)
  for (const args of [
    ['get', 'nonsense', '--out', out],
    ['get', plain.stdout],
    ['get', plain.stdout, '--out', out, '--range', '5-4'],
    ['put', file, '--mime', 'film'],
  ])
    expect(onehop(['blob', ...args]).status, args.join(' ')).toBe(2)
})

test('put prints the id before it waits for a second node, and says when there is none; --node asks that node alone', async () => {
  await start()
  onehop(['init', '--user', 'Ada', '--no-recovery', '--json'])
  const alone = onehop(['put', 'posts', '{"text":"hello"}', '--durable'])
  expect(alone.status).toBe(1)
  expect(alone.stdout).toMatch(/^[0-9a-f]{64}\n$/)
  expect(alone.stderr).toMatch(/Stored.*one node alone holds your records.*goes to the others by itself/s)
  const waited = onehop(['put', 'posts', '{"text":"again"}', '--durable', '--wait', '1', '--json'])
  expect(
    waited.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
  ).toMatchObject([{ outcome: 'accepted' }, { error: { code: 'TIMEOUT' } }])
  const nobody = ['--node', 'http://127.0.0.1:9', '--json']
  for (const args of [
    ['put', 'posts', '{"text":"there"}'],
    ['get', 'posts'],
  ]) {
    const result = onehop([...args, ...nobody])
    expect([result.status, result.json()]).toMatchObject([1, { error: { code: 'UNREACHABLE' } }])
  }
  expect(onehop(['get', 'posts', '--json']).stdout).not.toContain('there')
  expect(onehop(['get', 'posts', '--node', 'nonsense']).status).toBe(2)
  expect(onehop(['get', 'nope']).stderr).toMatch(/no collection "nope"[^]*It has: .*posts/)
  expect(onehop(['devices', 'revoke', 'abc']).stderr).toMatch(/8 at least/)
})

test('a list of a collection that the known schema lacks is 404, not empty; a body that is no JSON is told', async () => {
  await start()
  const { identity } = onehop(['init', '--user', 'Ada', '--no-recovery', '--json']).json()
  const { http } = onehop(['status', '--json']).json() as { http: string }
  const list = async (body: string) => {
    const answer = await fetch(`${http}/api/v1/record.list`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    return [answer.status, await answer.text()] as const
  }
  const of = (app: string, collection: string) => JSON.stringify({ owner: identity, app, collection })
  expect(await list(of(microblog.id, 'nope'))).toEqual([404, expect.stringContaining('UNKNOWN_COLLECTION')])
  expect((await list(of(microblog.id, 'posts')))[0]).toBe(200)
  // The hashed name of a private collection, and an app that nobody here uses: nothing can be said about them.
  expect((await list(of(microblog.id, `~${'a'.repeat(43)}`)))[0]).toBe(200)
  expect((await list(of('example.other', 'nope')))[0]).toBe(200)
  expect(await list('{bad')).toEqual([400, expect.stringContaining('double quotes')])
})

test('import brings a file in, tells bad lines by number, and is safe to repeat', async () => {
  await start()
  const file = join(home, 'posts.jsonl')
  const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ by: `u${i % 5}`, text: `post ${i}` }))
  writeFileSync(file, [...lines.slice(0, 3), 'nonsense', ...lines.slice(3)].join('\n'))
  const args = [
    'import',
    file,
    '--collection',
    'posts',
    '--user-field',
    'by',
    '--json',
    '--ids',
    join(home, 'ids.jsonl'),
  ]
  const first = onehop(args)
  expect(first.status, 'a line was refused').toBe(1)
  expect(first.json()).toMatchObject({
    users: 5,
    stored: 45,
    known: 0,
    refused: 1,
    placed: 5,
    bad: [{ line: 4 }],
  })
  expect(first.stderr).toBe('')
  const ids = readFileSync(join(home, 'ids.jsonl'), 'utf8').trim().split('\n')
  expect(ids.map((line) => (JSON.parse(line) as { user: string }).user)).toEqual([
    'u0',
    'u1',
    'u2',
    'u3',
    'u4',
  ])
  expect(onehop(args).json()).toMatchObject({ stored: 0, known: 45, refused: 1, placed: 0 })
  writeFileSync(file, `${lines.join('\n')}\n`)
  expect(onehop(args).status, 'no line refused').toBe(0)
  writeFileSync(file, 'nonsense\n')
  expect(onehop(args).status).toBe(1)
})

test('SIGTERM closes the node, and runtime.json goes with it', async () => {
  const { child } = await start()
  const runtime = join(home, '.local/state/onehop/runtime.json')
  expect(statSync(runtime).mode & 0o777).toBe(0o600)
  child.kill('SIGTERM')
  await once(child, 'close')
  expect(child.exitCode).toBe(0)
  expect(existsSync(runtime)).toBe(false)
})

test('SIGINT with a neighbour, a live query and a silent WebSocket: ends with 0, and the state opens again', async () => {
  const neighbour = await start(['--state', join(home, 'neighbour')])
  const addresses = (neighbour.ready['addresses'] as string[]).filter((address) =>
    /\/tcp\/\d+$/.test(address),
  )
  const bootstrap = addresses.map((address) => fullAddress(neighbour.ready['node'] as string, address))
  const network = ['--set', `network.bootstrap=${JSON.stringify(bootstrap)}`]
  const { child, ready } = await start(network)
  const dashboard = new URL(ready['dashboard'] as string)
  const port = Number(dashboard.port)
  const token = dashboard.hash.replace('#token=', '')
  const call = httpCaller(port, token)
  await until(async () => (await call('admin.status', {})).peers.some(({ connected }) => connected))
  const me = onehop(['init', '--user', 'Ada', '--no-recovery', '--json']).json()
  expect(onehop(['put', 'posts', '{"text":"hello"}']).status).toBe(0)

  const live = await socketClient(port, { token })
  const feed = { of: 'feed', owner: fromHex(me['identity'] as string), app: microblog.id, name: '' }
  const { frames } = live.open('live.open', feed)
  expect((await frames.next()).value).toMatchObject({ kind: 'reply' })
  const silent = await silentSocket(port)

  child.kill('SIGINT')
  await until(() => child.exitCode !== null || child.signalCode !== null, 20_000)
  expect(child.exitCode).toBe(0)
  await live.closed
  silent.destroy()
  expect((await start(network)).ready['node']).toBe(ready['node'])
  expect(onehop(['status', '--json']).json()).toMatchObject({ hostedTotal: 1, storage: { records: 2 } })
})

test('a node that was killed does not run: the next start takes over', async () => {
  const { child, ready } = await start()
  child.kill('SIGKILL')
  await once(child, 'close')
  expect(onehop(['status']).status).toBe(3)
  const second = await start()
  expect(second.ready['node']).toBe(ready['node'])
})

test('a port in use is named, with a way out', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const result = onehop(['start', '--json', '--set', `listen.http=${port}`])
  const sockets = onehop(['start', '--json', '--set', `listen.websocket=${port}`])
  taken.close()
  expect(sockets.json()).toMatchObject({
    error: {
      code: 'PORT_IN_USE',
      message: `something listens on 127.0.0.1:${port} (listen.websocket) already`,
    },
  })
  expect(result.status).toBe(1)
  expect(result.json()).toMatchObject({
    error: {
      code: 'PORT_IN_USE',
      message: `something listens on 127.0.0.1:${port} (listen.http) already`,
      help: expect.stringContaining('port'),
    },
  })
})

test('a store that another process has open is left alone, and that process named', async () => {
  const { child } = await start()
  const state = join(home, '.local/state/onehop')
  // As if the file that says where it answers had been lost.
  rmSync(join(state, 'runtime.json'))
  const result = onehop(['start', '--json', '--no-pair'])
  expect(result.status).toBe(1)
  expect(result.json()).toMatchObject({
    error: { code: 'STORE_LOCKED', message: expect.stringContaining(`process ${child.pid}`) },
  })
})

test('a state folder that cannot be written is told before anything is opened', () => {
  const file = join(home, 'a-file')
  writeFileSync(file, '')
  const result = onehop(['start', '--json', '--state', join(file, 'state')])
  expect(result.status).toBe(1)
  expect(result.json()).toMatchObject({ error: { code: 'STORE_UNWRITABLE' } })
})

test('a bad config names the setting, where it was set, and exits 1', () => {
  const flag = onehop(['start', '--set', 'listen.http=many'])
  expect(flag.status).toBe(1)
  expect(flag.stderr).toMatch(/listen\.http.*--set listen\.http=many.*\(BAD_CONFIG\)/s)
  expect(flag.stdout).toBe('')
  const file = join(home, 'config.json')
  writeFileSync(file, '{"nmae": "box"}')
  expect(onehop(['config', 'show', '--config', file]).stderr).toMatch(/nmae.*BAD_CONFIG/s)
  expect(onehop(['config', 'show', '--config', join(home, 'none.json')]).status).toBe(1)
})

test('ONEHOP_CONFIG names the config file for every command; --config is stronger; one that is missing is told', () => {
  const file = join(home, 'named.json')
  writeFileSync(file, '{"name": "named"}')
  const named = { ONEHOP_CONFIG: file }
  expect(onehop(['paths', '--json'], named).json()).toMatchObject({ config: file })
  const nameIn = (args: readonly string[], more: NodeJS.ProcessEnv) =>
    /"path":"name","value":"(.*?)","source":"(.*?)"/.exec(
      onehop(['config', 'show', '--json', ...args], more).stdout,
    )
  expect(nameIn([], named)?.slice(1)).toEqual(['named', 'file'])
  expect(onehop(['config', 'show'], named).stderr).toContain(`config file: ${file}`)
  const other = join(home, 'other.json')
  writeFileSync(other, '{"name": "other"}')
  expect(nameIn(['--config', other], named)?.[1]).toBe('other')
  expect(onehop(['config', 'show'], { ONEHOP_CONFIG: join(home, 'none.json') }).status).toBe(1)
})

test('what does not fit is told with the way out', () => {
  const said = (args: readonly string[]) => {
    const { status, stderr } = onehop(args)
    return `${status} ${stderr}`
  }
  expect(said(['config', 'show', '--set', 'listn.http=1'])).toMatch(
    /^1 .*listn\.http: there is no such setting; did you mean listen\.http\?/,
  )
  expect(said(['config', 'show', '--set', 'listen.http=70000'])).toMatch(/must be 65535 or less, not 70000/)
  expect(said(['config', 'show', '--set', 'region=Europe'])).toMatch(
    /region: must be a scope such as \/geo\/africa\/ng\/lagos, not "Europe"/,
  )
  expect(said(['config', 'show', '--set', 'listen.http'])).toMatch(/^2 .*--set NAME=VALUE/)
  expect(said(['config', 'show', '--config', join(home, 'none.json')])).toMatch(/there is no such file/)
  expect(said(['config', 'show', '--config', home])).toMatch(/it is a folder/)
  expect(said(['stop'])).toMatch(/^3 [^]*There is nothing to stop/)
  expect(said(['get', 'posts', '--limit', 'x'])).toMatch(/^2 [^]*See: onehop get --help/)
  expect(said(['get', 'posts', '--limit', '0'])).toMatch(/^2 .*takes 1 to 200[^]*See: onehop get --help/)
  expect(said(['import', join(home, 'none'), '--collection', 'posts', '--user-field', 'by'])).toMatch(
    /^1 .*there is no file/,
  )
  const file = join(home, 'a-file')
  writeFileSync(file, '')
  expect(said(['start', '--no-pair', '--state', file])).toMatch(/^1 [^]*Name a folder, not a file/)
})

test('config show tells where a setting comes from', () => {
  const file = join(home, 'config.json')
  writeFileSync(file, '{"region": "/geo/africa"}')
  const { stdout, status } = onehop(['config', 'show', '--json', '--config', file, '--set', 'name=box'])
  const settings = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { path: string })
  const of = (path: string) => settings.find((setting) => setting.path === path)
  expect(status).toBe(0)
  expect(of('region')).toEqual({ path: 'region', value: '/geo/africa', source: 'file' })
  expect(of('name')).toEqual({ path: 'name', value: 'box', source: 'flag' })
  expect(of('listen.http')).toEqual({ path: 'listen.http', value: 0, source: 'environment' })
  expect(of('store')).toEqual({ path: 'store', value: 'level', source: 'default' })
})

test.each([
  [['status'], 3],
  [['stop'], 3],
  [['pair'], 3],
  [['pair', '--days', '0'], 2],
  [['import', '/dev/null'], 2],
  [['put', 'posts', '{}'], 5],
  [['get'], 2],
  [['search', 'jazz', '--scope', 'Lagos'], 2],
  [['explain', 'jazz', '--scope', 'Lagos'], 2],
  [['frobnicate'], 2],
  [[], 2],
  [['help'], 0],
  [['put', '--help'], 0],
  [['schema', 'check', '/nowhere.json'], 1],
])('without a daemon %j exits %i', (args, code) => {
  expect(onehop(args).status).toBe(code)
})

test('with --json even errors are one JSON object on standard output, and nothing else is said', () => {
  const { stdout, stderr } = onehop(['status', '--json'])
  expect(stderr).toBe('')
  expect(stdout.split('\n')).toHaveLength(2)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'NOT_RUNNING', retryable: true } })
})

test('no escape sequences where nobody watches, NO_COLOR or not', () => {
  for (const more of [{}, { NO_COLOR: '1' }]) {
    const { stdout, stderr } = onehop(['help'], more)
    expect(stdout + stderr).not.toContain('\u001b')
    expect(onehop(['frobnicate'], more).stderr).not.toContain('\u001b')
  }
})

test('a schema with faults is told every one of them', () => {
  mkdirSync(join(home, 'app'))
  const file = join(home, 'app/schema.json')
  writeFileSync(
    file,
    '{"onehop": 1, "id": "a.b", "version": 0, "collections": {"x": {"key": "sinle", "fields": {}}}}',
  )
  const { status, stderr } = onehop(['schema', 'check', file])
  expect(status).toBe(1)
  expect(stderr).toContain('version')
  expect(stderr).toContain('collections.x.key')
})
