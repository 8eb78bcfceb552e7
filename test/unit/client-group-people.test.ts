/** Members whose logs did not come with their group's. */
import { expect, it } from 'vitest'
import { nextEpoch, renewGroups } from '../../client/groups/group-epochs.ts'
import { toldWith } from '../../client/groups/group-people.ts'
import { Identities } from '../../client/identity/identities.ts'
import { Identity } from '../../client/identity/identity.ts'
import { memoryKeyStore } from '../../client/index.ts'
import { clientLimits } from '../../client/limits.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { append } from '../../protocol/identity/log.ts'
import { memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { createGroup, removeMember } from '../../protocol/identity/make-group.ts'
import { deviceFromSeed, revokeDevice } from '../../protocol/identity/make.ts'
import type { IdentityState, People, SignedEntry } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { createCrowd, Human } from '../support/crowd.ts'
import { LogNode } from '../support/log-node.ts'
import { longLogged } from '../support/people.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

const crypto = await loadCrypto({ random: createSeededRandom(32) })

/** Lets a device in and shuts it out again. */
function turnOver(human: Human): void {
  const gone = deviceFromSeed(crypto, crypto.random(32))
  human.add(gone)
  const { entry } = revokeDevice(crypto, human.state, human.device, gone.key, [])
  human.state = append(crypto, human.state, [entry])
}

/** Ada's, who founded the group; her node has room for her own log alone. */
function club() {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  const node = new LogNode(crypto, [ada.state, bob.state, cleo.state, state])
  node.told = () => [node.log(ada.id) as Uint8Array]
  const identity = new Identity({ keys: memoryKeyStore(), crypto }, ada.device, ada.state)
  const renew = () => renewGroups({ call: node.call, crypto, identity })
  const epoch = () => node.state(state.id)?.boxes.at(-1)?.epoch
  return { ada, bob, cleo, people, state, node, identity, renew, epoch }
}

it('are asked for one by one before it is said that the secret stays', async () => {
  const { bob, cleo, node, renew, epoch } = club()
  expect(await renew()).toEqual([])
  expect(epoch()).toBe(1)
  for (const { id } of [bob, cleo]) expect(node.asked).toContain(toHex(id))

  turnOver(cleo)
  node.know(cleo.state)
  expect(await renew()).toEqual([])
  expect(epoch()).toBe(2)
  expect(node.appended[0]?.people).toHaveLength(3)
  expect(await renew()).toEqual([])
  expect(epoch()).toBe(2)
})

it('are counted where nobody has their logs, and the secret stays', async () => {
  const { ada, bob, cleo, state, epoch } = club()
  for (const known of [[], [bob.state]]) {
    const node = new LogNode(crypto, [ada.state, state, ...known])
    node.told = () => [node.log(ada.id) as Uint8Array]
    const identity = new Identity({ keys: memoryKeyStore(), crypto }, ada.device, ada.state)
    const unrenewed = await renewGroups({ call: node.call, crypto, identity })
    expect(unrenewed).toMatchObject([
      {
        group: state.id,
        error: {
          code: 'UNKNOWN_IDENTITY',
          message: expect.stringContaining(`${2 - known.length} of its 3 members`),
          help: expect.stringContaining('onehop groups'),
        },
      },
    ])
    expect(node.appended).toEqual([])
  }
  expect(epoch()).toBe(1)
  // Somebody who opens nothing of it has no device that could.
  const people = (id: Uint8Array): IdentityState | undefined =>
    [ada, bob].find((one) => toHex(one.id) === toHex(id))?.state
  const wraps = new Map(state.boxes[0]?.wraps)
  wraps.delete(toHex(cleo.id))
  const without = { ...state, boxes: [{ ...(state.boxes[0] as (typeof state.boxes)[0]), wraps }] }
  expect(nextEpoch(crypto, without, { ...ada.signer, boxes: ada.boxes }, people)).toBeUndefined()
})

it('whose logs are faulty are as if nobody had them, and others who are behind wait for them too', async () => {
  const { ada, bob, cleo, node, epoch } = club()
  const forged = { ...(cleo.state.entries[0] as SignedEntry), signature: new Uint8Array(64) }
  node.know({ ...cleo.state, entries: [forged] })
  node.told = () => [bob, cleo, ada].map(({ id }) => node.log(id) as Uint8Array)
  for (let i = 0; i < 2; i++) {
    const identity = new Identity({ keys: memoryKeyStore(), crypto }, ada.device, ada.state)
    const [unrenewed] = await renewGroups({ call: node.call, crypto, identity })
    const message = expect.stringContaining('1 of its 3 members')
    expect(unrenewed?.error).toMatchObject({ code: 'UNKNOWN_IDENTITY', message })
    turnOver(ada)
  }
  expect(epoch()).toBe(1)
})

it('do not hinder, known as they were, where nobody answers now; that is said where nothing else is', async () => {
  const { ada, cleo, node, epoch } = club()
  const identities = new Identities(crypto, () => node)
  await identities.gather([cleo.id])
  node.told = ({ members }) =>
    [...members.values()].flatMap(({ identity: id }) =>
      toHex(id) === toHex(cleo.id) ? [] : (node.log(id) ?? []),
    )
  const call: typeof node.call = async (operation, request, options) => {
    if (
      operation === 'identity.get' &&
      toHex((request as { identity: Uint8Array }).identity) === toHex(cleo.id)
    )
      throw new OnehopError('TIMEOUT', 'no answer')
    return node.call(operation, request, options)
  }
  const renew = () => {
    const identity = new Identity({ keys: memoryKeyStore(), crypto }, ada.device, ada.state)
    return renewGroups({ call, crypto, identity, identities })
  }
  expect(await renew()).toMatchObject([{ error: { code: 'TIMEOUT' } }])
  expect(epoch()).toBe(1)
  turnOver(ada)
  node.know(ada.state)
  expect(await renew()).toEqual([])
  expect(epoch()).toBe(2)
})

it('are asked a few at a time, and told as far as a message has room', async () => {
  const ada = new Human(crypto)
  const members = Array.from({ length: 24 }, () => longLogged(crypto))
  const states = [ada.state, ...members]
  const people = (id: Uint8Array): IdentityState | undefined =>
    states.find((state) => toHex(state.id) === toHex(id))
  const named = members.map(({ id }) => ({ identity: id, role: 'reader' as const }))
  const { state } = createGroup(crypto, ada.signer, named, { people, isSealed: true })
  turnOver(ada)
  states[0] = ada.state
  const node = new LogNode(crypto, [...states, state])
  node.told = () => [node.log(ada.id) as Uint8Array]
  let [under, most] = [0, 0]
  const call: typeof node.call = async (operation, request, options) => {
    most = Math.max(most, ++under)
    await new Promise((resolve) => setImmediate(resolve))
    under--
    return node.call(operation, request, options)
  }
  const identity = new Identity({ keys: memoryKeyStore(), crypto }, ada.device, ada.state)
  expect(await renewGroups({ call, crypto, identity })).toEqual([])
  expect(most).toBe(clientLimits.identityFetchesMax)
  expect(node.state(state.id)?.boxes.at(-1)?.epoch).toBe(2)
  const [{ log, people: logs } = { log: new Uint8Array(), people: [] }] = node.appended
  const bytes = (logs ?? []).reduce((sum, one) => sum + one.length, log.length)
  expect(bytes).toBeLessThan(limits.answerBytesMax)
  expect(logs?.length).toBeGreaterThan(10)
  expect(toHex(logs?.[0] as Uint8Array)).toBe(toHex(node.log(ada.id) as Uint8Array))
  expect(toldWith(state, state.entries, () => undefined).people).toEqual([])
})

it('who are left out as somebody is put out, and nobody had their logs, are given the next secret once one has', () => {
  const { ada, bob, cleo, people, state } = createCrowd(crypto)
  const without: People = (id) => (toHex(id) === toHex(cleo.id) ? undefined : people(id))
  const before = [memberBoxes(crypto, state, ada.id, ada.boxes).newest()!]
  const removal = { numbers: [], people: without, before }
  const { entry } = removeMember(crypto, state, ada.signer, bob.id, removal)
  const after = append(crypto, state, [entry], people)
  const opens = (group: IdentityState) => memberBoxes(crypto, group, cleo.id, cleo.boxes).current()?.epoch
  expect([after.boxes.length, opens(after)]).toEqual([2, undefined])

  const signer = { ...ada.signer, boxes: ada.boxes }
  expect(nextEpoch(crypto, after, signer, without)).toBeUndefined()
  // Who is no owner has nothing to do about it.
  expect(nextEpoch(crypto, after, { ...cleo.signer, boxes: cleo.boxes }, people)).toBeUndefined()
  const next = nextEpoch(crypto, after, signer, people)
  expect(next).toBeDefined()
  const healed = append(crypto, after, [next!], people)
  expect(opens(healed)).toBe(3)
  expect(nextEpoch(crypto, healed, signer, people)).toBeUndefined()
})
