/** A device that is stolen and not shut out yet may give the identity another secret. It takes nothing away by that. */
import { expect, it } from 'vitest'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
import { makeBox, newBoxSecret, type BoxSecret } from '../../protocol/identity/box.ts'
import { signEntry } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  nextEpoch,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
} from '../../protocol/identity/make.ts'
import type { Box, DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(62)
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
const [phone, laptop, thief, words] = [newDevice(), newDevice(), newDevice(), newDevice()]
const born = createIdentity(crypto, phone, { recovery: { key: words.key, boxKey: words.boxKey } })
const state = [laptop, thief].reduce((before, device) => admitted(before, phone, device), born.state)
const first = born.box

function admitted(before: IdentityState, signer: DeviceSecrets, device: DeviceSecrets): IdentityState {
  const possession = provePossession(crypto, before.id, device)
  const entry = addDevice(crypto, before, signer, ownerAdmission(device, false), possession, {
    readsPrivate: true,
  })
  return append(crypto, before, [entry])
}

function byThief(box: Box, from = state): SignedEntry {
  const body = { kind: 'epoch', authorHeads: [], box } as const
  return signEntry(crypto, { identity: state.id, previous: from.next, author: undefined, body }, thief)
}

const epochsOf = (of: IdentityState, device: DeviceSecrets): (readonly BoxSecret[])[] =>
  of.boxes.map(({ epoch }) => deviceBoxes(crypto, of, device).ofEpoch(epoch))

it('that leads nowhere takes nothing from those who were there, nor from those who come', () => {
  const next = newBoxSecret(crypto, 2)
  const made = makeBox(crypto, thief, [phone, laptop, thief, words], next, [first])
  const links = made.links.map((link) => ({ ...link, sealed: new Uint8Array(72) }))
  const after = append(crypto, state, [byThief({ ...made, links })])
  for (const device of [phone, laptop, words]) expect(epochsOf(after, device)).toEqual([[first], [next]])
  const { entry, box } = revokeDevice(crypto, after, phone, thief.key, [])
  const healed = append(crypto, after, [entry])
  const camera = newDevice()
  expect(epochsOf(admitted(healed, phone, camera), camera)).toEqual([[first], [next], [box]])
})

it('that leads nowhere is led around: what came before is opened by what was wrapped then, and linked anew', () => {
  const second = append(crypto, state, [nextEpoch(crypto, state, phone)])
  const next = newBoxSecret(crypto, 3)
  const made = makeBox(crypto, thief, [phone, laptop, thief, words], next, [], second.boxes.at(-1))
  const after = append(crypto, second, [byThief(made, second)])
  const unreached = deviceBoxes(crypto, after, phone).unlinked()
  expect(unreached.map(({ epoch }) => epoch)).toEqual([2, 1])
  const healed = append(crypto, after, [revokeDevice(crypto, after, phone, thief.key, []).entry])
  const camera = newDevice()
  const opened = epochsOf(admitted(healed, phone, camera), camera)
  expect(opened.map(({ length }) => length)).toEqual([1, 1, 1, 1])
})

it('that is for itself alone keeps nobody from shutting it out, and is for nobody to seal under', () => {
  const next = newBoxSecret(crypto, 2)
  const made = makeBox(crypto, thief, [thief, words], next, [first])
  const garbled = made.wraps.map((wrap) =>
    wrap.recipient === words.key ? { ...wrap, sealed: new Uint8Array(72) } : wrap,
  )
  const after = append(crypto, state, [byThief({ ...made, wraps: garbled })])
  for (const device of [phone, laptop, words]) {
    expect(deviceBoxes(crypto, after, device).current()).toBeUndefined()
    expect(deviceBoxes(crypto, after, device).isUnlinkedBy(device.key)).toBe(false)
    expect(epochsOf(after, device)).toEqual([[first], []])
    const { entry, box } = revokeDevice(crypto, after, device, thief.key, [])
    const healed = append(crypto, after, [entry])
    for (const other of [phone, laptop, words]) {
      expect(epochsOf(healed, other)).toEqual([[first], [], [box]])
      expect(deviceBoxes(crypto, healed, other).current()).toEqual(box)
    }
    expect(deviceBoxes(crypto, healed, thief).current()).toBeUndefined()
    const camera = newDevice()
    expect(epochsOf(admitted(healed, phone, camera), camera)).toEqual([[first], [], [box]])
  }
  const renewed = newDevice()
  expect(append(crypto, after, [rotate(crypto, after, phone, renewed).entry]).boxes).toHaveLength(3)
  // Who comes meanwhile is given what there is.
  const camera = newDevice()
  expect(epochsOf(admitted(after, phone, camera), camera)).toEqual([[first], []])
})

it('forked from before it was shut out is opened last, and so many at most', () => {
  const { entry } = revokeDevice(crypto, state, phone, thief.key, [])
  const shut = append(crypto, state, [entry])
  const forks = Array.from({ length: 40 }, () => newBoxSecret(crypto, 2)).map((next) =>
    byThief(makeBox(crypto, thief, [phone, laptop, words], next, [first])),
  )
  const robbed = append(crypto, shut, forks)
  expect([robbed.boxes.length, robbed.lostBoxes.length]).toEqual([2, 40])
  expect(robbed.lostBoxes.every(({ isSuspect }) => isSuspect)).toBe(true)
  const boxes = deviceBoxes(crypto, robbed, phone)
  expect([boxes.ofEpoch(1), boxes.ofEpoch(2)[0]?.publicKey]).toEqual([[first], robbed.boxes[1]?.publicKey])
  expect([boxes.ofEpoch(2).length, boxes.unlinked().length]).toEqual([9, 32])
  expect(boxes.isUnlinkedBy(phone.key)).toBe(false)
})
