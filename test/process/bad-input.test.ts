import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { systemRandom } from '../../daemon/random.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { httpCaller, rawRequest } from '../support/api-client.ts'
import { until } from '../support/until.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const started: ChildProcess[] = []
let home: string
let crypto: CryptoProvider
let person: SimPerson

beforeAll(async () => {
  expect(existsSync(bin), 'npm run build comes first').toBe(true)
  crypto = await loadCrypto({ random: systemRandom })
})

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'onehop-bad-input-'))
  person = createSimPerson(crypto)
})

afterEach(async () => {
  for (const child of started.splice(0)) await kill(child)
  spawnSync('umount', [join(home, 'disk')], { stdio: 'ignore' })
  rmSync(home, { recursive: true, force: true })
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'close')
}

interface Running {
  readonly child: ChildProcess
  readonly port: number
  readonly call: ReturnType<typeof httpCaller>
}

/** A daemon of the built command, on ports of nobody's choice, that has said that it is ready. */
async function start(state: string): Promise<Running> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(XDG_|ONEHOP_|NODE_OPTIONS)/.test(name))
  const child = spawn(process.execPath, [bin, 'start', '--no-pair', '--json', '--state', state], {
    env: {
      ...Object.fromEntries(inherited),
      HOME: home,
      ONEHOP_SET_LISTEN__HOST: '127.0.0.1',
      ONEHOP_SET_LISTEN__HTTP: '0',
      ONEHOP_SET_LISTEN__TCP: '0',
      ONEHOP_SET_LISTEN__WEBSOCKET: '0',
      ONEHOP_SET_NETWORK__MDNS: 'false',
      ONEHOP_SET_LOG: 'silent',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  let text = ''
  child.stdout?.on('data', (part: Buffer) => (text += part.toString()))
  await until(() => text.includes('\n') || child.exitCode !== null, 60_000)
  const { dashboard } = JSON.parse(text) as { dashboard: string }
  const port = Number(new URL(dashboard).port)
  return { child, port, call: httpCaller(port, readFileSync(join(state, 'admin-token'), 'utf8').trim()) }
}

async function moveIn({ call }: Running): Promise<void> {
  await call('schema.put', { schema: microblog.bytes })
  await call('admin.host.add', { hosts: [{ log: person.log }] })
}

/** Writes one post; answers its number when the node says that it is stored, else the code. */
async function post({ call }: Running, number: number, text: string): Promise<number | string> {
  const [writer] = person.writers
  const written = writer?.sign('posts', new Uint8Array(0), 'put', { text }, Date.now())
  const { results } = await call('record.put', { records: [written?.bytes ?? new Uint8Array(0)] })
  return results[0]?.outcome === 'stored' ? number : (results[0]?.code ?? 'nothing')
}

async function numbersOn({ call }: Running): Promise<number[]> {
  const numbers: number[] = []
  for (let more = true; more; ) {
    const last = numbers.at(-1)
    const page = await call('record.numbers', {
      owner: person.owner,
      device: person.owning.key,
      ...(last !== undefined && { after: last }),
    })
    numbers.push(...page.numbers.map(({ number }) => number))
    more = page.more
  }
  return numbers
}

test('killed in the middle of writes, a node has everything that it acknowledged when it starts again', async () => {
  const state = join(home, 'state')
  const acknowledged = new Set<number>()
  let next = 1
  for (let cycle = 0; cycle < 3; cycle++) {
    const node = await start(state)
    if (cycle === 0) await moveIn(node)
    const writes = Array.from({ length: 400 }, async () => {
      const number = next++
      const outcome = await post(node, number, `post ${number}`).catch(() => 'cut off')
      if (outcome === number) acknowledged.add(number)
    })
    const enough = acknowledged.size + 60
    await until(() => acknowledged.size >= enough, 60_000)
    await kill(node.child)
    await Promise.all(writes)
  }
  const node = await start(state)
  const held = new Set(await numbersOn(node))
  expect([...acknowledged].filter((number) => !held.has(number))).toEqual([])
  expect(acknowledged.size).toBeGreaterThanOrEqual(180)
})

test('a full disk: writes are refused with STORE_FULL, reads go on, and space makes it well again', async (context) => {
  const disk = join(home, 'disk')
  spawnSync('mkdir', [disk])
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=72m', 'tmpfs', disk], { encoding: 'utf8' })
  if (mounted.status !== 0) {
    context.skip(`a small file system cannot be mounted here: ${mounted.stderr?.trim() || 'only root may'}`)
  }
  // Opening anew writes the log out as a table, so what comes free must hold the log once more.
  const filler = join(disk, 'filler')
  writeFileSync(filler, new Uint8Array(56 * 2 ** 20))
  const node = await start(join(disk, 'state'))
  await moveIn(node)
  const acknowledged: number[] = []
  let refusal: string | undefined
  for (let number = 1; refusal === undefined && number < 4_000; number++) {
    const outcome = await post(node, number, toHex(crypto.random(4_500))).catch(
      (error: { code: string }) => error.code,
    )
    if (typeof outcome === 'number') acknowledged.push(outcome)
    else refusal = outcome
  }
  expect(refusal).toBe('STORE_FULL')
  expect(await numbersOn(node)).toEqual(acknowledged)
  rmSync(filler)
  let last = acknowledged.length + 1 // the refused one took a number
  const again = async (): Promise<boolean> => {
    last++
    const outcome = await post(node, last, 'there is space').catch((error: { code: string }) => error.code)
    if (outcome === last) acknowledged.push(last)
    else expect(outcome).toBeOneOf(['STORE_FULL', 'BUSY']) // busy while the store is opened anew
    return outcome === last
  }
  await until(again, 60_000)
  expect(await numbersOn(node)).toEqual(acknowledged)
  await kill(node.child)
  expect(await numbersOn(await start(join(disk, 'state')))).toEqual(acknowledged)
})

const cbor = { 'content-type': 'application/cbor' }
const json = { 'content-type': 'application/json' }

const wrong = [
  ['an operation that is not there', 'record.steal', cbor, encode({}), 404, 'NOT_FOUND'],
  ['no CBOR', 'record.put', cbor, Uint8Array.of(0xff, 0xff), 400, 'BAD_MESSAGE'],
  ['no JSON', 'record.put', json, '{"records":', 400, 'BAD_MESSAGE'],
  ['a missing field', 'record.put', cbor, encode({}), 400, 'BAD_REQUEST'],
  ['a field of another type', 'record.put', json, '{"records":"all"}', 400, 'BAD_REQUEST'],
  ['a body beyond the limit', 'record.put', cbor, new Uint8Array(8 * 2 ** 20), 413, 'TOO_LARGE'],
  ['an admin operation without the token', 'admin.status', cbor, encode({}), 401, 'UNAUTHENTICATED'],
  [
    'an identity that nobody knows',
    'identity.get',
    cbor,
    encode({ identity: new Uint8Array(32) }),
    404,
    'UNKNOWN_IDENTITY',
  ],
] as const

test('over HTTP every wrong request is told what is wrong, and the node goes on', async () => {
  const node = await start(join(home, 'state'))
  for (const [name, operation, headers, body, status, code] of wrong) {
    const answer = await rawRequest({ port: node.port, path: `/api/v1/${operation}`, headers, body })
    expect(answer.status, name).toBe(status)
    expect(answer.body.toString('latin1'), name).toContain(code)
    const { hostedTotal } = (await node.call('admin.status', {})) as { hostedTotal: number }
    expect(hostedTotal, name).toBe(0)
  }
})
