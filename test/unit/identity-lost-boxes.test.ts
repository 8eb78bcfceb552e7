/** Two who renew a secret apart from each other make two of one epoch. One holds; what was sealed under the other is read. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { deviceBoxes, memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { makeBox, newBoxSecret, type BoxSecret } from '../../protocol/identity/box.ts'
import { signEntry } from '../../protocol/identity/entry.ts'
import { lastSignedBy } from '../../protocol/identity/last-entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { lostBoxes } from '../../protocol/identity/lost-boxes.ts'
import { addMember, membersBehind, renewEpoch } from '../../protocol/identity/make-group.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  nextEpoch,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { createCrowd, type Human } from '../support/crowd.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(61)
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))

function admitted(state: IdentityState, signer: DeviceSecrets, device: DeviceSecrets): IdentityState {
  const possession = provePossession(crypto, state.id, device)
  const admission = ownerAdmission(device, false)
  return append(crypto, state, [
    addDevice(crypto, state, signer, admission, possession, { readsPrivate: true }),
  ])
}

/** A phone and a laptop, which shut two others out while they did not hear of each other. */
function forked() {
  const [phone, laptop, tablet, watch, camera, words] = [
    newDevice(),
    newDevice(),
    newDevice(),
    newDevice(),
    newDevice(),
    newDevice(),
  ]
  let { state } = createIdentity(crypto, phone, { recovery: { key: words.key, boxKey: words.boxKey } })
  for (const device of [laptop, tablet, watch, camera]) state = admitted(state, phone, device)
  const byPhone = revokeDevice(crypto, state, phone, tablet.key, [])
  const byLaptop = revokeDevice(crypto, state, laptop, watch.key, [])
  const merged = append(crypto, state, [byLaptop.entry, byPhone.entry])
  return { phone, laptop, tablet, watch, camera, words, state, byPhone, byLaptop, merged }
}

it('is one that all who were there open, and that the next epoch opens for those who come', () => {
  const { phone, laptop, tablet, watch, words, byPhone, byLaptop, merged } = forked()
  expect([...merged.dropped]).toEqual([toHex(byLaptop.entry.hash)])
  for (const device of [phone, laptop, words]) {
    const boxes = deviceBoxes(crypto, merged, device)
    expect([boxes.current(), boxes.ofEpoch(2)]).toEqual([byPhone.box, [byPhone.box, byLaptop.box]])
    expect(boxes.unlinked()).toEqual([byLaptop.box])
  }
  // The tablet, which is shut out, opens what the laptop made before it heard of that, and nothing newer.
  expect(deviceBoxes(crypto, merged, tablet).ofEpoch(2)).toEqual([byLaptop.box])

  // Whose secret lost makes the next.
  const boxesOf = (device: DeviceSecrets) => deviceBoxes(crypto, merged, device)
  expect(boxesOf(laptop).isUnlinkedBy(laptop.key)).toBe(true)
  expect(boxesOf(phone).isUnlinkedBy(phone.key)).toBe(false)
  const healed = append(crypto, merged, [nextEpoch(crypto, merged, laptop)])
  expect(healed.boxes.map(({ epoch }) => epoch)).toEqual([1, 2, 3])
  expect(deviceBoxes(crypto, healed, laptop).isUnlinkedBy(laptop.key)).toBe(false)
  const camera = newDevice()
  const later = deviceBoxes(crypto, admitted(healed, phone, camera), camera)
  expect(later.ofEpoch(2)).toEqual([byPhone.box, byLaptop.box])
  expect(later.of(byLaptop.box!.publicKey)).toEqual(byLaptop.box)
  // Those who are shut out open no more than before.
  expect(deviceBoxes(crypto, healed, tablet).current()).toBeUndefined()
  expect(deviceBoxes(crypto, healed, watch).current()?.epoch).toBe(3)
  // Any other epoch would have done: of one more revocation, or new words.
  const redone = append(crypto, merged, [revokeDevice(crypto, merged, phone, watch.key, []).entry])
  expect(deviceBoxes(crypto, redone, phone).unlinked()).toEqual([])
})

