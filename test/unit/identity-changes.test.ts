import { expect, test } from 'vitest'
import { changeInWords, markTold, untoldChanges } from '../../client/identity/changes.ts'
import { Identity, joinIdentity, makeIdentity } from '../../client/identity/identity.ts'
import { memoryKeyStore } from '../../client/key-store.ts'
import { toHex } from '../../protocol/bytes.ts'
import { changesIn } from '../../protocol/identity/changes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
  vouch,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(41)
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
const [words, first, second, third] = [newDevice(), newDevice(), newDevice(), newDevice()]

function admit(state: IdentityState, by: DeviceSecrets, of: DeviceSecrets, probation = false): SignedEntry {
  const reads = state.boxes.at(-1)?.wraps.has(toHex(by.key)) === true
  const possession = provePossession(crypto, state.id, of)
  return addDevice(crypto, state, by, ownerAdmission(of, probation), possession, { readsPrivate: reads })
}

const put = (state: IdentityState, ...entries: SignedEntry[]): IdentityState => append(crypto, state, entries)
const kinds = (state: IdentityState) =>
  changesIn(state).map(
    ({ kind, isByWords, isDropped }) =>
      `${kind}${isByWords ? ' by words' : ''}${isDropped ? ' dropped' : ''}`,
  )

test('each entry but the first, and but a new secret alone, is a change', () => {
  let state = createIdentity(crypto, first, { recovery: words }).state
  expect(changesIn(state)).toEqual([])
  state = put(state, admit(state, words, second, true))
  state = put(state, vouch(crypto, state, first, second.key))
  state = put(state, rotate(crypto, state, first, newDevice()).entry)
  state = put(state, revokeDevice(crypto, state, first, second.key, []).entry)
  expect(kinds(state)).toEqual(['added by words', 'vouched', 'recovery', 'revoked'])
  expect(changesIn(state)[0]).toMatchObject({ device: second.key, role: 'owner', by: words.key })
  expect(changesIn(state)[2]).toMatchObject({ device: undefined, role: undefined, by: first.key })
})

test('what lost is a change that came to nothing, whatever came first', () => {
  const born = createIdentity(crypto, first, { recovery: words }).state
  const two = put(born, admit(born, first, second))
  const honest = revokeDevice(crypto, two, first, second.key, []).entry
  const thiefs = admit(two, second, third)
  for (const order of [
    [honest, thiefs],
    [thiefs, honest],
  ]) {
    const state = order.reduce((sum, entry) => put(sum, entry), two)
    expect(kinds(state).toSorted()).toEqual(['added', 'added dropped', 'revoked'])
    expect(changesIn(replay(crypto, state.entries))).toEqual(changesIn(state))
  }
})

test('a device is told of each change by others once, and of its own when they come to nothing', async () => {
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys, crypto })
  const others = deviceFromSeed(crypto, crypto.random(32))
  const request = { key: others.key, boxKey: others.boxKey, role: 'owner' as const }
  await identity.admit({
    ...request,
    possession: provePossession(crypto, identity.id, others),
    readsPrivate: true,
  })
  expect(await untoldChanges(keys, identity)).toEqual([])

  const before = identity.state
  const theirs = admit(before, others, third)
  await identity.learn(encodeLog([theirs]))
  const [change, ...more] = await untoldChanges(keys, identity)
  expect(more).toEqual([])
  expect(change).toMatchObject({ kind: 'added', device: third.key, by: others.key, isDropped: false })
  expect(await untoldChanges(keys, identity)).toHaveLength(1)
  await markTold(keys, [])
  expect(await untoldChanges(keys, identity)).toHaveLength(1)
  await markTold(keys, change === undefined ? [] : [change])
  expect(await untoldChanges(keys, identity)).toEqual([])

  // Shut out meanwhile: what was told before lost, and is told again.
  const shut = revokeDevice(crypto, before, identity.device, others.key, []).entry
  await identity.learn(encodeLog([shut]))
  expect(await untoldChanges(keys, identity)).toMatchObject([
    { kind: 'added', device: third.key, isDropped: true },
  ])

  // Somebody who joins knows how things stand; of an install from before this was kept it is taken to be so.
  const joining = memoryKeyStore()
  const seed = crypto.random(32)
  await joining.write(new Map([['device', seed]]))
  const device = deviceFromSeed(crypto, seed)
  const log = encodeLog(put(identity.state, admit(identity.state, identity.device, device)).entries)
  const joined = await joinIdentity({ keys: joining, crypto }, log)
  expect(await untoldChanges(joining, joined)).toEqual([])
  await joining.write(new Map([['told', undefined]]))
  expect(await untoldChanges(joining, joined)).toEqual([])
  expect(joined).toBeInstanceOf(Identity)
})

test('in words', () => {
  const born = createIdentity(crypto, first, { recovery: words }).state
  const state = put(born, admit(born, words, second))
  const two = put(state, rotate(crypto, state, second, newDevice()).entry)
  const three = put(two, revokeDevice(crypto, two, first, second.key, []).entry)
  const name = (key: Uint8Array): string => (toHex(key) === toHex(first.key) ? 'your laptop' : 'the tablet')
  expect(changesIn(three).map((change) => changeInWords(change, name))).toEqual([
    'A device was added: the tablet, by the recovery words.',
    'New recovery words were put in force by the tablet.',
    'The tablet was shut out by your laptop.',
  ])
  const [added] = changesIn(state)
  expect(added && changeInWords({ ...added, role: 'app', isDropped: true }, name)).toBe(
    'A device with the role app was added: the tablet, by the recovery words. It came to nothing: another device, or the words, did otherwise.',
  )
  expect(added && changeInWords({ ...added, kind: 'vouched' }, name)).toBe(
    'The tablet was vouched for by the recovery words: it is on probation no more.',
  )
})
