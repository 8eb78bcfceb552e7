/** A group's secret after a member shut a device out: who renews it, when, and how often. */
import { expect, it } from 'vitest'
import { nextEpoch } from '../../client/groups/group-epochs.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import { newBoxSecret } from '../../protocol/identity/box.ts'
import { memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { addMember, membersBehind } from '../../protocol/identity/make-group.ts'
import { deviceFromSeed, revokeDevice } from '../../protocol/identity/make.ts'
import type { BoxState, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { createCrowd, type Human } from '../support/crowd.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

const crypto = await loadCrypto({ random: createSeededRandom(14) })

/** Lets a device in and shuts it out again: what it could open is theirs no more. */
function turnOver(human: Human): void {
  const gone = deviceFromSeed(crypto, crypto.random(32))
  human.add(gone)
  human.state = append(crypto, human.state, [
    revokeDevice(crypto, human.state, human.device, gone.key, []).entry,
  ])
}

const byOwner = ({ state, device, boxes }: Human) => ({ person: state, device, boxes })

it('is given by an owner when a member has another secret, to what all members open now', () => {
  const { state, ada, bob, cleo, people } = createCrowd(crypto)
  const renew = (human: Human, of: IdentityState) => nextEpoch(crypto, of, byOwner(human), people)
  expect(membersBehind(state, people)).toEqual([])
  expect(renew(ada, state)).toBeUndefined()

  turnOver(cleo)
  expect(membersBehind(state, people)).toEqual([cleo.id])
  // She may only read there.
  expect(() => renew(cleo, state)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
  const entry = renew(ada, state)!
  const after = append(crypto, state, [entry], people)
  expect([after.boxes.at(-1)?.epoch, membersBehind(after, people)]).toEqual([2, []])
  for (const human of [ada, bob, cleo])
    expect(memberBoxes(crypto, after, human.id, human.boxes).newest()?.epoch).toBe(2)

  // Two owners at once: the one of higher rank counts, and the log goes on.
  turnOver(bob)
  const [one, other] = [renew(ada, after)!, renew(bob, after)!]
  const forked = append(crypto, after, [other, one], people)
  expect([...forked.dropped]).toEqual([toHex(other.hash)])
  expect(renew(ada, forked)).toBeUndefined()
})

it('is wrapped for nobody by a log that is older than the group knows', () => {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  const before = cleo.state
  turnOver(cleo)
  const renewed = append(crypto, state, [nextEpoch(crypto, state, byOwner(ada), people)!], people)
  // What her revoked device opens is what her log said then.
  const older = (id: Uint8Array) => (toHex(id) === toHex(cleo.id) ? before : people(id))
  expect(membersBehind(renewed, older)).toEqual([])
  turnOver(bob)
  expect(() => nextEpoch(crypto, renewed, byOwner(ada), older)).toThrow(
    expect.objectContaining({ code: 'STALE' }),
  )
  expect(nextEpoch(crypto, renewed, byOwner(ada), people)).toBeDefined()
})

it('is for members too who were let in without one', () => {
  const { ada, cleo, dan, people, state } = createCrowd(crypto)
  const joining = addMember(crypto, state, ada.signer, { identity: dan.id, role: 'writer' }, { people })
  const four = append(crypto, state, [joining], people)
  turnOver(cleo)
  const after = append(crypto, four, [nextEpoch(crypto, four, byOwner(ada), people)!], people)
  expect(memberBoxes(crypto, after, dan.id, dan.boxes).newest()?.epoch).toBe(2)
})

it('is nothing that a group with no secret has, nor one whose members are not known', () => {
  const { state, ada, bob, people } = createCrowd(crypto, { isSealed: false })
  turnOver(bob)
  expect(nextEpoch(crypto, state, byOwner(ada), people)).toBeUndefined()
  const sealed = createCrowd(crypto)
  expect(membersBehind(sealed.state, () => undefined)).toEqual([])
})

it('is not given by itself to a log that is nearly full: people are still let in and put out', () => {
  const { ada, bob, people, ...founded } = createCrowd(crypto)
  let { state } = founded
  const renew = (): void => {
    // One who turns devices over for ever; his own log would be full first, so only its epoch is turned here.
    const newest = bob.state.boxes.at(-1) as BoxState
    const turned = { ...newest, ...newBoxSecret(crypto, newest.epoch + 1) }
    bob.state = { ...bob.state, boxes: [...bob.state.boxes.slice(-1), turned] }
    const entry = nextEpoch(crypto, state, byOwner(ada), people) as SignedEntry
    state = append(crypto, state, [entry], people)
  }
  const untilFull = (): number => {
    for (let turns = 0; ; turns++) {
      try {
        renew()
      } catch (error) {
        expect(error).toMatchObject({ code: 'TOO_LARGE' })
        return turns
      }
    }
  }
  expect(untilFull()).toBeGreaterThan(100)
  expect(encodeLog(state.entries).length).toBeLessThanOrEqual(limits.identityLogBytesMax * 0.75)
  expect(state.entries.length).toBeLessThanOrEqual(limits.identityEntriesMax * 0.75)
})