it('goes with the branch that lost once there is no room for it; a link remains', () => {
  const { phone, laptop, merged, byLaptop } = forked()
  const healed = append(crypto, merged, [nextEpoch(crypto, merged, laptop)])
  const full: IdentityState = { ...healed, lostBoxes: [] }
  expect(deviceBoxes(crypto, full, phone).ofEpoch(2)).toContainEqual(byLaptop.box)
  expect(deviceBoxes(crypto, { ...merged, lostBoxes: [] }, phone).ofEpoch(2)).not.toContainEqual(byLaptop.box)
})

it("of a member's is no reason to lose the group's, and a reason to renew it", () => {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  // Cleo's laptop and phone shut two others out, apart from each other.
  const [laptop, tablet, watch] = [newDevice(), newDevice(), newDevice()]
  for (const device of [laptop, tablet, watch]) cleo.add(device)
  const before = cleo.state
  const byPhone = revokeDevice(crypto, before, cleo.device, tablet.key, []).entry
  const byLaptop = revokeDevice(crypto, before, laptop, watch.key, []).entry
  const renewed = (group: IdentityState, human: Human, secrets = human.boxes) => {
    const own = memberBoxes(crypto, group, human.id, secrets)
    const renewal = { people, before: [own.current()!, ...own.unlinked()] as const }
    return append(crypto, group, [renewEpoch(crypto, group, human.signer, renewal)], people)
  }
  // Ada has heard of the laptop's entry alone, which will lose.
  cleo.state = append(crypto, before, [byLaptop])
  const second = renewed(state, ada)
  expect(membersBehind(second, people)).toEqual([])
  cleo.state = append(crypto, before, [byLaptop, byPhone])
  const opened = memberBoxes(crypto, second, cleo.id, cleo.boxes).current()
  expect([opened?.epoch, opened]).toEqual([2, memberBoxes(crypto, second, bob.id, bob.boxes).current()])
  // The tablet opens what the laptop's lost secret does: the group is to have another.
  const byTablet = deviceBoxes(crypto, cleo.state, tablet)
  expect(memberBoxes(crypto, second, cleo.id, byTablet).current()?.epoch).toBe(2)
  expect(membersBehind(second, people)).toEqual([cleo.id])
  const third = renewed(second, ada)
  expect(membersBehind(third, people)).toEqual([])
  expect(memberBoxes(crypto, third, cleo.id, byTablet).current()).toBeUndefined()
  expect(memberBoxes(crypto, third, cleo.id, cleo.boxes).current()?.epoch).toBe(3)

  // Who knows her log no further than the laptop's entry renews nothing.
  cleo.state = append(crypto, before, [byLaptop])
  expect(() => renewed(third, bob)).toThrow(expect.objectContaining({ code: 'STALE' }))
})

it('of a group is opened by its members, by those who come later too', () => {
  const { ada, bob, cleo, dan, people, state } = createCrowd(crypto)
  const renewalBy = (group: IdentityState, human: Human) => {
    const own = memberBoxes(crypto, group, human.id, human.boxes)
    const renewal = { people, before: [own.current()!, ...own.unlinked()] as const }
    return renewEpoch(crypto, group, human.signer, renewal)
  }
  const [one, other] = [renewalBy(state, ada), renewalBy(state, bob)]
  const merged = append(crypto, state, [other, one], people)
  expect([...merged.dropped]).toEqual([toHex(other.hash)])
  const boxesOf = (group: IdentityState, human: Human) => memberBoxes(crypto, group, human.id, human.boxes)
  const both = boxesOf(merged, cleo).ofEpoch(2)
  expect(both.map(({ publicKey }) => publicKey)).toEqual(
    [merged.boxes.at(-1), merged.lostBoxes[0]].map((box) => box?.publicKey),
  )
  expect(boxesOf(merged, bob).isUnlinkedBy(bob.device.key)).toBe(true)
  expect(boxesOf(merged, ada).isUnlinkedBy(ada.device.key)).toBe(false)
  const healed = append(crypto, merged, [renewalBy(merged, bob)], people)
  const box = boxesOf(healed, ada).current()!
  const joining = addMember(crypto, healed, ada.signer, { identity: dan.id, role: 'reader' }, { people, box })
  const four = append(crypto, healed, [joining], people)
  expect(boxesOf(four, dan).ofEpoch(2)).toEqual(both)
})

