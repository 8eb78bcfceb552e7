import { describe, expect, it } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { rankOfKey } from '../../protocol/identity/apply.ts'
import { makeBox, newBoxSecret } from '../../protocol/identity/box.ts'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
import { signEntry } from '../../protocol/identity/entry.ts'
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
import type { DeviceSecrets, EntryBody, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { expectSame } from '../support/same.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

// Signatures are looked at elsewhere: here thousands of histories are.
const random = createSeededRandom(5)
const crypto: CryptoProvider = { ...(await loadCrypto({ random })), verifyStrict: () => true }

const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, crypto.random(32))
const [words, first, second, third, added] = [newDevice(), newDevice(), newDevice(), newDevice(), newDevice()]
const keys: readonly DeviceSecrets[] = [words, first, second, third]

const base = grown(createIdentity(crypto, first, { recovery: words }).state, [
  (state) => admit(state, first, second, false),
  (state) => admit(state, second, third, true),
])

type Step = (state: IdentityState) => SignedEntry

/** What any of the four keys can do: let somebody in, shut another out, itself too, vouch, change the words or the secret. */
const steps: readonly Step[] = keys.flatMap((signer): Step[] => [
  (state) => admit(state, signer, added, false),
  (state) => admit(state, signer, newDevice(), true),
  ...[first, second, third].map(
    ({ key }): Step =>
      (state) =>
        revokeDevice(crypto, state, signer, key, []).entry,
  ),
  (state) => vouch(crypto, state, signer, third.key),
  (state) => rotate(crypto, state, signer, newDevice()).entry,
  (state) => anotherEpoch(state, signer),
])

/** Of the kinds that fare differently where branches meet. */
const goingOn: readonly ((state: IdentityState, signer: DeviceSecrets) => SignedEntry)[] = [
  (state, signer) => admit(state, signer, newDevice(), false),
  (state, signer) => anotherEpoch(state, signer),
]

describe('what a log says', () => {
  it('is the same for two entries made at once, in whichever order they come', () => {
    let forks = 0
    for (const one of steps) {
      for (const other of steps) {
        const branches = [branch(base, [one]), branch(base, [other])]
        if (branches.some(({ length }) => length === 0)) continue
        settle(branches as SignedEntry[][])
        forks++
      }
    }
    expect(forks).toBeGreaterThan(400)
  })

  it('is the same for any three entries made at once, in every order', { timeout: 120_000 }, () => {
    const made = steps.flatMap((step) => branch(base, [step]))
    let forks = 0
    for (let a = 0; a < made.length; a++)
      for (let b = a + 1; b < made.length; b++)
        for (let c = b + 1; c < made.length; c++) {
          settle([made[a], made[b], made[c]].map((entry) => [entry as SignedEntry]))
          forks++
        }
    expect(forks).toBeGreaterThan(2_000)
  })

  it(
    'is the same for branches of two and of three heads, in every order that can be',
    { timeout: 120_000 },
    () => {
      const draw = createSeededRandom(6)
      const any = (): Step => steps[Math.floor(draw.next() * steps.length)] as Step
      for (let i = 0; i < 400; i++) {
        const branches = [branch(base, [any(), any()]), branch(base, [any(), any()]), branch(base, [any()])]
        const made = branches.filter(({ length }) => length > 0)
        if (made.length > 1) settle(made)
      }
    },
  )

  it('is the same for a fork within a fork, and goes on from there', () => {
    const draw = createSeededRandom(7)
    const any = (): Step => steps[Math.floor(draw.next() * steps.length)] as Step
    for (let i = 0; i < 200; i++) {
      const [left] = branch(base, [any()])
      if (left === undefined) continue
      const inner = append(crypto, base, [left])
      const branches = [branch(inner, [any()]), branch(inner, [any()])].filter(({ length }) => length > 0)
      const right = branch(base, [any()])
      if (right.length === 0 || branches.length === 0) continue
      const settled = settle([...branches, right], inner)
      // Somebody can always go on: the log is never frozen.
      const [able] = keys.filter(({ key }) => rankOfKey(settled, key) !== undefined)
      if (able === undefined) {
        expect(liveRanks(settled)).not.toEqual([])
        continue
      }
      const after = append(crypto, settled, [admit(settled, able, newDevice(), false)])
      expect(after.dropped).toEqual(settled.dropped)
    }
  })
})

it(
  'whoever goes on turns nothing that holds, and heads that need not be followed may go',
  { timeout: 120_000 },
  () => {
    const draw = createSeededRandom(11)
    const any = <T>(all: readonly T[]): T => all[Math.floor(draw.next() * all.length)] as T
    let [lost, followed] = [0, 0]
    for (let i = 0; i < 1_500; i++) {
      const states = [base]
      for (let made = 0; made < 5; made++) {
        let from = any(states)
        if (draw.next() < 0.3) from = append(crypto, from, any(states).entries)
        const [entry] = branch(from, [any(steps)])
        if (entry !== undefined) states.push(append(crypto, from, [entry]))
      }
      const whole = states.reduce((sum, { entries }) => append(crypto, sum, entries), base)
      if (whole.dropped.size === 0) continue
      lost++
      if (whole.next.length > whole.holding.length) followed++
      const still = (state: IdentityState) => held(state).filter((name) => held(whole).includes(name))
      const without = replay(crypto, followedIn(whole))
      expect(held(without)).toEqual(held(whole))
      const able = keys.filter(({ key }) => rankOfKey(whole, key) !== undefined)
      for (const one of [whole, without])
        for (const key of able) {
          for (const step of goingOn) {
            const [entry] = branch(one, [(state) => step(state, key)])
            if (entry === undefined) continue
            const after = append(crypto, one, [entry])
            expect(still(after)).toEqual(held(whole))
            expect(after.dropped.has(toHex(entry.hash))).toBe(false)
          }
        }
    }
    expect(lost).toBeGreaterThan(1_000)
    expect(followed).toBeGreaterThan(10)
  },
)

