import { expect, it } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import { newBoxSecret } from '../../protocol/identity/box.ts'
import { decodeLog, encodeLog, signEntry } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
} from '../../protocol/identity/make.ts'
import { addMember, changeMember, createGroup, removeMember } from '../../protocol/identity/make-group.ts'
import type {
  DeviceSecrets,
  EntryBody,
  IdentityState,
  Member,
  People,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { createCrowd, Human } from '../support/crowd.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

const random = createSeededRandom(31)
const crypto = await loadCrypto({ random })
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
const [words, first, second] = [newDevice(), newDevice(), newDevice()]
const born = createIdentity(crypto, first, { recovery: words }).state
const two = append(crypto, born, [admit(born, first, second)])

it('an honest log has so many entries and bytes and no more, and keeps them all', () => {
  let state = two
  const refused = (() => {
    for (;;) {
      const { entry } = rotate(crypto, state, first, newDevice())
      try {
        state = append(crypto, state, [entry])
      } catch (error) {
        return error
      }
    }
  })()
  expect(refused).toMatchObject({ code: 'TOO_LARGE' })
  const bytes = encodeLog(state.entries).length
  expect(bytes).toBeLessThanOrEqual(limits.personLogBytesMax)
  expect(bytes).toBeGreaterThan(limits.personLogBytesMax - 1_000)
  expect(state.dropped.size).toBe(0)
  expect(replay(crypto, decodeLog(crypto, encodeLog(state.entries)))).toEqual(state)
})

it('more heads than an entry can follow do not keep the owner from going on', () => {
  const mine = revokeDevice(crypto, two, first, second.key, []).entry
  let state = append(crypto, two, [mine])
  for (let i = 0; i < 40; i++) state = append(crypto, state, [admit(two, second, newDevice())])
  expect(state.heads.length).toBe(41)
  const phone = newDevice()
  const after = append(crypto, state, [admit(state, first, phone)])
  expect(after.devices.get(toHex(phone.key))?.revoked).toBeUndefined()
  expect([...after.devices.keys()]).toEqual([first, second, phone].map(({ key }) => toHex(key)))
})

it('a thief whose forks fill the log does not keep the owner from shutting them out, nor from going on', () => {
  const full = spam(two, second)
  expect(codeOf(() => append(crypto, full, [admit(full, second, newDevice())]))).toBe('TOO_LARGE')

  const shut = append(crypto, full, [revokeDevice(crypto, two, first, second.key, []).entry])
  expect(shut.devices.get(toHex(second.key))?.revoked?.by).toEqual(first.key)
  expect([...shut.devices.keys()]).toEqual([first, second].map(({ key }) => toHex(key)))
  expect(shut.entries.length).toBe(3)

  // Forks from before, again and again: what holds stays and grows.
  let state = shut
  for (let round = 0; round < 3; round++) {
    for (const branch of [spam(two, second), spam(two, second)]) state = append(crypto, state, branch.entries)
    const phone = newDevice()
    state = append(crypto, state, [admit(state, first, phone)])
    expect(state.devices.get(toHex(phone.key))?.revoked).toBeUndefined()
  }
  expect(state.devices.size).toBe(5)
  expect(state.entries.length).toBeLessThanOrEqual(limits.identityEntriesMax)
})

it('what no room is left for changes nothing that holds', () => {
  const mine = append(crypto, two, [revokeDevice(crypto, two, first, second.key, []).entry])
  let state = append(crypto, mine, [newPhone(mine)])
  const held = said(state)
  for (let i = 0; i < 4; i++) state = append(crypto, state, spam(two, second).entries)
  expect(said(state)).toEqual(held)
  expect(replay(crypto, state.entries)).toEqual(state)
})

it('nodes that heard of forks in any order say the same, and hold the same once they have talked', () => {
  const mine = append(crypto, two, [revokeDevice(crypto, two, first, second.key, []).entry])
  const parts = [mine, append(crypto, mine, [newPhone(mine)]), spam(two, second), spam(two, second)]
  for (let turn = 0; turn < 6; turn++) {
    const [one, other] = [0, 1].map(() => {
      const order = parts.toSorted(() => random.next() - 0.5)
      return order.reduce(taken, two)
    }) as [IdentityState, IdentityState]
    expect(said(other)).toEqual(said(one))
    const talked = append(crypto, one, other.entries)
    expect(append(crypto, other, one.entries)).toEqual(talked)
    expect(append(crypto, talked, other.entries)).toEqual(talked)
  }
})

it('somebody who was an owner of a group once does not fill its log either', () => {
  const { ada, bob, dan, people, state: group } = createCrowd(crypto, { isSealed: false })
  const out = removeMember(crypto, group, ada.signer, bob.id, { numbers: [], people }).entry
  const without = append(crypto, group, [out], people)
  /** As many as there is room for. */
  const noise = (from: IdentityState, previous: (last: IdentityState) => readonly Uint8Array[]) => {
    let [state, before] = [from, from]
    while (state.entries.length >= before.entries.length) {
      const member: Member = { identity: crypto.random(32), role: 'writer' }
      const body: EntryBody = { kind: 'changeMember', authorHeads: bob.state.holding, member }
      const header = { identity: group.id, previous: previous(state), author: bob.id, body }
      before = state
      state = append(crypto, state, [signEntry(crypto, header, bob.device)], people)
    }
    return before
  }
  const chained = noise(without, (last) => last.heads)
  const beside = noise(group, () => [group.id])
  let state = append(crypto, without, chained.entries, people)
  expect(state.dropped.size).toBeGreaterThan(150)
  for (const entries of [beside.entries, chained.entries]) state = append(crypto, state, entries, people)
  const entry = addMember(crypto, state, ada.signer, { identity: dan.id, role: 'writer' }, { people })
  state = append(crypto, state, [entry], people)
  for (const entries of [beside.entries, chained.entries]) state = append(crypto, state, entries, people)
  expect([...state.members.values()].map(({ identity }) => toHex(identity))).toContain(toHex(dan.id))
  expect(state.members.has(toHex(bob.id))).toBe(false)
  expect(state.dropped.has(toHex(entry.hash))).toBe(false)
})

it('a club of twenty, sealed, has people come and go eighty times', () => {
  const humans = Array.from({ length: 22 }, () => new Human(crypto))
  const [ada, ...others] = humans as [Human, ...Human[]]
  const people: People = (id) => humans.find((one) => toHex(one.id) === toHex(id))?.state
  const first = others.slice(0, 19).map(({ id: identity }) => ({ identity, role: 'writer' as const }))
  const founded = createGroup(crypto, ada.signer, first, { people, isSealed: true })
  let { state, box } = founded
  for (let turn = 0; turn < 80; turn++) {
    const [goes, comes] = [others[turn % 21], others[(turn + 19) % 21]] as [Human, Human]
    const out = removeMember(crypto, state, ada.signer, goes.id, {
      numbers: [],
      people,
      before: box && [box],
    })
    state = append(crypto, state, [out.entry], people)
    box = out.box
    const member: Member = { identity: comes.id, role: 'writer' }
    const entry = addMember(crypto, state, ada.signer, member, { people, box })
    state = append(crypto, state, [entry], people)
  }
  expect(state.members.size).toBe(20)
  expect(state.entries).toHaveLength(161)
  expect(encodeLog(state.entries).length).toBeLessThan(limits.identityLogBytesMax)
})

it('an entry that comes to nothing is followed, and not its parent beside it', () => {
  const { ada, dan, people, state: group } = createCrowd(crypto)
  // A member who can read is not put out without a new epoch.
  const idle = removeMember(
    crypto,
    group,
    ada.signer,
    [...group.members.values()][1]?.identity as Uint8Array,
    {
      numbers: [],
      people,
    },
  ).entry
  const after = append(crypto, group, [idle], people)
  expect([after.dropped.size, after.members.size]).toEqual([1, 3])
  // Beside it, then on both: the second would name the genesis too, which both follow.
  const entry = addMember(crypto, after, ada.signer, { identity: dan.id, role: 'writer' }, { people })
  const more = append(crypto, after, [entry], people)
  const reader = [...more.members.values()].find(({ role }) => role === 'reader')
  const down: Member = { identity: reader?.identity as Uint8Array, role: 'writer' }
  const last = append(crypto, more, [changeMember(crypto, more, ada.signer, down)], people)
  expect(last.members.get(toHex(down.identity))?.role).toBe('writer')
})

/** A second full fork by the same key is refused as long as nobody of a higher rank has spoken. */
function taken(state: IdentityState, { entries }: IdentityState): IdentityState {
  try {
    return append(crypto, state, entries)
  } catch (error) {
    expect(error).toMatchObject({ code: 'TOO_LARGE' })
    return state
  }
}

/** As many entries of its own as the log takes, on a chain. */
it('a sealed group of 64 is founded at once, and takes leave of somebody who wrote there from 32 devices', () => {
  const humans = Array.from({ length: limits.identityWrapsMax }, () => new Human(crypto))
  const [ada, ...others] = humans as [Human, ...Human[]]
  const people: People = (id) => humans.find((one) => toHex(one.id) === toHex(id))?.state
  const members = others.map(({ id: identity }) => ({ identity, role: 'writer' as const }))
  const { state, box } = createGroup(crypto, ada.signer, members, { people, isSealed: true })
  const numbers = Array.from({ length: limits.identityDevicesMax }, (_, i) => ({
    device: crypto.random(32),
    lastNumber: 2 ** 40 + i,
    listHash: crypto.random(32),
  }))
  const before = [box!, ...Array.from({ length: limits.identityLinksMax - 1 }, () => newBoxSecret(crypto, 1))]
  const { entry } = removeMember(crypto, state, ada.signer, others[0]!.id, { numbers, people, before })
  const after = append(crypto, state, [entry], people)
  expect([after.members.size, after.boxes.length, after.dropped.size]).toEqual([63, 2, 0])
})

/** As many as there is room for, the large ones first. */
function spam(from: IdentityState, thief: DeviceSecrets): IdentityState {
  const makes = [
    (state: IdentityState) => rotate(crypto, state, thief, newDevice()).entry,
    (state: IdentityState) => admit(state, thief, newDevice()),
  ]
  return makes.reduce((start, make) => {
    let state = start
    for (;;) {
      try {
        state = append(crypto, state, [make(state)])
      } catch {
        return state
      }
    }
  }, from)
}

function newPhone(state: IdentityState): SignedEntry {
  return admit(state, first, newDevice())
}

/** Everything but which of the lost entries are still there. */
function said({ entries, dropped, heads: _, ...facts }: IdentityState) {
  return { ...facts, held: entries.filter(({ hash }) => !dropped.has(toHex(hash))).map(({ hash }) => hash) }
}

function admit(state: IdentityState, signer: DeviceSecrets, of: DeviceSecrets): SignedEntry {
  const reads = state.boxes.at(-1)?.wraps.has(toHex(signer.key)) === true
  const possession = provePossession(crypto, state.id, of)
  return addDevice(crypto, state, signer, ownerAdmission(of, false), possession, { readsPrivate: reads })
}

function codeOf(action: () => unknown): unknown {
  try {
    action()
    return 'ok'
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}
