/** What a recovery does about groups that lived at a box that is gone. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectAdmin } from '../../client/index.ts'
import { systemRandom } from '../../client/random.ts'
import type { Context } from '../../cli/command.ts'
import { bringGroups } from '../../cli/bring-groups.ts'
import type { Daemon } from '../../cli/daemon.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { toHex } from '../../protocol/bytes.ts'
import { personAt } from '../support/circle.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'

const crypto = await loadCrypto({ random: systemRandom })
const context = {
  signal: new AbortController().signal,
  crypto: async () => crypto,
} as unknown as Context
let daemons: Daemons

beforeAll(async () => {
  daemons = await startDaemons(3, (config) => ({
    ...config,
    hosting: { ...config.hosting, offerTo: 'nobody' },
  }))
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

/** The third node, as the command line has it. */
async function fresh() {
  const { local, adminToken } = daemons.all[2]!
  const admin = connectAdmin({ address: local, token: adminToken })
  const { node } = await admin.call('admin.status', { limit: 1, brief: true })
  const daemon = { call: admin.call, runtime: { node: toHex(node) } } as unknown as Daemon
  return { admin, daemon, [Symbol.asyncDispose]: () => admin.close() }
}

async function nodeOf(index: number): Promise<string> {
  const { local, adminToken } = daemons.all[index]!
  const admin = connectAdmin({ address: local, token: adminToken })
  const { node } = await admin.call('admin.status', { limit: 1, brief: true })
  await admin.close()
  return toHex(node)
}

test('who is only a member takes no group home', async () => {
  await using ada = await personAt(daemons.all[0]!)
  await using ben = await personAt(daemons.all[1]!)
  const { id } = await ada.groups.create({
    members: [{ identity: ben.owner!, role: 'writer' }],
    label: 'Club',
    copies: 0,
  })
  await ben.groups.open(id)
  await using there = await fresh()
  const gone = new Set([await nodeOf(0)])
  const brought = await bringGroups(context, there.daemon, ben.identity!, await ben.groups.noted(), gone)
  expect(brought).toEqual({ here: [], brought: [], failed: [] })
  const { hosted } = await there.admin.call('admin.status', {})
  expect(hosted.map(({ identity }) => toHex(identity))).not.toContain(toHex(id))
})

test('what failed comes with the next run, and what came is not brought twice', async () => {
  await using ada = await personAt(daemons.all[0]!)
  const { id } = await ada.groups.create({ label: 'Lab', copies: 0 })
  await using there = await fresh()
  const gone = new Set([await nodeOf(0)])
  const noted = await ada.groups.noted()
  const cut = {
    ...there.daemon,
    call: async () => Promise.reject(new OnehopError('UNREACHABLE', 'cut')),
  } as unknown as Daemon
  await expect(bringGroups(context, cut, ada.identity!, noted, gone)).rejects.toMatchObject({
    code: 'UNREACHABLE',
  })

  // Hosted, and then cut off before anybody signed where it lives.
  const half = {
    ...there.daemon,
    call: (async (name: string, ...rest: readonly unknown[]) => {
      if (name === 'placement.propose') throw new OnehopError('UNREACHABLE', 'cut')
      return (there.admin.call as (...call: readonly unknown[]) => Promise<unknown>)(name, ...rest)
    }) as Daemon['call'],
  } as Daemon
  const first = await bringGroups(context, half, ada.identity!, noted, gone)
  expect([first.here, first.failed.map(({ error }) => error.message)]).toEqual([[], ['cut']])
  const second = await bringGroups(context, there.daemon, ada.identity!, noted, gone)
  expect(second).toEqual({ here: [id], brought: [id], failed: [] })
  const third = await bringGroups(context, there.daemon, ada.identity!, noted, gone)
  expect(third).toEqual({ here: [id], brought: [], failed: [] })
})

test('groups that a stolen device noted and that nobody has are not all looked for', async () => {
  await using ada = await personAt(daemons.all[0]!)
  await using there = await fresh()
  let count = 0
  const call = (async (name: string) => {
    if (name === 'identity.groups') return { groups: [] }
    count++
    throw new OnehopError('NOT_FOUND', 'nobody asked knows')
  }) as unknown as Daemon['call']
  const noted = Array.from({ length: 1_000 }, () => ({ group: crypto.random(32), label: '' }))
  const brought = await bringGroups(context, { ...there.daemon, call }, ada.identity!, noted, new Set())
  expect([brought.here, brought.failed.length]).toEqual([[], 1_000])
  expect(count).toBeLessThan(50)
})
