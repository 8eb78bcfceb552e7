import { describe, expect, test } from 'vitest'
import { nextTurn, systemClock } from '../../daemon/clock.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { Identities } from '../../daemon/identities.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
} from '../../protocol/identity/make.ts'
import { addMember, createGroup, removeMember } from '../../protocol/identity/make-group.ts'
import type { IdentityState, MemberRole, People } from '../../protocol/identity/types.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createPerson, longLogged, type Person } from '../support/people.ts'

async function home() {
  const plain = await loadCrypto({ random: createSeededRandom(12) })
  const verified = { count: 0 }
  const crypto: CryptoProvider = {
    ...plain,
    verifyStrict(...args) {
      verified.count++
      return plain.verifyStrict(...args)
    },
  }
  const store = await openStore(new MemoryKv(), { clock: systemClock })
  return { crypto, verified, store, identities: new Identities(store, crypto, systemClock) }
}

function founded(
  crypto: CryptoProvider,
  by: Person,
  members: readonly Person[],
  role: MemberRole = 'reader',
) {
  const people: People = (id) => [by, ...members].find(({ state }) => toHex(state.id) === toHex(id))?.state
  const named = members.map(({ state }) => ({ identity: state.id, role }))
  return createGroup(crypto, { person: by.state, device: by.device }, named, { people, isSealed: false })
    .state
}

function withDevice(crypto: CryptoProvider, { state, device }: Person) {
  const keys = deviceFromSeed(crypto, crypto.random(32))
  const possession = provePossession(crypto, state.id, keys)
  const entry = addDevice(crypto, state, device, ownerAdmission(keys, false), possession, {
    readsPrivate: true,
  })
  return { entry, device: keys, state: append(crypto, state, [entry]) }
}

const logOf = ({ entries }: IdentityState): Uint8Array => encodeLog(entries)

test('a log that a thief filled takes what its owner says, and no more of what loses', async () => {
  const { crypto, identities } = await home()
  const ada = createPerson(crypto)
  const { state, device: stolen } = withDevice(crypto, ada)
  const states = [state]
  try {
    for (;;) {
      const last = states.at(-1) as IdentityState
      const { entry } = rotate(crypto, last, stolen, deviceFromSeed(crypto, crypto.random(32)))
      states.push(append(crypto, last, [entry]))
    }
  } catch (error) {
    expect(error).toMatchObject({ code: 'TOO_LARGE' })
  }
  const full = states.at(-1) as IdentityState
  // By way of another node: here a day's changes would not be as many.
  await identities.accept(undefined, logOf(full))
  const shutOut = revokeDevice(crypto, state, ada.device, stolen.key, []).entry
  await expect(identities.accept(state.id, encodeLog([shutOut]), { isFirst: true })).resolves.toMatchObject({
    added: 1,
  })
  const said = () => {
    const { devices, recovery } = identities.get(state.id) as IdentityState
    return { by: devices.get(toHex(stolen.key))?.revoked?.by, recovery }
  }
  expect(said()).toEqual({ by: ada.device.key, recovery: undefined })

  // What lost stays as long as it fits. From a device more of it is refused; from a node it makes all of that go.
  const before = identities.log(state.id)
  expect(before?.length).toBeGreaterThan(logOf(state).length * 10)
  const late = encodeLog([rotate(crypto, state, stolen, deviceFromSeed(crypto, crypto.random(32))).entry])
  await expect(identities.accept(state.id, late, { isFirst: true })).rejects.toMatchObject({
    code: 'TOO_LARGE',
  })
  expect(identities.log(state.id)).toEqual(before)
  await expect(identities.accept(state.id, late)).resolves.toMatchObject({ added: 0 })
  expect(identities.log(state.id)?.length).toBe(logOf(append(crypto, state, [shutOut])).length)
  expect(said()).toEqual({ by: ada.device.key, recovery: undefined })
})

