import { describe, expect, it } from 'vitest'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { signEntry } from '../../protocol/identity/entry.ts'
import { groupRules } from '../../protocol/identity/group.ts'
import { append, refreshed, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import { addMember, changeMember, createGroup, removeMember } from '../../protocol/identity/make-group.ts'
import type {
  Admission,
  DeviceSecrets,
  EntryBody,
  EntryHeader,
  IdentityState,
  Member,
  People,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { createCrowd, Human } from '../support/crowd.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(24)
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))

type Genesis = Extract<EntryBody, { kind: 'genesisGroup' }>

describe('the first entry of a group', () => {
  const { ada, bob, people } = createCrowd(crypto)
  const begin = (
    members: readonly Member[],
    changes: { author?: Uint8Array | undefined } = {},
  ): IdentityState => {
    const body = genesisOf(ada, members)
    const header = { identity: undefined, previous: [], author: ada.id, body, ...changes }
    return replay(crypto, [signEntry(crypto, header, ada.device)], people)
  }

  it('is good as it is', () => {
    expect(begin([{ identity: ada.id, role: 'owner' }]).members.size).toBe(1)
  })

  it('names its author as an owner', () => {
    expect(codeOf(() => begin([{ identity: ada.id, role: 'writer' }]))).toBe('BAD_IDENTITY')
    expect(codeOf(() => begin([{ identity: bob.id, role: 'owner' }]))).toBe('BAD_IDENTITY')
    const nameless = () => begin([{ identity: ada.id, role: 'owner' }], { author: undefined })
    expect(codeOf(nameless)).toBe('BAD_IDENTITY')
  })

  it('is signed by a device of its author', () => {
    const body = genesisOf(bob, [{ identity: bob.id, role: 'owner' }])
    const header = { identity: undefined, previous: [], author: bob.id, body }
    const by = (who: Human) => replay(crypto, [signEntry(crypto, header, who.device)], people)
    expect(codeOf(() => by(ada))).toBe('BAD_IDENTITY')
    expect(by(bob).members.size).toBe(1)
  })

  it("is no person's, and nothing else extends the log of one", () => {
    const { state } = createCrowd(crypto)
    const rules = groupRules(people)
    const [persons] = ada.state.entries
    if (persons === undefined) throw new Error('no entry')
    expect(codeOf(() => rules.genesis(persons))).toBe('BAD_IDENTITY')
    const body: EntryBody = { kind: 'vouch', device: ada.device.key }
    const vouching = sign(ada, state, body)
    expect(codeOf(() => rules.apply(state, vouching))).toBe('BAD_IDENTITY')
  })

  it('is made of people whose logs are at hand', () => {
    const { dan } = createCrowd(crypto)
    const members: Member[] = [{ identity: dan.id, role: 'writer' }]
    const found = () => createGroup(crypto, ada.signer, members, { people, isSealed: true })
    expect(codeOf(found)).toBe('UNKNOWN_IDENTITY')
  })
})

describe('a group without a secret', () => {
  it('lets a member go without a new epoch, and has none', () => {
    const { state, ada, cleo, people, box } = createCrowd(crypto, { isSealed: false })
    expect([box, state.boxes.length]).toEqual([undefined, 0])
    const removal = removeMember(crypto, state, ada.signer, cleo.id, { numbers: [], people })
    expect(removal.box).toBeUndefined()
    const left = append(crypto, state, [removal.entry], people)
    expect(left.dropped.size).toBe(0)
    expect(left.members.has(toHex(cleo.id))).toBe(false)
  })
})

