import { expect, it } from 'vitest'
import { requireGroups } from '../../client/identity/revocation.ts'
import { nameWritten, type GroupsOfPerson } from '../../client/identity/written.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Transport } from '../../client/transport.ts'
import { limits } from '../../protocol/limits.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { seededCrypto } from '../support/people.ts'

const owner = new Uint8Array(32).fill(1)
const device = new Uint8Array(32).fill(2)

/** By a device that dated its records so, in milliseconds. */
async function named(dates: readonly number[], since?: number) {
  const numbers = dates.map((ms, i) => ({
    number: i + 1,
    id: new Uint8Array(32).fill(i),
    clock: clockOf(ms),
  }))
  const answers = {
    'record.shards': { shards: [{ owner, held: true, lastEntry: null }], more: false },
    'record.numbers': { numbers, more: false },
  }
  const call = (async (name: keyof typeof answers) => answers[name]) as unknown as Transport['call']
  const found = await nameWritten({ transport: { call }, owner, device, crypto: seededCrypto(3), since })
  return [found.records, found.left, found.numbers[0]?.lastNumber]
}

it('names all, or what was dated before and nothing numbered after that', async () => {
  expect(await named([10, 20, 30])).toEqual([3, 0, 3])
  expect(await named([10, 20, 30], 40)).toEqual([3, 0, 3])
  expect(await named([10, 20, 30], 20)).toEqual([1, 2, 1])
  expect(await named([10, 20, 30], 5)).toEqual([0, 3, 0])
})

const here = new Uint8Array(32).fill(4)
const group = new Uint8Array(32).fill(5)
const entry = new Uint8Array(32).fill(6)

/** The node has heard of one group that it does not hold; the person knows of another. */
function asked(
  writtenBy: GroupsOfPerson['writtenBy'],
  noted: GroupsOfPerson['noted'] = async () => [{ group, label: '' }],
) {
  const shards = [
    { owner, held: true, lastEntry: null },
    { owner: here, held: false, lastEntry: null },
  ]
  const answers = {
    'record.shards': { shards, more: false },
    'record.numbers': { numbers: [], more: false },
  }
  const call = (async (name: keyof typeof answers) => answers[name]) as unknown as Transport['call']
  const groups = { noted, writtenBy, renewAll: async () => [] }
  return nameWritten({ transport: { call }, owner, device, crypto: seededCrypto(3), groups })
}

it('names what stands in groups wherever they live, and says which could not be asked', async () => {
  const list = [{ number: 7, id: entry, clock: clockOf(1) }]
  const all = await asked(async () => ({ list, lastEntry: entry }))
  expect(all.numbers.map((one) => [one.owner, one.lastNumber, one.lastEntry])).toEqual([
    [owner, 0, undefined],
    [group, 7, entry],
    [here, 7, entry],
  ])
  expect(() => requireGroups(all)).not.toThrow()
  // Where nothing was done, and where they are a member no more, nothing is named.
  expect((await asked(async () => ({ list: [], lastEntry: undefined }))).numbers).toHaveLength(1)
  expect(await asked(async () => undefined)).toMatchObject({ numbers: [{ owner }], unheld: [] })
  // Only what a node refuses or does not answer is left out; a fault of ours is not.
  const away = new OnehopError('UNREACHABLE', 'nobody answers')
  const cut = await asked(async () => Promise.reject(away))
  expect(cut).toMatchObject({
    numbers: [{ owner }],
    unheld: [
      { group, isOwn: true },
      { group: here, error: away, isOwn: false },
    ],
  })
  // Whoever puts somebody into groups that nobody can reach does not keep them from shutting a thief out.
  expect(() => requireGroups({ ...cut, unheld: cut.unheld.slice(1) })).not.toThrow()
  expect(() => requireGroups(cut)).toThrow(
    expect.objectContaining({ code: 'LAGGING', help: expect.stringContaining('leaveGroups') }),
  )
  await expect(asked(async () => Promise.reject(new TypeError('ours')))).rejects.toThrow(TypeError)
})

it('says that the list of groups cannot be read, and goes on without it where the person insists', async () => {
  const left = new OnehopError('FORBIDDEN', 'no key to private data')
  const noted = async () => Promise.reject(left)
  const named = await asked(async () => undefined, noted)
  expect(named).toMatchObject({ numbers: [{ owner }], unheld: [], unread: left })
  expect(() => requireGroups(named)).toThrow(expect.objectContaining({ code: 'LAGGING' }))
  // Trying again, or leaving the groups, helps nobody who is shut out.
  const out = new OnehopError('REVOKED', 'this device was revoked')
  expect(() => requireGroups({ ...named, unread: out })).toThrow(out)
  const ours = asked(
    async () => undefined,
    async () => Promise.reject(new TypeError('ours')),
  )
  await expect(ours).rejects.toThrow(TypeError)
})

it('is not taken in by what a thief dates back', async () => {
  expect(await named([10, 20, 30, 15, 12], 40)).toEqual([3, 2, 3])
  expect(await named([10, 20, 50, 25], 40)).toEqual([2, 2, 2])
  // Without a time everything is named: it may be a clock that went wrong.
  expect(await named([10, 20, 15])).toEqual([3, 0, 3])
})

it('goes on after some groups that nobody has: a thief may note any number, and each takes its time', async () => {
  const made = Array.from({ length: 1_000 }, (_, i) =>
    new Uint8Array(32)
      .fill(7)
      .fill(i >> 8, 0, 1)
      .fill(i, 1, 2),
  )
  let count = 0
  const list = [{ number: 7, id: entry, clock: clockOf(1) }]
  const writtenBy: GroupsOfPerson['writtenBy'] = async (of) => {
    count++
    if (of === group || of === here) return { list, lastEntry: undefined }
    throw new OnehopError('UNKNOWN_IDENTITY', 'nobody has it')
  }
  // The person's own stands before what the thief noted; that of a stranger, which the node has heard of, is asked by itself.
  const all = await asked(writtenBy, async () => [group, ...made].map((one) => ({ group: one, label: '' })))
  expect(count).toBeLessThan(50)
  expect(all.numbers.map((one) => one.owner)).toEqual([owner, group, here])
  expect(all.unheld).toHaveLength(1_000)
  expect(() => requireGroups(all)).toThrow(
    expect.objectContaining({ code: 'LAGGING', message: expect.stringMatching(/^.{1,300}$/) }),
  )
})

it('names first what was there before a thief founded groups with the device, as many as an entry can name', async () => {
  const shards = Array.from({ length: limits.identityRevokedListsMax }, (_, i) => ({
    owner: i === 0 ? owner : new Uint8Array(32).fill(7).fill(i, 0, 1),
    held: true,
    lastEntry: i === 0 ? null : entry,
  }))
  const answers = { 'record.shards': { shards, more: true }, 'record.numbers': { numbers: [], more: false } }
  const call = (async (name: keyof typeof answers) => answers[name]) as unknown as Transport['call']
  const list = [{ number: 7, id: entry, clock: clockOf(1) }]
  const groups: GroupsOfPerson = {
    noted: async () => [{ group, label: '' }],
    writtenBy: async () => ({ list, lastEntry: undefined }),
    renewAll: async () => [],
  }
  const found = await nameWritten({ transport: { call }, owner, device, crypto: seededCrypto(3), groups })
  expect(found).toMatchObject({ isCut: true, numbers: { length: limits.identityRevokedListsMax } })
  expect(found.numbers.slice(0, 2).map((one) => one.owner)).toEqual([owner, group])
})