describe("with a group's log", () => {
  test('come the people whom it names, each once, and no groups; one that is faulty is left out', async () => {
    const { crypto, identities } = await home()
    const [ada, ben, cleo, eve] = Array.from({ length: 4 }, () => createPerson(crypto)) as [
      Person,
      Person,
      Person,
      Person,
    ]
    const other = founded(crypto, eve, [])
    // A group may name another, whatever good that is.
    const asMember = { device: ada.device, state: { ...ada.state, id: other.id } }
    const group = founded(crypto, ada, [ben, cleo, asMember])
    const damaged = logOf(cleo.state)
    damaged[damaged.length - 1] = (damaged[damaged.length - 1] as number) ^ 1
    const people = [eve.state, other, ada.state, ben.state, ben.state].map(logOf)
    await identities.accept(undefined, logOf(group), { people: [...people, damaged] })
    expect([ada.state, ben.state, group].map(({ id }) => identities.isKept(id))).toEqual([true, true, true])
    expect([cleo.state, eve.state, other].map(({ id }) => identities.isKept(id))).toEqual([
      false,
      false,
      false,
    ])
    expect(identities.people(group.id)).toEqual([ada.state, ben.state].map(logOf))
  })

  test('a refusal keeps nobody', async () => {
    const { crypto, identities } = await home()
    const [ada, ben] = [createPerson(crypto), createPerson(crypto)]
    const group = founded(crypto, ada, [ben])
    const people = [ada.state, ben.state].map(logOf)
    const allow = (): void => {
      throw new OnehopError('FORBIDDEN', 'not here')
    }
    await expect(identities.accept(undefined, logOf(group), { people, allow })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    await expect(identities.accept(ben.state.id, logOf(group), { people })).rejects.toThrow()
    await expect(
      identities.accept(undefined, logOf(group), { people: [logOf(ben.state)] }),
    ).rejects.toMatchObject({ code: 'UNKNOWN_IDENTITY' })
    for (const { id } of [group, ada.state, ben.state]) expect(identities.isKept(id)).toBe(false)
  })

  test("a person's log takes no people along", async () => {
    const { crypto, identities } = await home()
    const [ada, ben] = [createPerson(crypto), createPerson(crypto)]
    await identities.accept(undefined, logOf(ada.state), { people: [logOf(ben.state)] })
    expect(identities.isKept(ben.state.id)).toBe(false)
  })

  test('what a member did in between comes along, though the log of the group is as it was', async () => {
    const { crypto, identities } = await home()
    const [ada, ben] = [createPerson(crypto), createPerson(crypto)]
    const group = founded(crypto, ada, [ben])
    await identities.accept(undefined, logOf(group), { people: [ada.state, ben.state].map(logOf) })
    const grown = withDevice(crypto, ben)
    const { added } = await identities.accept(undefined, logOf(group), { people: [logOf(grown.state)] })
    expect(added).toBe(0)
    expect(identities.get(ben.state.id)?.devices.size).toBe(2)
  })

  test('its author comes in newest: an entry by a device that was revoked comes to nothing', async () => {
    const { crypto, identities } = await home()
    const [ada, ben] = [createPerson(crypto), createPerson(crypto)]
    const group = founded(crypto, ada, [])
    await identities.accept(undefined, logOf(group), { people: [logOf(ada.state)] })
    const stolen = withDevice(crypto, ada)
    const thief = { person: stolen.state, device: stolen.device }
    const people: People = (id) => (toHex(id) === toHex(ben.state.id) ? ben.state : stolen.state)
    const admits = addMember(crypto, group, thief, { identity: ben.state.id, role: 'writer' }, { people })
    const { entry } = revokeDevice(crypto, stolen.state, ada.device, stolen.device.key, [])
    const revoked = append(crypto, stolen.state, [entry])
    await expect(
      identities.accept(group.id, encodeLog([admits]), { people: [logOf(revoked)], isFirst: true }),
    ).rejects.toMatchObject({ code: 'BAD_IDENTITY' })
    expect(identities.get(ada.state.id)?.devices.size).toBe(1)
  })
})

describe('somebody who is looked up', () => {
  test('is known and not on the disk, until they are to be kept', async () => {
    const { crypto, identities } = await home()
    const [ada, ben] = [createPerson(crypto), createPerson(crypto)]
    const group = founded(crypto, ada, [ben])
    await identities.visit(group.id, logOf(group), [ada.state, ben.state].map(logOf))
    const all = [group, ada.state, ben.state]
    for (const { id } of all) expect([identities.get(id)?.id, identities.isKept(id)]).toEqual([id, false])
    expect(identities.log(group.id)).toEqual(logOf(group))
    expect(identities.people(group.id)).toEqual([ada.state, ben.state].map(logOf))
    const kept: string[] = []
    identities.onKept(async (id) => void kept.push(toHex(id)))
    await identities.keep(group.id)
    for (const { id } of all) expect(identities.isKept(id)).toBe(true)
    expect(kept.toSorted()).toEqual(all.map(({ id }) => toHex(id)).toSorted())
  })

  test('and then brings one entry by themselves is kept with everything before it', async () => {
    const { crypto, identities } = await home()
    const ada = createPerson(crypto)
    await identities.visit(undefined, logOf(ada.state))
    const { entry, state } = withDevice(crypto, ada)
    expect((await identities.accept(ada.state.id, encodeLog([entry]))).added).toBe(2)
    expect(identities.log(ada.state.id)).toEqual(logOf(state))
    expect(identities.isKept(ada.state.id)).toBe(true)
  })

  test('and is kept already grows on the disk', async () => {
    const { crypto, identities, store } = await home()
    const ada = createPerson(crypto)
    await identities.accept(undefined, logOf(ada.state))
    const { state } = withDevice(crypto, ada)
    await identities.visit(undefined, logOf(state))
    expect(store.documents.get('identity', ada.state.id)).toEqual(logOf(state))
  })

  test('is forgotten in time, and a group that was read by their log stays readable', async () => {
    const { crypto, identities } = await home()
    const [ada, ben] = [createPerson(crypto), createPerson(crypto)]
    const people: People = (id) => (toHex(id) === toHex(ben.state.id) ? ben.state : ada.state)
    const signer = { person: ben.state, device: ben.device }
    const empty = founded(crypto, ada, [ben], 'owner')
    const group = append(
      crypto,
      empty,
      [removeMember(crypto, empty, signer, ada.state.id, { numbers: [], people }).entry],
      people,
    )
    await identities.accept(undefined, logOf(ben.state))
    await identities.visit(group.id, logOf(group), [logOf(ada.state)])
    const first = createPerson(crypto)
    await identities.visit(undefined, logOf(first.state))
    // Eight megabytes' worth. The group is asked for all the time, its founder never.
    for (let i = 0; i < 160; i++) {
      const log = logOf(longLogged(crypto))
      expect(log.length).toBeGreaterThan(50 * 1024)
      await identities.visit(undefined, log)
      expect(identities.log(group.id)).toEqual(logOf(group))
    }
    expect(identities.get(first.state.id)).toBeUndefined()
    expect(identities.get(ada.state.id)).toBeUndefined()
    expect([...(identities.get(group.id)?.members.keys() ?? [])]).toEqual([toHex(ben.state.id)])
    // Another of its authors changes what it says.
    const { device, state } = withDevice(crypto, ben)
    const { entry } = revokeDevice(crypto, state, device, ben.device.key, [])
    await identities.accept(undefined, logOf(append(crypto, state, [entry])))
    expect(identities.get(group.id)?.members.size).toBe(2)
  })
})

describe('when a log grows', () => {
  test('only groups whose shard is here are told, and others have their turn in between', async () => {
    const { crypto, identities, store } = await home()
    const [ada, eve] = [createPerson(crypto), createPerson(crypto)]
    const here = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const group = founded(crypto, eve, [ada])
      await identities.accept(undefined, logOf(group), { people: [eve.state, ada.state].map(logOf) })
      if (i % 2 === 1) continue
      here.add(toHex(group.id))
      await store.shards.setStatus(group.id, i % 4 === 0 ? 'hosted' : 'partial')
    }
    const told: string[] = []
    const turns: number[] = []
    let turn = 0
    identities.onGrown(({ id }) => {
      told.push(toHex(id))
      turns.push(turn)
    })
    const { entry } = withDevice(crypto, ada)
    let isDone = false
    const growing = identities.accept(ada.state.id, encodeLog([entry])).finally(() => (isDone = true))
    while (!isDone) {
      await nextTurn()
      turn++
    }
    await growing
    expect(told[0]).toBe(toHex(ada.state.id))
    expect(new Set(told.slice(1))).toEqual(here)
    expect(told).toHaveLength(here.size + 1)
    // No two groups in one turn.
    expect(new Set(turns.slice(1)).size).toBe(here.size)
  })

  test('members of groups are those of groups whose shard is here', async () => {
    const { crypto, identities, store } = await home()
    const [ada, eve] = [createPerson(crypto), createPerson(crypto)]
    const group = founded(crypto, eve, [ada])
    await identities.accept(undefined, logOf(group), { people: [eve.state, ada.state].map(logOf) })
    expect(identities.isNamed(ada.state.id)).toBe(false)
    await store.shards.setStatus(group.id, 'hosted')
    expect(identities.isNamed(ada.state.id)).toBe(true)
    expect(identities.isNamed(group.id)).toBe(false)
  })

  test('a group is read anew without a look at the signatures of its own log', async () => {
    const { crypto, identities, verified } = await home()
    const ada = createPerson(crypto)
    let group = founded(crypto, ada, [])
    const people: People = (id) => (toHex(id) === toHex(ada.state.id) ? ada.state : undefined)
    const ben = createPerson(crypto)
    const withBen: People = (id) => (toHex(id) === toHex(ben.state.id) ? ben.state : people(id))
    const member = { identity: ben.state.id, role: 'writer' } as const
    const signer = { person: ada.state, device: ada.device }
    group = append(crypto, group, [addMember(crypto, group, signer, member, { people: withBen })], people)
    await identities.accept(undefined, logOf(group), { people: [logOf(ada.state)] })
    const { entry, device, state } = withDevice(crypto, ada)
    verified.count = 0
    await identities.accept(ada.state.id, encodeLog([entry]))
    // The new entry's own, and the new device's.
    expect(verified.count).toBe(2)
    const revokes = revokeDevice(crypto, state, device, ada.device.key, [])
    await identities.accept(ada.state.id, encodeLog([revokes.entry]))
    verified.count = 0
    // Without what the revoked device signed, save that it founded the group.
    expect([...(identities.get(group.id)?.members.keys() ?? [])]).toEqual([toHex(ada.state.id)])
    expect(identities.get(group.id)?.dropped.size).toBe(1)
    expect(verified.count).toBe(0)
  })
})
