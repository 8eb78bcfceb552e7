import { describe, expect, it } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { personRules } from '../../protocol/identity/group.ts'
import { History, type Rules } from '../../protocol/identity/history.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(23)
const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
const first = newDevice()
const { state: alone, entry: genesis } = createIdentity(crypto, first)
const [left, right] = [admitted(alone), admitted(alone)]
const after = admitted(append(crypto, alone, [left]))

describe('the history of a log', () => {
  it('takes an entry after those that it follows, never before', () => {
    const history = new History(personRules)
    history.add(genesis)
    expect(() => history.add(after)).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(history.names().size).toBe(1)
    for (const entry of [left, after]) history.add(entry)
    expect(history.inOrder()).toEqual([genesis, left, after])
  })

  it('is of one log: two that have nothing in common never meet', () => {
    const history = new History(personRules)
    const { entry: other } = createIdentity(crypto, newDevice())
    for (const entry of [genesis, other]) history.add(entry)
    expect(() => history.outcome([genesis, other].map(({ hash }) => toHex(hash)))).toThrow(
      expect.objectContaining({ code: 'BAD_IDENTITY' }),
    )
  })

  it('takes a fault for no verdict: neither where an entry is added nor where branches meet', () => {
    let isFaulty = false
    const faulty: Rules = {
      ...personRules,
      admit: () => {},
      apply(facts, entry) {
        if (isFaulty) throw new Error('a fault')
        return personRules.apply(facts, entry)
      },
    }
    const history = new History(faulty)
    for (const entry of [genesis, left, right]) history.add(entry)
    isFaulty = true
    expect(() => history.add(after)).toThrow('a fault')
    expect(history.has(toHex(after.hash))).toBe(false)
    expect(() => history.outcome([left, right].map(({ hash }) => toHex(hash)))).toThrow('a fault')
  })
})

function admitted(state: IdentityState): SignedEntry {
  const device = newDevice()
  const possession = provePossession(crypto, state.id, device)
  return addDevice(crypto, state, first, ownerAdmission(device, false), possession)
}