it('of a device that was revoked since is read all the same, and binds nobody', () => {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  const laptop = newDevice()
  ada.add(laptop)
  const own = memberBoxes(crypto, state, ada.id, ada.boxes)
  const byLaptop = { person: ada.state, device: laptop }
  const entry = renewEpoch(crypto, state, byLaptop, { people, before: [own.current()!] })
  const second = append(crypto, state, [entry], people)
  const secret = memberBoxes(crypto, second, cleo.id, cleo.boxes).current()
  ada.state = append(crypto, ada.state, [revokeDevice(crypto, ada.state, ada.device, laptop.key, []).entry])
  const robbed = append(crypto, state, [entry], people)
  const boxes = memberBoxes(crypto, robbed, cleo.id, cleo.boxes)
  expect([robbed.boxes.length, boxes.current()?.epoch, boxes.ofEpoch(2)]).toEqual([1, 1, [secret]])
  // Nobody renews because of what a thief makes.
  for (const human of [ada, bob])
    expect(memberBoxes(crypto, robbed, human.id, human.boxes).isUnlinkedBy(human.device.key)).toBe(false)
})

it('of a person without recovery words is healed as well', () => {
  const [phone, laptop, tablet, watch] = [newDevice(), newDevice(), newDevice(), newDevice()]
  let { state } = createIdentity(crypto, phone)
  for (const device of [laptop, tablet, watch]) state = admitted(state, phone, device)
  const byPhone = revokeDevice(crypto, state, phone, tablet.key, [])
  const byLaptop = revokeDevice(crypto, state, laptop, watch.key, [])
  const merged = append(crypto, state, [byLaptop.entry, byPhone.entry])
  const healed = append(crypto, merged, [nextEpoch(crypto, merged, laptop)])
  expect(deviceBoxes(crypto, healed, phone).ofEpoch(2)).toEqual([byPhone.box, byLaptop.box])
})

it('whose author is not known here is none that could be opened', () => {
  const { ada, state, people } = createCrowd(crypto)
  const own = memberBoxes(crypto, state, ada.id, ada.boxes)
  const entry = renewEpoch(crypto, state, ada.signer, { people, before: [own.current()!] })
  const lost = { ...state, entries: [entry], dropped: new Set([toHex(entry.hash)]) }
  expect(lostBoxes(lost, people)).toMatchObject([{ isSuspect: false }])
  expect(lostBoxes(lost, () => undefined)).toEqual([])
  const without = { ...ada.state, entries: [], devices: new Map() }
  expect(lostBoxes(lost, () => without)).toEqual([])
})

it('the last entry that a device signed is the last of those that count', () => {
  const { ada, bob, state, people } = createCrowd(crypto)
  const own = memberBoxes(crypto, state, ada.id, ada.boxes)
  const renewal = { people, before: [own.current()!] as const }
  const [one, other] = [ada, bob].map((human) => renewEpoch(crypto, state, human.signer, renewal))
  const merged = append(crypto, state, [one!, other!], people)
  expect(lastSignedBy(merged, ada.device.key)).toEqual(one!.hash)
  // His lost.
  expect(lastSignedBy(merged, bob.device.key)).toBeUndefined()
})

it('that nobody here was given is passed over', () => {
  const { merged } = forked()
  const stranger = newDevice()
  expect(deviceBoxes(crypto, merged, stranger).ofEpoch(2)).toEqual([])
  expect(deviceBoxes(crypto, merged, stranger).of(newBoxSecret(crypto, 2).publicKey)).toBeUndefined()
})

