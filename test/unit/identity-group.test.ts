import { describe, expect, it } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { decodeLog, encodeLog, signEntry } from '../../protocol/identity/entry.ts'
import { append, refreshed, replay } from '../../protocol/identity/log.ts'
import { deviceFromSeed, revokeDevice } from '../../protocol/identity/make.ts'
import {
  addMember,
  changeMember,
  removeMember,
  type GroupSigner,
} from '../../protocol/identity/make-group.ts'
import type {
  DeviceSecrets,
  IdentityState,
  MemberRole,
  People,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import { verifyRecord } from '../../protocol/record/verify.ts'
import { createCrowd, type Human } from '../support/crowd.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { recordBy } from '../support/people.ts'

const crypto = await loadCrypto({ random: createSeededRandom(9) })
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))

const crowd = () => createCrowd(crypto)

describe('a group', () => {
  it('is founded by a member, with roles and ranks', () => {
    const { state, ada, bob, cleo } = crowd()
    expect(state.type).toBe('group')
    expect(state.members.get(toHex(ada.id))).toMatchObject({ role: 'owner', rank: 1 })
    expect(state.members.get(toHex(bob.id))?.role).toBe('owner')
    expect(state.members.get(toHex(cleo.id))?.role).toBe('reader')
    expect([...state.members.values()].map(({ rank }) => rank)).toEqual([1, 2, 3])
  })

  it('is the same from its bytes, in any order', () => {
    const { state, ada, dan, people } = crowd()
    const more = append(
      crypto,
      state,
      [addMember(crypto, state, ada.signer, { identity: dan.id, role: 'writer' }, { people })],
      people,
    )
    const entries = decodeLog(crypto, encodeLog(more.entries))
    expect(replay(crypto, entries.toReversed(), people)).toEqual(more)
    expect(codeOf(() => replay(crypto, entries))).toBe('UNKNOWN_IDENTITY')
  })

  it('is changed by owners alone, and keeps one', () => {
    const { state, ada, bob, cleo, dan, people, box } = crowd()
    const put = (entry: SignedEntry, on = state): IdentityState => append(crypto, on, [entry], people)
    /** It stays in the log, and changes nothing. */
    const doesNothing = (entry: SignedEntry, on = state): void => {
      const after = put(entry, on)
      expect([...after.dropped]).toEqual([toHex(entry.hash)])
      expect(after.members).toEqual(on.members)
    }
    const member = { identity: dan.id, role: 'writer' as const }
    // Who was never an owner cannot fill the log with entries that come to nothing.
    for (const { signer } of [cleo, dan])
      expect(codeOf(() => put(addMember(crypto, state, signer, member, { people })))).toBe('BAD_IDENTITY')
    const four = put(addMember(crypto, state, bob.signer, member, { people, box }))
    expect(four.members.get(toHex(dan.id))).toMatchObject({ role: 'writer', rank: 4 })
    doesNothing(addMember(crypto, four, ada.signer, member, { people }), four)
    const role = (identity: Uint8Array, to: MemberRole, on = four) =>
      changeMember(crypto, on, ada.signer, { identity, role: to })
    doesNothing(role(dan.id, 'writer'), four)
    doesNothing(role(dan.id, 'reader'), four)
    expect(put(role(dan.id, 'owner'), four).members.get(toHex(dan.id))?.role).toBe('owner')
    const one = put(role(bob.id, 'writer'), four)
    doesNothing(role(ada.id, 'writer', one), one)
    // Bob was one: what he signed before he heard of it stands in the log, and does nothing.
    doesNothing(addMember(crypto, one, bob.signer, { ...member, identity: cleo.id }, { people }), one)
    doesNothing(removeMember(crypto, four, ada.signer, dan.id, { numbers: [], people }).entry, four)
  })

  it('is signed by a device that the author had at the heads that are named', () => {
    const { state, ada, dan, people } = crowd()
    const laptop = newDevice()
    const member = { identity: dan.id, role: 'writer' as const }
    const early = addMember(crypto, state, { person: ada.state, device: laptop }, member, { people })
    expect(codeOf(() => append(crypto, state, [early], people))).toBe('BAD_IDENTITY')
    const before: People = (id) => people(id)
    const old = ada.state
    ada.add(laptop)
    const late = addMember(crypto, state, { person: ada.state, device: laptop }, member, { people })
    expect(append(crypto, state, [late], before).members.size).toBe(4)
    // Whoever has an older log of the author waits for the newer one.
    const behind: People = (id) => (toHex(id) === toHex(ada.id) ? old : people(id))
    expect(codeOf(() => append(crypto, state, [late], behind))).toBe('UNKNOWN_IDENTITY')
  })

  it('hears a revoked device no more, save for what the revocation names', () => {
    const { state, ada, bob, cleo, dan, people } = crowd()
    const laptop = newDevice()
    ada.add(laptop)
    const byLaptop: GroupSigner = { person: ada.state, device: laptop }
    const put = (on: IdentityState, entry: SignedEntry): IdentityState => append(crypto, on, [entry], people)
    const good = addMember(crypto, state, byLaptop, { identity: dan.id, role: 'owner' }, { people })
    const four = put(state, good)
    const bad = changeMember(crypto, four, byLaptop, { identity: cleo.id, role: 'owner' })
    const five = put(four, bad)
    const numbers = [{ owner: state.id, lastNumber: 0, listHash: new Uint8Array(32), lastEntry: good.hash }]
    ada.state = append(crypto, ada.state, [
      revokeDevice(crypto, ada.state, ada.device, laptop.key, numbers).entry,
    ])
    const now = refreshed(five, people)
    expect(now.members.get(toHex(dan.id))?.role).toBe('owner')
    expect(now.members.get(toHex(cleo.id))?.role).toBe('reader')
    expect([...now.dropped]).toEqual([toHex(bad.hash)])
    // The same for whoever hears of the revocation first.
    expect(replay(crypto, five.entries.toReversed(), people)).toEqual(now)
    // What others built on it stands where it can without it.
    const after = changeMember(crypto, five, bob.signer, { identity: dan.id, role: 'writer' })
    const settled = put(now, after)
    expect(settled.members.get(toHex(dan.id))?.role).toBe('writer')
    // A thief with the laptop names the heads from before: it is there, and does nothing.
    const thief = changeMember(crypto, settled, byLaptop, { identity: cleo.id, role: 'owner' })
    const robbed = put(settled, thief)
    expect(robbed.members.get(toHex(cleo.id))?.role).toBe('reader')
    // And freezes nobody: who owns the group goes on.
    const on = put(robbed, changeMember(crypto, robbed, ada.signer, { identity: cleo.id, role: 'writer' }))
    expect(on.members.get(toHex(cleo.id))?.role).toBe('writer')
  })

  it('goes to the older owner when two shut each other out', () => {
    const { state, ada, bob, people, box } = crowd()
    const options = { numbers: [], people, before: box && [box] }
    const one = removeMember(crypto, state, ada.signer, bob.id, options).entry
    const other = removeMember(crypto, state, bob.signer, ada.id, options).entry
    const results = [
      [one, other],
      [other, one],
    ].map((order) => order.reduce((on, entry) => append(crypto, on, [entry], people), state))
    expect(results[0]).toEqual(results[1])
    expect([...(results[0] as IdentityState).members.keys()]).toContain(toHex(ada.id))
    expect([...(results[0] as IdentityState).members.keys()]).not.toContain(toHex(bob.id))
  })

  it('gives its secret to members, and the next one not to whoever left', () => {
    const { state, ada, cleo, dan, people, box } = crowd()
    const open = (group: IdentityState, who: Human) => memberBoxes(crypto, group, who.id, who.boxes).newest()
    expect(open(state, cleo)).toEqual(box)
    expect(open(state, dan)).toBeUndefined()
    const joined = append(
      crypto,
      state,
      [addMember(crypto, state, ada.signer, { identity: dan.id, role: 'reader' }, { people, box })],
      people,
    )
    expect(open(joined, dan)).toEqual(box)
    const { entry, box: next } = removeMember(crypto, joined, ada.signer, cleo.id, {
      numbers: [],
      people,
      before: box && [box],
    })
    const left = append(crypto, joined, [entry], people)
    expect(open(left, dan)).toEqual(next)
    expect(open(left, cleo)).toEqual(box)
    expect(memberBoxes(crypto, left, dan.id, dan.boxes).ofEpoch(1)).toEqual([box])
  })

  it("takes in a former member's records up to the number that the removal names", () => {
    const { state, ada, bob, people, box } = crowd()
    const numbers = [{ device: bob.device.key, lastNumber: 2, listHash: new Uint8Array(32) }]
    const { entry } = removeMember(crypto, state, ada.signer, bob.id, {
      numbers,
      people,
      before: box && [box],
    })
    const left = append(crypto, state, [entry], people)
    const check = (group: IdentityState, number: number): string => {
      const record = recordBy(crypto, bob, { owner: group.id, author: bob.id, number })
      const verdict = verifyRecord(crypto, record, group, bob.state)
      return verdict.ok ? 'ok' : verdict.code
    }
    expect(check(state, 3)).toBe('ok')
    expect([check(left, 2), check(left, 3)]).toEqual(['ok', 'FORBIDDEN'])
    const again = append(
      crypto,
      left,
      [addMember(crypto, left, ada.signer, { identity: bob.id, role: 'reader' }, { people })],
      people,
    )
    expect([check(again, 2), check(again, 3)]).toEqual(['ok', 'FORBIDDEN'])
  })

  it("refuses a person's entries, and a person's log those of a group", () => {
    const { state, ada, people } = crowd()
    const sign = (body: SignedEntry['body'], of: IdentityState, author: Uint8Array | undefined) =>
      signEntry(crypto, { identity: of.id, previous: of.heads, author, body }, ada.device)
    const vouching = sign({ kind: 'vouch', device: ada.device.key }, state, ada.id)
    expect(codeOf(() => append(crypto, state, [vouching], people))).toBe('BAD_IDENTITY')
    const member = { identity: ada.id, role: 'owner' as const }
    const joining = sign({ kind: 'changeMember', authorHeads: [], member }, ada.state, undefined)
    expect(codeOf(() => append(crypto, ada.state, [joining], people))).toBe('BAD_IDENTITY')
    const headless = sign({ kind: 'changeMember', authorHeads: [], member }, state, ada.id)
    expect(codeOf(() => append(crypto, state, [headless], people))).toBe('BAD_IDENTITY')
  })
})

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'ok'
  } catch (error) {
    if (error instanceof OnehopError) return error.code
    throw error
  }
}
