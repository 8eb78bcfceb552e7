import { describe, expect, it } from 'vitest'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { makeBox, newBoxSecret } from '../../protocol/identity/box.ts'
import { signEntry } from '../../protocol/identity/entry.ts'
import { personRules } from '../../protocol/identity/group.ts'
import { append, refreshed, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
  vouch,
} from '../../protocol/identity/make.ts'
import type {
  Admission,
  DeviceSecrets,
  EntryBody,
  IdentityState,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(21)
const [first, second, third, fourth] = [newDevice(), newDevice(), newDevice(), newDevice()]
const alone = createIdentity(crypto, first).state
const two = put(alone, admit(alone, first, ownerAdmission(second, false)))

type Genesis = Extract<EntryBody, { kind: 'genesisPerson' }>

describe('the first entry of a person', () => {
  const box = newBoxSecret(crypto, 1)
  const body: Genesis = {
    kind: 'genesisPerson',
    nonce: crypto.random(16),
    device: ownerAdmission(first, false),
    recovery: undefined,
    box: makeBox(crypto, first, [first], box),
  }
  const begin = (changes: Partial<Genesis>, signer = first): IdentityState =>
    replay(crypto, [genesis({ ...body, ...changes }, signer)])

  it('is good as it is', () => {
    expect(begin({}).devices.size).toBe(1)
  })

  it.each<[string, Partial<Genesis>, DeviceSecrets?]>([
    ['a device that did not sign it', {}, second],
    ['a device that is no owner', { device: { ...body.device, role: 'node', capabilities: [] } }],
    ['a device on probation', { device: ownerAdmission(first, true) }],
    ['the key of the device as recovery key', { recovery: pub(first) }],
    ['a box secret for somebody else', { box: makeBox(crypto, first, [first, third], box) }],
    ['no box secret for the recovery key', { recovery: pub(second) }],
  ])('does not admit %s', (_what, changes, signer) => {
    expect(codeOf(() => begin(changes, signer))).toBe('BAD_IDENTITY')
  })

  it("is no group's", () => {
    const group = genesis({
      kind: 'genesisGroup',
      nonce: crypto.random(16),
      authorHeads: [],
      members: [{ identity: alone.id, role: 'owner' }],
      box: undefined,
    })
    expect(codeOf(() => personRules.genesis(group))).toBe('BAD_IDENTITY')
  })
})

describe('an owner', () => {
  const node: Admission = { ...pub(third), role: 'node', capabilities: [], probation: false }

  it('is ranked after the owners before, whatever else was admitted between', () => {
    const hosted = put(two, admit(two, first, node))
    const after = put(hosted, admit(hosted, second, ownerAdmission(fourth, false)))
    expect(deviceOf(after, fourth).rank).toBe(3)
  })

  it('vouches for a device that has no rank', () => {
    const hosted = put(two, admit(two, first, { ...node, probation: true }))
    expect(deviceOf(hosted, third).probation).toBe(true)
    expect(deviceOf(put(hosted, vouch(crypto, hosted, second, third.key)), third).probation).toBe(false)
  })

  it('admits a key only as what it agreed to be: a node, or none', () => {
    const asNode = provePossession(crypto, two.id, third, 'node')
    const asApp = provePossession(crypto, two.id, third, 'app')
    const app: Admission = { ...node, role: 'app', capabilities: [] }
    const codes = [
      [node, asNode],
      [app, asApp],
      [app, asNode],
      [node, asApp],
    ] as const
    expect(
      codes.map(([admission, possession]) =>
        codeOf(() => put(two, addDevice(crypto, two, first, admission, possession))),
      ),
    ).toEqual(['ok', 'ok', 'BAD_SIGNATURE', 'BAD_SIGNATURE'])
  })

  it('grants no box secret of an epoch that is not there', () => {
    const grants = [{ epoch: 2, sealed: crypto.random(72) }]
    const header = { identity: two.id, previous: two.heads, author: undefined }
    const granting = signEntry(
      crypto,
      { ...header, body: { kind: 'addDevice', device: ownerAdmission(third, false), grants } },
      first,
      provePossession(crypto, two.id, third),
    )
    expect(codeOf(() => put(two, granting))).toBe('BAD_IDENTITY')
  })
})

describe('a log', () => {
  it('takes no entry that breaks a rule on a branch', () => {
    const forked = put(
      put(two, admit(two, first, ownerAdmission(third, false))),
      admit(two, first, ownerAdmission(fourth, false)),
    )
    expect(forked.heads.length).toBe(2)
    expect(codeOf(() => put(forked, vouch(crypto, two, first, second.key)))).toBe('BAD_IDENTITY')
  })

  it('takes no entry that came without the new key’s own signature', () => {
    const entry = { ...admit(two, first, ownerAdmission(third, false)), possession: undefined }
    expect(codeOf(() => put(two, entry))).toBe('BAD_SIGNATURE')
  })

  it("of a person says the same, whatever became of others' logs", () => {
    expect(refreshed(two, () => expect.unreachable('asked for another log'))).toBe(two)
  })
})

describe('a branch', () => {
  it('weighs nothing by keys that it admitted itself', () => {
    const thiefs = put(two, admit(two, second, ownerAdmission(third, false)))
    const byThird = revokeDevice(crypto, thiefs, third, first.key, []).entry
    const honest = revokeDevice(crypto, two, first, second.key, []).entry
    const settled = [byThird, honest].reduce(put, thiefs)
    expect(deviceOf(settled, first).revoked).toBeUndefined()
    expect(deviceOf(settled, second).revoked?.by).toEqual(first.key)
    expect(settled.devices.has(toHex(third.key))).toBe(false)
    expect([byThird, thiefs.entries.at(-1)].every((of) => of && settled.dropped.has(toHex(of.hash)))).toBe(
      true,
    )
  })
})

function newDevice(): DeviceSecrets {
  return deviceFromSeed(crypto, crypto.random(32))
}

function pub({ key, boxKey }: DeviceSecrets): { key: Uint8Array; boxKey: Uint8Array } {
  return { key, boxKey }
}

function put(state: IdentityState, entry: SignedEntry): IdentityState {
  return append(crypto, state, [entry])
}

function genesis(body: EntryBody, signer = first): SignedEntry {
  return signEntry(crypto, { identity: undefined, previous: [], author: undefined, body }, signer)
}

function admit(state: IdentityState, signer: DeviceSecrets, admission: Admission): SignedEntry {
  const device = [first, second, third, fourth].find(({ key }) => equalBytes(key, admission.key))
  const possession = provePossession(crypto, state.id, device as DeviceSecrets, admission.role)
  return addDevice(crypto, state, signer, admission, possession, { readsPrivate: admission.role === 'owner' })
}

function deviceOf(state: IdentityState, { key }: DeviceSecrets) {
  const found = state.devices.get(toHex(key))
  if (found === undefined) throw new Error('no such device')
  return found
}

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'ok'
  } catch (error) {
    if (error instanceof OnehopError) return error.code
    throw error
  }
}