it('of a group, given by a device that its person lets in on no branch that holds, is read as well', () => {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  const [laptop, tablet] = [newDevice(), newDevice()]
  bob.add(laptop)
  const before = bob.state
  bob.state = admitted(before, laptop, tablet)
  const own = memberBoxes(crypto, state, ada.id, ada.boxes)
  const byTablet = { person: bob.state, device: tablet }
  const entry = renewEpoch(crypto, state, byTablet, { people, before: [own.current()!] })
  expect(append(crypto, state, [entry], people).boxes).toHaveLength(2)
  // His phone had shut the laptop out by then: who came by it never was.
  bob.state = append(crypto, bob.state, [revokeDevice(crypto, before, bob.device, laptop.key, []).entry])
  expect(bob.state.devices.has(toHex(tablet.key))).toBe(false)
  const group = append(crypto, state, [entry], people)
  expect([group.boxes.length, group.lostBoxes.map(({ isSuspect }) => isSuspect)]).toEqual([1, [true]])
  expect(memberBoxes(crypto, group, cleo.id, cleo.boxes).ofEpoch(2)).toHaveLength(1)
})

it('or none: who has no words has another secret all the same', () => {
  const [phone, laptop] = [newDevice(), newDevice()]
  const state = admitted(createIdentity(crypto, phone).state, phone, laptop)
  const next = append(crypto, state, [nextEpoch(crypto, state, laptop)])
  const [one, other] = [phone, laptop].map((device) => deviceBoxes(crypto, next, device).current())
  expect([one?.epoch, other]).toEqual([2, one])
})

describe('is read whatever a device that is stolen, and shut out later, gives as the next secrets:', () => {
  const lost = forked()
  const { phone, laptop, camera: thief, words, byPhone, byLaptop } = lost
  const readers = [phone, laptop, thief, words]

  /** Boxes of its own, one after the other; then it is shut out. */
  function robbed(
    state: IdentityState,
    boxes: readonly (readonly [BoxSecret, BoxSecret[]])[],
  ): IdentityState {
    let after = state
    for (const [next, before] of boxes) {
      const box = makeBox(crypto, thief, readers, next, before, after.boxes.at(-1))
      const body = { kind: 'epoch', authorHeads: [], box } as const
      const header = { identity: after.id, previous: after.next, author: undefined, body }
      after = append(crypto, after, [signEntry(crypto, header, thief)])
    }
    return append(crypto, after, [revokeDevice(crypto, after, phone, thief.key, []).entry])
  }

  function expectRead(state: IdentityState): void {
    for (const device of [phone, laptop, words])
      expect(deviceBoxes(crypto, state, device).ofEpoch(2)).toContainEqual(byLaptop.box)
    const fresh = newDevice()
    expect(deviceBoxes(crypto, admitted(state, phone, fresh), fresh).ofEpoch(2)).toContainEqual(byLaptop.box)
  }

  it('one that says that it is of another epoch', () => {
    const links = [byPhone.box!, { ...byLaptop.box!, epoch: 1 }]
    expectRead(robbed(lost.merged, [[newBoxSecret(crypto, 3), links]]))
  })

  it('one that has its key', () => {
    const taken = robbed(lost.merged, [[{ ...byLaptop.box!, epoch: 3 }, [byPhone.box!]]])
    expectRead(taken)
    expect(deviceBoxes(crypto, taken, phone).of(byLaptop.box!.publicKey)).toEqual({
      ...byLaptop.box,
      epoch: 3,
    })
  })

  it('many, with secrets that are said to be of its epoch', () => {
    const healed = append(crypto, lost.merged, [nextEpoch(crypto, lost.merged, laptop)])
    const third = deviceBoxes(crypto, healed, thief).current()!
    const fourth = newBoxSecret(crypto, 4)
    const others = () => Array.from({ length: 7 }, () => newBoxSecret(crypto, 2))
    const crowded = robbed(healed, [
      [fourth, [third, ...others()]],
      [newBoxSecret(crypto, 5), [fourth, ...others()]],
    ])
    expectRead(crowded)
    expectRead({ ...crowded, lostBoxes: [] })
  })
})
