import { describe, expect, it } from 'vitest'
import { append } from '../../protocol/identity/log.ts'
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
import { heldBack, probationMs } from '../../protocol/identity/probation.ts'
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(22)
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
const [first, thief, third] = [newDevice(), newDevice(), newDevice()]
const alone = createIdentity(crypto, first).state
const state = append(crypto, alone, [admit(alone, first, thief, true)])

/** For which device the entry is held back, when its signer has been known for so long. */
const judge = (entry: SignedEntry, knownMs = 0): Uint8Array | undefined =>
  heldBack(state, entry, () => knownMs)

describe('a device on probation', () => {
  it.each<[string, SignedEntry]>([
    ['lets nobody in', admit(state, thief, third, true)],
    ['shuts nobody out', revokeDevice(crypto, state, thief, first.key, []).entry],
    ['names no recovery words', rotate(crypto, state, thief, third).entry],
  ])('%s, until it was known for a day', (_what, entry) => {
    expect(judge(entry)).toEqual(thief.key)
    expect(judge(entry, probationMs - 1)).toEqual(thief.key)
    expect(judge(entry, probationMs)).toBeUndefined()
  })

  it('may leave by itself', () => {
    expect(judge(revokeDevice(crypto, state, thief, thief.key, []).entry)).toBeUndefined()
  })

  it('is stopped by the device, not by the kind of entry: others do all this at once', () => {
    expect(judge(admit(state, first, third, true))).toBeUndefined()
    expect(judge(revokeDevice(crypto, state, first, thief.key, []).entry)).toBeUndefined()
    expect(judge(vouch(crypto, state, first, thief.key))).toBeUndefined()
  })

  it('is bound no more once an older key vouched', () => {
    const vouched = append(crypto, state, [vouch(crypto, state, first, thief.key)])
    const entry = admit(vouched, thief, third, true)
    expect(heldBack(vouched, entry, () => 0)).toBeUndefined()
  })
})

function admit(
  on: IdentityState,
  signer: DeviceSecrets,
  device: DeviceSecrets,
  probation: boolean,
): SignedEntry {
  const possession = provePossession(crypto, on.id, device)
  return addDevice(crypto, on, signer, ownerAdmission(device, probation), possession, { readsPrivate: true })
}
