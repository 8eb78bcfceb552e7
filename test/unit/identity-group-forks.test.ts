/** Owners of a group who do things at once, apart from each other: one verdict, in whatever order it is heard. */
import { expect, it } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import { addMember, changeMember, removeMember, renewEpoch } from '../../protocol/identity/make-group.ts'
import type { IdentityState, MemberRole, SignedEntry } from '../../protocol/identity/types.ts'
import { createCrowd, type Human } from '../support/crowd.ts'
import { expectSame } from '../support/same.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

// Signatures are looked at elsewhere.
const crypto: CryptoProvider = {
  ...(await loadCrypto({ random: createSeededRandom(21) })),
  verifyStrict: () => true,
}

const { ada, bob, cleo, dan, people, state: base } = createCrowd(crypto)
const owners: readonly Human[] = [ada, bob]

type Step = (state: IdentityState) => SignedEntry

const secretOf = (state: IdentityState, human: Human) => {
  const box = memberBoxes(crypto, state, human.id, human.boxes).newest()
  if (box === undefined) throw new OnehopError('FORBIDDEN', 'no member that can read')
  return box
}

const steps: readonly Step[] = owners.flatMap((by): Step[] => {
  const add =
    (of: Human, role: MemberRole): Step =>
    (state) =>
      addMember(crypto, state, by.signer, { identity: of.id, role }, { people, box: secretOf(state, by) })
  const change =
    (of: Human, role: MemberRole): Step =>
    (state) =>
      changeMember(crypto, state, by.signer, { identity: of.id, role })
  const remove =
    (of: Human): Step =>
    (state) =>
      removeMember(crypto, state, by.signer, of.id, { numbers: [], people, before: [secretOf(state, by)] })
        .entry
  return [
    add(dan, 'writer'),
    add(dan, 'owner'),
    change(ada, 'writer'),
    change(bob, 'writer'),
    change(cleo, 'owner'),
    remove(ada),
    remove(bob),
    remove(cleo),
    (state) => renewEpoch(crypto, state, by.signer, { people, before: [secretOf(state, by)] }),
  ]
})

const made = steps.map((step) => step(base))

it('is the same for any two and any three entries, and somebody goes on', () => {
  let forks = 0
  for (let a = 0; a < made.length; a++)
    for (let b = a + 1; b < made.length; b++) {
      settle([made[a], made[b]] as SignedEntry[])
      for (let c = b + 1; c < made.length; c++) {
        settle([made[a], made[b], made[c]] as SignedEntry[])
        forks++
      }
    }
  expect(forks).toBe(816)
})

it('is the same where one of two goes on before the other is heard', () => {
  let forks = 0
  for (const one of made)
    for (const step of steps) {
      const alone = append(crypto, base, [one], people)
      let next: SignedEntry
      try {
        next = step(alone)
        append(crypto, alone, [next], people)
      } catch (error) {
        if (!(error instanceof OnehopError)) throw error
        continue
      }
      for (const other of made) {
        if (other === one) continue
        const states = [
          [one, next, other],
          [one, other, next],
          [other, one, next],
        ].map((order) => order.reduce((state, entry) => append(crypto, state, [entry], people), base))
        expectSame(states[1], states[0])
        expectSame(states[2], states[0])
        forks++
      }
    }
  expect(forks).toBeGreaterThan(1_000)
})

/** All orders: one verdict, an owner who goes on, and a secret that every member with a wrap opens back to the first. */
function settle(entries: readonly SignedEntry[]): void {
  const [settled, ...others] = orders(entries).map((order) =>
    order.reduce((state, entry) => append(crypto, state, [entry], people), base),
  ) as [IdentityState, ...IdentityState[]]
  for (const other of others) expectSame(other, settled)
  expectSame(replay(crypto, settled.entries.toReversed(), people), settled)
  const able = owners.find(({ id }) => settled.members.get(toHex(id))?.role === 'owner')
  const any = able ?? [cleo, dan].find(({ id }) => settled.members.get(toHex(id))?.role === 'owner')
  expect(any).toBeDefined()
  const next = renewEpoch(crypto, settled, any!.signer, { people, before: [secretOf(settled, any!)] })
  const after = append(crypto, settled, [next], people)
  expect(after.dropped).toEqual(settled.dropped)
  const opened = memberBoxes(crypto, after, any!.id, any!.boxes)
  expect([opened.current()?.epoch, opened.ofEpoch(1)]).toEqual([after.boxes.length, [secretOf(base, ada)]])
}

function orders<T>(all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]]
  return all.flatMap((one, i) => orders(all.filter((_, j) => j !== i)).map((rest) => [one, ...rest]))
}