describe('an entry of a group', () => {
  it('that names another identity does nothing', () => {
    const { state, ada, dan, people } = createCrowd(crypto)
    const body: EntryBody = {
      kind: 'addMember',
      authorHeads: ada.state.heads,
      member: { identity: dan.id, role: 'owner' },
      grants: [],
    }
    const after = append(crypto, state, [sign(ada, state, body, { identity: dan.id })], people)
    expect(after.members).toEqual(state.members)
    expect(after.dropped.size).toBe(1)
    expect(append(crypto, state, [sign(ada, state, body)], people).members.size).toBe(4)
  })

  it('admits no more members than one box secret has wraps', () => {
    const { ada, bob, people } = createCrowd(crypto)
    const strangers = Array.from({ length: limits.identityWrapsMax - 2 }, (): Member => {
      return { identity: crypto.random(32), role: 'reader' }
    })
    const body = genesisOf(ada, [{ identity: ada.id, role: 'owner' }, ...strangers])
    const header = { identity: undefined, previous: [], author: ada.id, body }
    const state = replay(crypto, [signEntry(crypto, header, ada.device)], people)
    const join = (on: IdentityState, identity: Uint8Array): IdentityState =>
      append(
        crypto,
        on,
        [
          sign(ada, on, {
            kind: 'addMember',
            authorHeads: ada.state.heads,
            member: { identity, role: 'reader' },
            grants: [],
          }),
        ],
        people,
      )
    const full = join(state, bob.id)
    expect(full.members.size).toBe(limits.identityWrapsMax)
    const over = join(full, crypto.random(32))
    expect([over.members.size, over.dropped.size]).toEqual([limits.identityWrapsMax, 1])
  })

  it('grants a new member the secret of the epoch that it names, and of no other', () => {
    const { state, ada, cleo, dan, people, box } = createCrowd(crypto)
    const removal = removeMember(crypto, state, ada.signer, cleo.id, {
      numbers: [],
      people,
      before: box && [box],
    })
    const left = append(crypto, state, [removal.entry], people)
    const member: Member = { identity: dan.id, role: 'reader' }
    const joining = addMember(crypto, left, ada.signer, member, { people, box: removal.box })
    const joined = append(crypto, left, [joining], people)
    expect(joined.boxes.map(({ wraps }) => wraps.has(toHex(dan.id)))).toEqual([false, true])
    expect(memberBoxes(crypto, joined, dan.id, dan.boxes).newest()).toEqual(removal.box)
  })

  it('of a device that was revoked without a word about this group does not count', () => {
    const { state, ada, dan, cleo, people } = createCrowd(crypto)
    const laptop = newDevice()
    ada.add(laptop)
    const byLaptop = { person: ada.state, device: laptop }
    const adding = addMember(crypto, state, byLaptop, { identity: dan.id, role: 'owner' }, { people })
    const four = append(crypto, state, [adding], people)
    expect(four.members.has(toHex(dan.id))).toBe(true)
    const { entry } = revokeDevice(crypto, ada.state, ada.device, laptop.key, [
      { owner: cleo.id, lastNumber: 1, listHash: new Uint8Array(32), lastEntry: undefined },
    ])
    ada.state = append(crypto, ada.state, [entry])
    const now = refreshed(four, people)
    expect(now.members.has(toHex(dan.id))).toBe(false)
    expect([...now.dropped]).toEqual([toHex(adding.hash)])
  })

  it('of a revoked device does not count where branches meet, nor does it bring down what follows it', () => {
    const { state, bob, dan, people } = createCrowd(crypto)
    const [eve, fay] = [new Human(crypto), new Human(crypto)]
    const all: People = (id) => [eve, fay].find((one) => equalBytes(one.id, id))?.state ?? people(id)
    const add = (on: IdentityState, device: DeviceSecrets, who: Human): SignedEntry => {
      const member: Member = { identity: who.id, role: 'writer' }
      return addMember(crypto, on, { person: bob.state, device }, member, { people: all })
    }
    const laptop = newDevice()
    bob.add(laptop)
    const thiefs = add(state, laptop, eve)
    const onIt = add(append(crypto, state, [thiefs], all), bob.device, dan)
    const beside = add(state, bob.device, fay)
    // Nothing but additions by one author on both sides: both hold.
    const met = append(crypto, state, [thiefs, onIt, beside], all)
    expect(met.members.size).toBe(6)
    const { entry } = revokeDevice(crypto, bob.state, bob.device, laptop.key, [])
    bob.state = append(crypto, bob.state, [entry])
    const now = refreshed(met, all)
    expect([...now.dropped]).toEqual([toHex(thiefs.hash)])
    expect([eve, dan, fay].map(({ id }) => now.members.has(toHex(id)))).toEqual([false, true, true])
  })

  it("is signed by an owner's device, not revoked by the heads that it names", () => {
    const { state, ada, dan, people } = createCrowd(crypto)
    const [box, laptop] = [newDevice(), newDevice()]
    const asNode: Admission = { ...ownerAdmission(box, false), role: 'node', capabilities: [] }
    const possession = provePossession(crypto, ada.id, box, 'node')
    ada.state = append(crypto, ada.state, [addDevice(crypto, ada.state, ada.device, asNode, possession)])
    ada.add(laptop)
    const codeBy = (device: DeviceSecrets): string => {
      const signer = { person: ada.state, device }
      const entry = addMember(crypto, state, signer, { identity: dan.id, role: 'writer' }, { people })
      return codeOf(() => append(crypto, state, [entry], people))
    }
    expect([box, laptop].map(codeBy)).toEqual(['BAD_IDENTITY', 'ok'])
    const { entry } = revokeDevice(crypto, ada.state, ada.device, laptop.key, [])
    ada.state = append(crypto, ada.state, [entry])
    expect([laptop, ada.device].map(codeBy)).toEqual(['BAD_IDENTITY', 'ok'])
  })

  it('is never signed by a group that is a member', () => {
    const { state, ada, dan, people } = createCrowd(crypto)
    const inner = createCrowd(crypto, { isSealed: false })
    const all: People = (id) =>
      equalBytes(id, inner.state.id) ? inner.state : (people(id) ?? inner.people(id))
    const member: Member = { identity: inner.state.id, role: 'owner' }
    const admitting = sign(ada, state, {
      kind: 'addMember',
      authorHeads: ada.state.heads,
      member,
      grants: [],
    })
    const four = append(crypto, state, [admitting], all)
    expect(four.members.size).toBe(4)
    const body = (authorHeads: readonly Uint8Array[]): EntryBody => ({
      kind: 'addMember',
      authorHeads,
      member: { identity: dan.id, role: 'owner' },
      grants: [],
    })
    for (const heads of [inner.state.heads, [inner.ada.id]]) {
      const entry = sign(inner.ada, four, body(heads), { author: inner.state.id })
      const put = () => append(crypto, four, [entry], all)
      expect(put).toThrow(
        expect.objectContaining({
          code: 'BAD_IDENTITY',
          message: expect.stringContaining('a group signs nothing'),
        }),
      )
    }
  })

  it('changes the role of nobody who is no member', () => {
    const { state, ada, dan, people } = createCrowd(crypto)
    const entry = changeMember(crypto, state, ada.signer, { identity: dan.id, role: 'owner' })
    const after = append(crypto, state, [entry], people)
    expect([...after.dropped]).toEqual([toHex(entry.hash)])
    expect(after.members).toEqual(state.members)
  })
})

function genesisOf(founder: Human, members: readonly Member[]): Genesis {
  const sorted = members.toSorted((a, b) => (toHex(a.identity) < toHex(b.identity) ? -1 : 1))
  return {
    kind: 'genesisGroup',
    nonce: crypto.random(16),
    authorHeads: founder.state.heads,
    members: sorted,
    box: undefined,
  }
}

function sign(
  who: Human,
  group: IdentityState,
  body: EntryBody,
  changes: Partial<Omit<EntryHeader, 'signer'>> = {},
) {
  const header = { identity: group.id, previous: group.heads, author: who.id, body, ...changes }
  return signEntry(crypto, header, who.device)
}

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'ok'
  } catch (error) {
    if (error instanceof OnehopError) return error.code
    throw error
  }
}
