import { describe, expect, test } from 'vitest'
import { serverLimits } from '../../daemon/api/limits.ts'
import { UsedNonces } from '../../daemon/api/used-nonces.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { owner, device, strangerDevice } from '../support/api-node.ts'

const startS = 1_768_478_400
const { signatureWindowS: windowS } = apiLimits

/** Takes what was created now, unless told otherwise. */
function memory() {
  const used = new UsedNonces(startS * 1000)
  const take = (nonce: string, nowS: number, createdS = nowS, key = device.key, person = owner): void =>
    used.take({ owner: person, device: key, nonce, createdS, as: 'resident' }, nowS * 1000)
  return { used, take }
}

describe('nonces of signed requests', () => {
  test('are taken once, by each device', () => {
    const { take } = memory()
    take('a', startS)
    expect(() => take('a', startS)).toThrow(/answered already/)
    take('a', startS, startS, strangerDevice.key)
    take('b', startS)
  })

  test('are remembered as long as their signature is good, to the last second', () => {
    const { take } = memory()
    take('a', startS + 100, startS + 100)
    for (const passed of [1, windowS / 2, windowS]) {
      expect(() => take('a', startS + 100 + passed, startS + 100)).toThrow(/answered already/)
      take(`other ${passed}`, startS + 100 + passed)
    }
  })

  test('are forgotten afterwards', () => {
    const { used, take } = memory()
    for (let i = 0; i < 50; i++) take(`n${i}`, startS + 1)
    take('later', startS + 2 + 2 * windowS)
    expect(used.size).toBe(1)
  })

  test('what was forgotten is not taken again when the clock goes back', () => {
    const { take } = memory()
    take('a', startS + 1)
    take('b', startS + 2 + 2 * windowS)
    expect(() => take('a', startS + 1)).toThrow(/older than what this node remembers/)
    expect(() => take('new', startS + 1)).toThrow(
      expect.objectContaining({ help: expect.stringContaining('clock was set') }),
    )
  })

  test('the time before the start counts as forgotten', () => {
    const { take } = memory()
    expect(() => take('a', startS, startS - 1)).toThrow(/older/)
    take('a', startS, startS)
  })

  test('one device fills its own share only, and nothing still good makes way', () => {
    const { take, used } = memory()
    for (let i = 0; i < serverLimits.noncesPerDeviceMax; i++) take(`n${i}`, startS + 1)
    expect(() => take('one more', startS + 1)).toThrow(expect.objectContaining({ code: 'BUSY' }))
    expect(() => take('n0', startS + 1)).toThrow(/answered already/)
    take('mine', startS + 1, startS + 1, strangerDevice.key)
    expect(used.size).toBe(serverLimits.noncesPerDeviceMax + 1)
    expect(() => take('one more', startS + 1 + windowS)).toThrow(expect.objectContaining({ code: 'BUSY' }))
    take('one more', startS + 2 + windowS)
  })

  test('visitors fill their share only, and who lives here has room', () => {
    const { used } = memory()
    const nowS = startS + 1
    const visit = (i: number): void => {
      const person = Uint8Array.from(owner, (_, at) => (at === 0 ? i % 5 : 7))
      used.take({ owner: person, device: person, nonce: `n${i}`, createdS: nowS, as: 'visitor' }, nowS * 1000)
    }
    for (let i = 0; i < serverLimits.visitorNoncesMax; i++) visit(i)
    expect(() => visit(serverLimits.visitorNoncesMax + 1)).toThrow(expect.objectContaining({ code: 'BUSY' }))
    used.take({ owner, device: device.key, nonce: 'mine', createdS: nowS, as: 'resident' }, nowS * 1000)
    const laterS = nowS + 1 + windowS
    used.take({ owner, device: owner, nonce: 'b', createdS: laterS, as: 'visitor' }, laterS * 1000)
    expect(used.size).toBe(1)
  })

  test('an identity fills its own share only, however many devices it admits', () => {
    const { take } = memory()
    const { noncesPerDeviceMax, noncesPerIdentityMax } = serverLimits
    const keys = Array.from({ length: 10 }, (_, i) => Uint8Array.from(owner, () => i))
    let taken = 0
    let refused: unknown
    for (const key of keys) {
      for (let i = 0; i < noncesPerDeviceMax && refused === undefined; i++) {
        try {
          take(`n${i}`, startS, startS, key)
          taken++
        } catch (error) {
          refused = error
        }
      }
    }
    expect([taken, refused]).toEqual([noncesPerIdentityMax, expect.objectContaining({ code: 'BUSY' })])
    const other = Uint8Array.from(owner, () => 0xee)
    take('mine', startS, startS, device.key, other)
    // What is forgotten is counted no more.
    take('later', startS + 1 + 2 * windowS, startS + 1 + 2 * windowS, keys[0])
  })

  test('all identities together are bounded too', () => {
    const { take } = memory()
    const keys = Array.from({ length: 10 }, (_, i) => Uint8Array.from(owner, () => i))
    for (const key of keys)
      for (let i = 0; i < serverLimits.noncesPerDeviceMax; i++) take(`n${i}`, startS, startS, key, key)
    expect(() => take('a', startS, startS, device.key)).toThrow(expect.objectContaining({ code: 'BUSY' }))
  })
})
