/** A box whose database was damaged: it says so, starts again, and has from the others what it lost. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { keyOf, namePart, tags } from '../../storage/keys.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import type { KvEntry } from '../../storage/kv.ts'
import { Box } from '../crash/box.ts'
import { moveIn } from '../crash/crashes.ts'
import { createSimPerson, type Writer } from '../sim/writer.ts'
import { commandEnv } from '../support/command-env.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const posts = 40
const folder = mkdtempSync(join(tmpdir(), 'onehop-damaged-'))
let home: Box
let other: Box

function verify(box: Pick<Box, 'state'>, ...args: readonly string[]) {
  const command = [bin, 'verify', '--state', box.state, ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    env: { ...commandEnv, HOME: folder },
  })
  return { status, said: stdout + stderr, json: () => JSON.parse(stdout) as Record<string, unknown> }
}

async function recordsAt(box: Box): Promise<number> {
  const { hosted } = await box.call('admin.status', {})
  return hosted[0]?.records ?? 0
}

const level = (box: Box): string => join(box.state, 'store', 'level')
const filesOf = (box: Box, end: string): string[] =>
  readdirSync(level(box))
    .filter((file) => file.endsWith(end))
    .map((file) => join(level(box), file))

/** Every so many bytes of a file another one, as a worn card would. */
function damage(file: string, every: number): void {
  const bytes = readFileSync(file)
  for (let at = Math.floor(every / 2); at < bytes.length; at += every)
    bytes[at] = (bytes[at] as number) ^ 0xff
  writeFileSync(file, bytes)
}

beforeAll(async () => {
  expect(statSync(bin).isFile(), 'npm run build comes first').toBe(true)
  const crypto = await loadCrypto()
  home = await Box.make(folder, 0)
  await home.start()
  other = await Box.make(folder, 1, home)
  await other.start()
  await until(async () => (await home.call('admin.status', {})).peers.some((peer) => peer.connected), 30_000)
  const person = createSimPerson(crypto)
  await moveIn(home, person, 1)
  const [writer] = person.writers as [Writer]
  const records = Array.from(
    { length: posts },
    (_, i) => writer.sign('posts', new Uint8Array(0), 'put', { text: `post ${i}` }, Date.now()).bytes,
  )
  await home.call('record.put', { records })
  await until(async () => (await recordsAt(other)) === posts, 30_000)
}, 120_000)

afterAll(async () => {
  for (const box of [home, other]) await box?.end('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
})

test('while the node runs it is not looked at; stopped and well, it is told so', async () => {
  const running = verify(other)
  expect([running.status, running.said]).toEqual([1, expect.stringContaining('STORE_LOCKED')])
  await other.end('SIGTERM')
  const nowhere = verify({ state: join(folder, 'nowhere') })
  expect([nowhere.status, nowhere.said]).toEqual([1, expect.stringContaining('NOT_FOUND')])
  const well = verify(other)
  expect([well.status, well.said]).toEqual([
    0,
    expect.stringMatching(/Checked 40 records .*\nAll is well\./s),
  ])
}, 60_000)

test('a database that cannot be opened is kept, mended and said; what it lost comes back', async () => {
  for (const file of filesOf(other, '').filter((each) => /MANIFEST/.test(each))) rmSync(file)
  expect(verify(other, '--look-only').said).toContain('STORE_CORRUPT')
  await other.start()
  const { problems, healthy } = await other.call('admin.status', {})
  expect(healthy).toBe(true)
  const told = problems.find(({ code }) => code === 'STORE_MENDED')
  const kept = readdirSync(join(other.state, 'quarantine'))
    .filter((name) => name.startsWith('store-'))
    .toSorted()
    .at(-1)
  expect(told?.message).toContain(kept)
  await until(async () => (await recordsAt(other)) === posts, 60_000)
}, 120_000)

test('what a worn card changed is found and put in order, whatever it hit, and the node starts', async () => {
  await other.end('SIGTERM')
  for (const file of [...filesOf(other, '.log'), ...filesOf(other, '.ldb')]) damage(file, 3_000)
  const looked = verify(other, '--look-only', '--json')
  // Damage that LevelDB itself refuses is for the next to mend.
  expect([4, 1]).toContain(looked.status)
  const mended = verify(other, '--json')
  expect(mended.status, mended.said).toBe(0)
  expect(mended.json()).toMatchObject({ healthy: false })
  expect(verify(other, '--json').json()).toMatchObject({ healthy: true })
  await other.start()
  expect((await other.call('admin.status', {})).healthy).toBe(true)
  await until(async () => (await recordsAt(other)) === posts, 60_000)
}, 120_000)

test('one byte of the log that changed, and the box only starts: it says so, and has all of it again', async () => {
  await other.end('SIGTERM')
  const [log] = filesOf(other, '.log')
  const bytes = readFileSync(log as string)
  bytes[Math.floor(bytes.length / 3)] = (bytes[Math.floor(bytes.length / 3)] as number) ^ 1
  writeFileSync(log as string, bytes)
  await other.start()
  const { problems, healthy } = await other.call('admin.status', {})
  expect([healthy, problems.some(({ code }) => code === 'STORE_MENDED')]).toEqual([true, true])
  await until(async () => (await recordsAt(other)) === posts, 60_000)
  await other.end('SIGTERM')
  expect(verify(other, '--json').json()).toMatchObject({ healthy: true, records: posts })
}, 120_000)

test('an identity, a replica set and a lease that nobody signed so are taken out, and agreed on anew', async () => {
  const kv = await openLevelKv(join(other.state, 'store'), { clock: systemClock })
  for (const kind of ['identity', 'replica-set', 'lease-granted']) {
    const prefix = keyOf(tags.document, namePart(kind)).slice()
    const [entry] = await kv.range({ gte: prefix, limit: 1 })
    const { key, value } = entry as KvEntry
    value[value.length - 3] = (value[value.length - 3] as number) ^ 1
    await kv.batch([{ type: 'put', key, value }])
  }
  await kv.close()
  const what = 'identities, replica sets, leases and pacts that nobody signed so'
  const looked = verify(other, '--look-only', '--json')
  expect([looked.status, looked.json()]).toEqual([
    4,
    expect.objectContaining({ faults: { [what]: 3 }, quarantined: 0 }),
  ])
  expect(verify(other, '--json').json()).toMatchObject({ faults: { [what]: 3 }, quarantined: 3 })
  expect(verify(other, '--json').json()).toMatchObject({ healthy: true })
  await other.start()
  await until(async () => {
    const { hosted } = await other.call('admin.status', {})
    return hosted[0]?.records === posts && hosted[0].copies === 2
  }, 60_000)
}, 120_000)
