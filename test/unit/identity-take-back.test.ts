import { expect, test } from 'vitest'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  nextEpoch,
  ownerAdmission,
  provePossession,
  rotate,
} from '../../protocol/identity/make.ts'
import { beforeReplaced } from '../../protocol/identity/take-back.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(77)
const secrets = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))

function story() {
  const [laptop, phone, words] = [secrets(), secrets(), secrets()]
  const { state } = createIdentity(crypto, laptop, { recovery: words })
  const possession = provePossession(crypto, state.id, phone)
  const both = append(crypto, state, [
    addDevice(crypto, state, laptop, ownerAdmission(phone, false), possession, { readsPrivate: true }),
  ])
  return { laptop, phone, words, state: both }
}

const rotated = (on: IdentityState, by: DeviceSecrets, to: DeviceSecrets) =>
  append(crypto, on, [rotate(crypto, on, by, to).entry])

test('words speak on what was before they were replaced, on however many branches that was done', () => {
  const { laptop, phone, words, state } = story()
  const branches = [laptop, phone].map((by) => rotated(rotated(state, by, secrets()), by, secrets()))
  const all = branches.reduce((sum, { entries }) => append(crypto, sum, entries), state)
  const before = beforeReplaced(crypto, all, words.key)
  expect(before?.entries).toEqual(state.entries)
  const taken = append(crypto, all, [nextEpoch(crypto, before as IdentityState, words)])
  expect(taken.recovery?.key).toEqual(words.key)
  // A thief does it once more, and it is taken back once more, with what the words said meanwhile.
  const anew = rotated(taken, phone, secrets())
  expect(beforeReplaced(crypto, anew, words.key)?.heads).toEqual(taken.holding)
})

test('words that came in place of others speak on what made them come', () => {
  const { laptop, phone, words, state } = story()
  const newer = secrets()
  const renewed = rotated(state, laptop, newer)
  const stolen = rotated(renewed, phone, secrets())
  expect(beforeReplaced(crypto, stolen, newer.key)?.entries).toEqual(renewed.entries)
  expect(beforeReplaced(crypto, stolen, words.key)?.entries).toEqual(state.entries)
})

test('nothing is taken back that nobody did, or the words themselves', () => {
  const { words, state } = story()
  expect(beforeReplaced(crypto, state, words.key)).toBeUndefined()
  expect(beforeReplaced(crypto, state, secrets().key)).toBeUndefined()
  expect(beforeReplaced(crypto, rotated(state, words, secrets()), words.key)).toBeUndefined()
})

test('words that replaced themselves on one branch are not what another branch takes back', () => {
  const { phone, words, state } = story()
  const both = append(crypto, rotated(state, words, secrets()), rotated(state, phone, secrets()).entries)
  expect(beforeReplaced(crypto, both, words.key)).toBeUndefined()
})

test('words that came while others came elsewhere speak on what was before both', () => {
  const { laptop, phone, state } = story()
  const stolen = rotated(state, phone, secrets())
  const orders = new Set<boolean>()
  // Whichever of the two stands first in the log, the other is no part of what made it come.
  for (let i = 0; i < 12; i++) {
    const newer = secrets()
    const renewed = rotated(state, laptop, newer)
    const both = append(crypto, stolen, renewed.entries)
    orders.add(both.entries.at(-1) === stolen.entries.at(-1))
    expect(beforeReplaced(crypto, both, newer.key)?.entries).toEqual(renewed.entries)
  }
  expect(orders.size).toBe(2)
})
