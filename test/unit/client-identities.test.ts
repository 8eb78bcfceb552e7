/** What a client learns of others' logs, and what it looks at again. */
import { expect, it } from 'vitest'
import { renewGroups } from '../../client/groups/group-epochs.ts'
import { Identities } from '../../client/identity/identities.ts'
import { Identity } from '../../client/identity/identity.ts'
import { memoryKeyStore } from '../../client/index.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { append } from '../../protocol/identity/log.ts'
import { deviceFromSeed, revokeDevice } from '../../protocol/identity/make.ts'
import { changeMember } from '../../protocol/identity/make-group.ts'
import type { SignedEntry } from '../../protocol/identity/types.ts'
import { createCrowd, type Human } from '../support/crowd.ts'
import { LogNode } from '../support/log-node.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

const plain = await loadCrypto({ random: createSeededRandom(31) })
let verified = 0
const crypto: CryptoProvider = {
  ...plain,
  verifyStrict(...args) {
    verified++
    return plain.verifyStrict(...args)
  },
}
const countOf = async (action: () => Promise<unknown>): Promise<number> => {
  const before = verified
  await action()
  return verified - before
}
const newDevice = () => deviceFromSeed(crypto, crypto.random(32))

it('verifies entries once: looking again at a person and at a group verifies what is new', async () => {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  const node = new LogNode(crypto, [ada.state, bob.state, cleo.state, state])
  const identities = new Identities(crypto, () => node)
  // Each has one entry.
  expect(await countOf(() => identities.refresh(bob.id))).toBe(1)
  expect(await countOf(() => identities.refresh(state.id))).toBe(3)
  for (const id of [bob.id, state.id]) expect(await countOf(() => identities.refresh(id))).toBe(0)
  // Asked of another node all the same.
  expect(await countOf(() => identities.from(node).refresh(state.id))).toBe(0)

  bob.add(newDevice())
  node.know(bob.state)
  const signer = { person: bob.state, device: bob.device }
  const entry = changeMember(crypto, state, signer, { identity: cleo.id, role: 'writer' })
  node.know(append(crypto, state, [entry], people))
  // The device signs as well, to say that it is willing.
  expect(await countOf(() => identities.refresh(state.id))).toBe(3)
  expect(identities.known(state.id)?.members.get(toHex(cleo.id))?.role).toBe('writer')
  expect(identities.known(bob.id)?.devices.size).toBe(2)
})

it('reads what a group says anew when the log of a member has grown', async () => {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  const tablet = newDevice()
  bob.add(tablet)
  const entry = changeMember(
    crypto,
    state,
    { person: bob.state, device: tablet },
    { identity: cleo.id, role: 'writer' },
  )
  const changed = append(crypto, state, [entry], people)
  const node = new LogNode(crypto, [ada.state, bob.state, cleo.state, changed])
  const identities = new Identities(crypto, () => node)
  expect((await identities.get(state.id)).members.get(toHex(cleo.id))?.role).toBe('writer')

  const gone = revokeDevice(crypto, bob.state, bob.device, tablet.key, []).entry
  node.know(append(crypto, bob.state, [gone]))
  const again = await identities.refresh(state.id)
  expect([...again.dropped]).toEqual([toHex(entry.hash)])
  expect(again.members.get(toHex(cleo.id))?.role).toBe('reader')
})

it('takes nothing from a node that sends the log of another', async () => {
  const { ada, bob, cleo, state } = createCrowd(crypto)
  const node = new LogNode(crypto, [ada.state, bob.state, cleo.state, state])
  const identities = new Identities(crypto, () => ({
    call: async (operation, _, options) => node.call(operation, { identity: state.id } as never, options),
  }))
  await expect(identities.get(bob.id)).rejects.toMatchObject({ code: 'BAD_IDENTITY' })
  for (const { id } of [ada, bob, cleo, state]) expect(identities.known(id)).toBeUndefined()
})

it('takes no entry that nobody signed, nor one log in two', async () => {
  const { ada, bob } = createCrowd(crypto)
  const node = new LogNode(crypto, [ada.state, bob.state])
  const identities = new Identities(crypto, () => node)
  await identities.get(ada.id)
  const before = ada.state
  ada.add(newDevice())
  const forged = { ...(ada.state.entries[1] as SignedEntry), signature: new Uint8Array(64) }
  node.know({ ...before, entries: [...before.entries, forged] })
  await expect(identities.refresh(ada.id)).rejects.toMatchObject({ code: 'BAD_SIGNATURE' })
  node.know({ ...before, entries: [...before.entries, ...bob.state.entries] })
  await expect(identities.refresh(ada.id)).rejects.toMatchObject({ code: 'BAD_IDENTITY' })
  node.know({ ...before, entries: ada.state.entries.slice(1) })
  await expect(identities.refresh(ada.id)).rejects.toMatchObject({ code: 'BAD_IDENTITY' })
  expect(identities.known(ada.id)?.devices.size).toBe(1)
  node.know(ada.state)
  expect((await identities.refresh(ada.id)).devices.size).toBe(2)
})

/** Lets a device in and shuts it out again. */
function turnOver(human: Human): void {
  const gone = newDevice()
  human.add(gone)
  const { entry } = revokeDevice(crypto, human.state, human.device, gone.key, [])
  human.state = append(crypto, human.state, [entry])
}

it('verifies nothing twice either where a revocation looks after the groups', async () => {
  const { ada, bob, cleo, state } = createCrowd(crypto)
  turnOver(bob)
  const node = new LogNode(crypto, [ada.state, bob.state, cleo.state, state])
  const identities = new Identities(crypto, () => node)
  const { call } = node
  const identity = new Identity({ keys: memoryKeyStore(), crypto }, ada.device, ada.state)
  const renew = () => renewGroups({ call, crypto, identity, identities })
  await identities.refresh(state.id)
  // The one that it makes: before it is told, by the node, and as it is learnt.
  expect(await countOf(async () => expect(await renew()).toEqual([]))).toBe(3)
  expect(node.state(state.id)?.boxes.at(-1)?.epoch).toBe(2)
  expect(await countOf(async () => expect(await renew()).toEqual([]))).toBe(0)
  expect(node.appended).toHaveLength(1)
})
