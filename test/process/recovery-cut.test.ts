/** `onehop recover`, killed at each of its steps and run again: the real command, real nodes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  connect,
  connectAdmin,
  makeIdentity,
  makeRecovery,
  memoryKeyStore,
  microblog,
  openIdentity,
} from '../../client/index.ts'
import { systemRandom } from '../../client/random.ts'
import { cliDevicePath, fileKeyStore } from '../../cli/key-store.ts'
import { systemClock } from '../../daemon/clock.ts'
import type { Daemon } from '../../daemon/start.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { decodeLog } from '../../protocol/identity/entry.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { openDoor, type Cut, type Door } from '../support/cut-command.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'

const crypto = portableCrypto((length) => systemRandom.bytes(length))
const folder = mkdtempSync(join(tmpdir(), 'onehop-cut-'))
const holders = [0, 1]
const burnt = 2
const fresh = 3
/** So many people more lose everything, and each is cut off at calls that are drawn: ONEHOP_CUTS=20. */
const drawn = Number(process.env['ONEHOP_CUTS'] ?? 0)
const cutsEach = 3

let daemons: Daemons
let door: Door
let una: Person
let ada: Person
let eve: Person
let fay: Person
const others: Person[] = []

const at = (index: number): Daemon => daemons.all[index] as Daemon
const data = ({ home }: Person): string => join(home, '.local/share')
const admin = (index: number) => connectAdmin({ address: at(index).local, token: at(index).adminToken })

/** Somebody with a phone and words who lives at the box that is to burn, with a group of their own. */
async function person(name: string) {
  const { words, keys: recovery } = makeRecovery(crypto)
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys, crypto, recovery })
  const home = admin(burnt)
  const { node, box, possession } = await home.call('admin.prove', { identity: identity.id })
  await identity.admit({ key: node, boxKey: box, possession, role: 'node' })
  await home.call('admin.host.add', { hosts: [{ log: identity.log() }] })
  await home.close()
  await using app = await connect({ schema: microblog, keys, crypto, node: at(burnt).local, identity })
  await app.place({ copies: 2 })
  for (const text of ['one', 'two']) await app.collection('posts').put({ text })
  await (
    await app.collection('notes').put({ text: 'for me alone' })
  ).durable
  const { id: group } = await app.groups.create({ label: 'Lab', copies: 2 })
  await (
    await app.collection('posts').put({ text: 'in the lab' }, { owner: group })
  ).durable
  const paper = join(folder, `${name}.txt`)
  writeFileSync(paper, words.join(' '))
  return { name, home: join(folder, name), paper, id: toHex(identity.id), group: toHex(group), identity }
}
type Person = Awaited<ReturnType<typeof person>>

beforeAll(async () => {
  daemons = await startDaemons(4, (config, index) => ({
    ...config,
    hosting: { ...config.hosting, offerTo: holders.includes(index) ? 'anyone' : 'nobody' },
  }))
  una = await person('una')
  ada = await person('ada')
  eve = await person('eve')
  fay = await person('fay')
  for (let i = 0; i < drawn; i++) others.push(await person(`drawn-${i}`))
  const here = admin(fresh)
  for (const { identity } of [eve, fay]) await here.call('replica-set.get', { owner: identity.id })
  await here.close()
  await daemons.stop(burnt)
  door = await openDoor(at(fresh), daemons.configs[fresh]?.state ?? '', join(folder, 'state'))
})

afterEach(() => deaf(false))