/** In hex, what took effect. */
function held({ entries, dropped }: IdentityState): string[] {
  return entries.map(({ hash }) => toHex(hash)).filter((name) => !dropped.has(name))
}

/** What the next entry follows, and all before that. */
function followedIn({ entries, next }: IdentityState): SignedEntry[] {
  const needed = new Set(next.map(toHex))
  return entries
    .toReversed()
    .filter(({ hash, previous }) => {
      const isNeeded = needed.has(toHex(hash))
      if (isNeeded) for (const parent of previous) needed.add(toHex(parent))
      return isNeeded
    })
    .toReversed()
}

/** Whatever a lower-ranked key did meanwhile, the higher one comes out of it as it went in, or gave itself up. */
it('no branch harms the key that outranks it', () => {
  for (const [rank, victim] of keys.entries()) {
    for (const own of steps) {
      const [honest] = branch(base, [own])
      if (honest === undefined || toHex(honest.signer) !== toHex(victim.key)) continue
      for (const theirs of steps) {
        const [attack] = branch(base, [theirs])
        if (attack === undefined || (rankOfKey(base, attack.signer) ?? 0) <= rank) continue
        const settled = append(crypto, append(crypto, base, [attack]), [honest])
        const alone = append(crypto, base, [honest])
        expect(rankOfKey(settled, victim.key)).toBe(rankOfKey(alone, victim.key))
      }
    }
  }
})

/** All orders in which entries may arrive, each one at a time: one verdict. */
function settle(branches: readonly SignedEntry[][], from = base): IdentityState {
  let settled: IdentityState | undefined
  for (const order of interleavings(branches)) {
    let state = from
    for (const entry of order) state = append(crypto, state, [entry])
    settled ??= state
    expectSame(state, settled)
  }
  const all = (settled as IdentityState).entries
  expectSame(replay(crypto, all.toReversed()), settled)
  expect(liveRanks(settled as IdentityState).length).toBeGreaterThan(0)
  return settled as IdentityState
}

function liveRanks(state: IdentityState): number[] {
  const ranks = [...state.devices.values()].flatMap(({ key }) => rankOfKey(state, key) ?? [])
  return state.recovery === undefined ? ranks : [0, ...ranks]
}

/** As far as the rules allow. */
function branch(from: IdentityState, plan: readonly Step[]): SignedEntry[] {
  const entries: SignedEntry[] = []
  let state = from
  for (const step of plan) {
    try {
      const entry = step(state)
      state = append(crypto, state, [entry])
      entries.push(entry)
    } catch (error) {
      if (!(error instanceof OnehopError)) throw error
      break
    }
  }
  return entries
}

function grown(state: IdentityState, plan: readonly Step[]): IdentityState {
  return append(crypto, state, branch(state, plan))
}

function admit(state: IdentityState, signer: DeviceSecrets, of: DeviceSecrets, probation: boolean) {
  const reads = state.boxes.at(-1)?.wraps.has(toHex(signer.key)) === true
  const possession = provePossession(crypto, state.id, of)
  return addDevice(crypto, state, signer, ownerAdmission(of, probation), possession, { readsPrivate: reads })
}

function anotherEpoch(state: IdentityState, signer: DeviceSecrets): SignedEntry {
  const before = deviceBoxes(crypto, state, signer).newest()
  if (before === undefined) throw new OnehopError('FORBIDDEN', 'it was not given the secret')
  const readers = [...state.devices.values()].filter(({ key, revoked }) => {
    const wraps = state.boxes.at(-1)?.wraps
    return revoked === undefined && wraps?.has(toHex(key)) === true
  })
  const recipients = state.recovery === undefined ? readers : [...readers, state.recovery]
  const next = newBoxSecret(crypto, before.epoch + 1)
  const body: EntryBody = {
    kind: 'epoch',
    authorHeads: [],
    box: makeBox(crypto, signer, recipients, next, [before]),
  }
  return signEntry(crypto, { identity: state.id, previous: state.next, author: undefined, body }, signer)
}

/** Every order that keeps the order within each branch. */
function interleavings<T>(branches: readonly (readonly T[])[]): T[][] {
  const open = branches.filter((one) => one.length > 0)
  if (open.length === 0) return [[]]
  return open.flatMap((one) =>
    interleavings(open.map((other) => (other === one ? other.slice(1) : other))).map((rest) => [
      one[0] as T,
      ...rest,
    ]),
  )
}
