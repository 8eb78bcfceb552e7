/** How many other secrets of a group a node is the first to take in a day. */
import { expect, it } from 'vitest'
import { nextEpoch } from '../../client/groups/group-epochs.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { Identities } from '../../daemon/identities.ts'
import { memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { addMember, changeMember, removeMember } from '../../protocol/identity/make-group.ts'
import { deviceFromSeed, revokeDevice } from '../../protocol/identity/make.ts'
import type { IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { createCrowd, type Human } from '../support/crowd.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = await loadCrypto({ random: createSeededRandom(33) })
const hour = 3_600_000
const perDay = limits.groupEpochsPerDayMax

/** A node that has heard of a group of Ada's, and the group as Ada knows it. */
async function home() {
  const clock = createVirtualClock()
  const store = await openStore(new MemoryKv(), { clock })
  const identities = new Identities(store, crypto, clock)
  const crowd = createCrowd(crypto)
  const { ada, bob, cleo, dan, people } = crowd
  const logs = () => [ada, bob, cleo, dan].map((human) => encodeLog(human.state.entries))
  const accept = (entries: readonly SignedEntry[], isFirst: boolean) =>
    identities.accept(crowd.state.id, encodeLog(entries), { people: logs(), isFirst })
  await accept(crowd.state.entries, true)
  /** Somebody lets a device in and shuts it out; Ada sees that they did. */
  const turn = (human: Human, group: IdentityState): SignedEntry => {
    const gone = deviceFromSeed(crypto, crypto.random(32))
    human.add(gone)
    const { entry } = revokeDevice(crypto, human.state, human.device, gone.key, [])
    human.state = append(crypto, human.state, [entry])
    return nextEpoch(crypto, group, { ...ada.signer, boxes: ada.boxes }, people) as SignedEntry
  }
  return { ...crowd, clock, store, identities, accept, turn }
}

it('a group is given another secret eight times a day; members come and go uncounted', async () => {
  const { ada, bob, cleo, dan, people, clock, store, accept, turn, ...founded } = await home()
  await using _ = store
  let { state } = founded
  const put = async (entry: SignedEntry): Promise<void> => {
    await accept([entry], true)
    state = append(crypto, state, [entry], people)
  }
  for (let i = 0; i < perDay; i++) await put(turn(cleo, state))
  await clock.advance(4 * hour)
  await expect(put(turn(cleo, state))).rejects.toMatchObject({
    code: 'BUSY',
    message: expect.stringContaining(`${perDay} other secrets`),
    help: expect.stringContaining('in 20 h'),
  })

  const { signer } = ada
  const before = memberBoxes(crypto, state, ada.id, ada.boxes).newest()!
  await put(addMember(crypto, state, signer, { identity: dan.id, role: 'writer' }, { people, box: before }))
  await put(changeMember(crypto, state, signer, { identity: dan.id, role: 'owner' }))
  await put(removeMember(crypto, state, signer, cleo.id, { numbers: [], people, before: [before] }).entry)
  expect(state.boxes).toHaveLength(perDay + 2)

  await expect(put(turn(bob, state))).rejects.toMatchObject({ code: 'BUSY' })
  await clock.advance(20 * hour)
  await put(turn(bob, state))
  expect(founded.identities.get(state.id)?.boxes).toHaveLength(perDay + 3)
})

it('what another node took first is not counted', async () => {
  const { cleo, people, store, accept, turn, ...founded } = await home()
  await using _ = store
  let { state } = founded
  for (let i = 0; i <= perDay; i++) state = append(crypto, state, [turn(cleo, state)], people)
  expect((await accept(state.entries, false)).added).toBe(perDay + 1)
  state = append(crypto, state, [turn(cleo, state)], people)
  expect((await accept(state.entries, true)).added).toBe(1)
})