afterAll(async () => {
  await door[Symbol.asyncDispose]()
  await daemons[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

interface Run {
  readonly cut?: Cut
  readonly within?: readonly string[]
  readonly args?: readonly string[]
}

const recover = ({ home, paper, id }: Person, { args = ['--lost', 'all'], ...run }: Run = {}) =>
  door.run(home, ['recover', '--words-file', paper, '--identity', id, '--json', ...args], run)

/** What came of it, in terms that are the same for everybody. */
async function outcome(one: Person) {
  const ran = await recover(one)
  expect(ran.status, ran.said).toBe(0)
  const said = ran.json()
  const keys = fileKeyStore(cliDevicePath({ HOME: one.home, XDG_DATA_HOME: data(one) }), systemClock)
  const identity = await openIdentity({ keys, crypto })
  const live = [...(identity?.state.devices.values() ?? [])].filter(({ revoked }) => revoked === undefined)
  const here = admin(fresh)
  const { hosted } = await here.call('admin.status', {})
  const shard = async (hex: string) => {
    const owner = fromHex(hex, 32) as Uint8Array
    const { log } = await here.call('identity.get', { identity: owner })
    const { newest } = unpackChain(crypto, (await here.call('replica-set.get', { owner })).replicaSet)
    const seats = newest.members.map(({ node }) =>
      daemons.all.findIndex((other) => other.node.id === toHex(node)),
    )
    return {
      entries: decodeLog(crypto, log).map(({ body }) => body.kind),
      epoch: newest.epoch,
      seats: seats.toSorted((a, b) => a - b),
      records: hosted.find(({ identity: id }) => toHex(id) === hex)?.records,
    }
  }
  const shards = [await shard(one.id), await shard(one.group)]
  await here.close()
  await using app = await connect({ schema: microblog, keys, crypto, node: at(fresh).local })
  const [posts, notes] = [app.collection('posts'), app.collection('notes')]
  const found = [posts.latest(9), notes.latest(9), posts.latest(9, { owner: one.group })]
  const texts = (await Promise.all(found)).map((items) => items.map(({ value }) => value.text))
  return {
    whole: said['whole'],
    records: said['records'],
    unbrought: said['unbrought'],
    isMine: said['identity'] === one.id,
    live: live.map(({ key, role }) => [
      role,
      toHex(key) === (role === 'node' ? at(fresh).node.id : said['device']),
    ]),
    shards,
    texts,
    files: readdirSync(join(data(one), 'onehop')),
  }
}

/** Those who have the records speak with the new node no more, or again. */
async function deaf(isDeaf: boolean): Promise<void> {
  for (const index of holders) {
    const holder = admin(index)
    await holder.denySet(isDeaf ? [at(fresh).node.id] : [])
    await holder.close()
  }
}

const steps: readonly Cut[] = [
  // The key and the log that admits it are written.
  { call: 'admin.prove', when: 'before' },
  { call: 'admin.host.add', when: 'after' },
  { call: 'placement.propose', when: 'after' },
  { call: 'placement.commit', when: 'after' },
  // Records are on their way.
  { call: 'admin.status', when: 'after' },
  { call: 'identity.host', when: 'after' },
  { call: 'placement.commit', when: 'before' },
  { call: 'placement.commit', when: 'after' },
  // The revocations are written, and nobody else knows.
  { call: 'identity.append', past: 'record.shards', when: 'before' },
  { call: 'identity.append', past: 'identity.groups', when: 'before' },
  { call: 'admin.deny.add', when: 'after' },
]

let whole: Awaited<ReturnType<typeof outcome>>

test('uninterrupted', async () => {
  whole = await outcome(una)
  expect(whole).toEqual({
    ...{ whole: true, records: 4, unbrought: [], isMine: true },
    live: [
      ['owner', true],
      ['node', true],
    ],
    shards: [
      {
        entries: ['genesisPerson', ...Array<string>(3).fill('addDevice'), 'revokeDevice', 'revokeDevice'],
        ...{ epoch: 2, seats: [...holders, fresh], records: 4 },
      },
      { entries: ['genesisGroup', 'epoch'], epoch: 2, seats: [...holders, fresh], records: 1 },
    ],
    texts: [['two', 'one'], ['for me alone'], ['in the lab']],
    files: ['cli-device.json'],
  })
})

test('killed at each of its steps, and run again', async () => {
  for (const cut of steps) {
    const { status, said } = await recover(ada, { cut })
    expect(status, `${JSON.stringify(cut)} ${said}`).toBe(null)
  }
  expect(await outcome(ada)).toEqual(whole)
})

test('where nobody who has the records answers, it waits, says so, and shuts nobody out', async () => {
  await deaf(true)
  const first = await recover(eve, { args: ['--lost', 'all', '--wait', '1'] })
  expect([first.status, first.json()['error']], first.said).toEqual([
    1,
    expect.objectContaining({ code: 'UNREACHABLE', help: expect.stringContaining('--start-empty') }),
  ])
  const here = admin(fresh)
  const { log } = await here.call('identity.get', { identity: eve.identity.id })
  await here.close()
  expect(decodeLog(crypto, log).map(({ body }) => body.kind)).not.toContain('revokeDevice')
  const second = outcome(eve)
  await setTimeout(1_500)
  await deaf(false)
  expect(await second).toEqual(whole)
})

test('other words leave a home of somebody as it is', async () => {
  const file = cliDevicePath({ XDG_DATA_HOME: data(una) })
  const before = readFileSync(file, 'utf8')
  const { status, said, json } = await recover({ ...ada, home: una.home })
  expect([status, json()['error']], said).toEqual([1, expect.objectContaining({ code: 'STALE' })])
  expect(readFileSync(file, 'utf8')).toBe(before)
})

test('without room on the disk nothing is joined; without those who had the records, where they are given up', async () => {
  const full = await recover(fay, { within: ['sh', '-c', 'ulimit -f 0; exec "$@"', 'sh'] })
  expect([full.status, full.json()['error']], full.said).toEqual([
    1,
    expect.objectContaining({ code: 'STORE_UNWRITABLE' }),
  ])
  expect(full.calls).not.toContain('admin.host.add')
  await deaf(true)
  const { status, said, json } = await recover(fay, { args: ['--start-empty'] })
  expect([status, json()], said).toMatchObject([0, { records: 0, whole: true }])
  expect(readdirSync(join(data(fay), 'onehop'))).toEqual(['cli-device.json'])
})

test.skipIf(drawn === 0)('killed wherever it may be, and run again', async () => {
  for (const one of others) {
    const cuts: Cut[] = Array.from({ length: cutsEach }, () => {
      const [number = 0, side = 0] = crypto.random(2)
      return { call: 1 + (number % 45), when: side % 2 === 0 ? 'before' : 'after' }
    })
    for (const cut of cuts) await recover(one, { cut })
    expect(await outcome(one), JSON.stringify(cuts)).toEqual(whole)
  }
})
