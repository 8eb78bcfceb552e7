import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, emptyBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { canRead, canWriteSomewhere, deviceOf, holds } from '../../protocol/identity/access.ts'
import { privateKeyFor } from '../../protocol/identity/box.ts'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
import { decodeEntry, decodeLog, encodeEntry, encodeLog, signEntry } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  numberListHash,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
  vouch,
} from '../../protocol/identity/make.ts'
import type {
  Admission,
  DeviceSecrets,
  EntryBody,
  IdentityState,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import { createPerson, seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(2)
const first = deviceFromSeed(crypto, crypto.random(32))
const [second, third, fourth] = [newDevice(), newDevice(), newDevice()]
const { state: alone, box: firstBox } = createIdentity(crypto, first)
const two = append(crypto, alone, [admit(alone, first, second)])

describe('identity log', () => {
  it('begins with a person and the first device', () => {
    expect(alone.type).toBe('person')
    expect(alone.id).toEqual(alone.entries[0]?.hash)
    expect([...alone.devices.values()]).toMatchObject([
      { key: first.key, role: 'owner', rank: 1, probation: false },
    ])
    expect(alone.boxes.map((box) => box.epoch)).toEqual([1])
  })

  it('ranks owners by admission, and a home node never', () => {
    const node: Admission = { ...pub(third), role: 'node', capabilities: [], probation: false }
    const state = append(crypto, two, [admit(two, first, third, node)])
    expect(device(state, second).rank).toBe(2)
    expect(device(state, third).rank).toBeUndefined()
    expect(codeOf(() => append(crypto, state, [admit(state, third, fourth)]))).toBe('BAD_IDENTITY')
  })

  it('is the same from its bytes, whatever the order and the portions', () => {
    const log = longLog()
    const wire = encodeLog(log.entries)
    const entries = decodeLog(crypto, wire)
    expect(entries).toEqual(log.entries)
    expect(encodeLog(entries)).toEqual(wire)
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (order) => {
        expect(replay(crypto, order)).toEqual(log)
      }),
      { numRuns: 8 },
    )
    for (const entry of entries) expect(decodeEntry(crypto, encodeEntry(entry))).toEqual(entry)
    expect(append(crypto, log, entries)).toBe(log)
  })

  it('refuses any change of a bit', () => {
    const wire = encodeEntry(admit(alone, first, second))
    fc.assert(
      fc.property(fc.nat({ max: wire.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = wire.slice()
        changed[at] = (changed[at] as number) ^ (1 << bit)
        expect(codeOf(() => append(crypto, alone, [decodeEntry(crypto, changed)]))).not.toBe('ok')
      }),
      { numRuns: 60 },
    )
  })

  it('any bytes are an entry or an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => decodeEntry(crypto, bytes))).toMatch(/^BAD_MESSAGE|TOO_LARGE$/)
        expect(codeOf(() => decodeLog(crypto, bytes))).toMatch(/^BAD_MESSAGE|TOO_LARGE$/)
      }),
    )
  })

  it('wants the possession of the new key for this very identity', () => {
    const stranger = createPerson(crypto)
    const elsewhere = provePossession(crypto, stranger.state.id, second)
    const entry = addDevice(crypto, alone, first, ownerAdmission(second, false), elsewhere)
    expect(codeOf(() => append(crypto, alone, [entry]))).toBe('BAD_SIGNATURE')
    const swapped = { ...ownerAdmission(second, false), boxKey: third.boxKey }
    const other = addDevice(crypto, alone, first, swapped, provePossession(crypto, alone.id, second))
    expect(codeOf(() => append(crypto, alone, [other]))).toBe('BAD_SIGNATURE')
    const body: EntryBody = { kind: 'addDevice', device: ownerAdmission(second, false), grants: [] }
    expect(
      codeOf(() =>
        signEntry(crypto, { identity: alone.id, previous: alone.heads, author: undefined, body }, first),
      ),
    ).toBe('BAD_MESSAGE')
  })

  it('refuses what breaks a rule', () => {
    const refused: Record<string, () => SignedEntry> = {
      'a stranger signs': () => admit(two, third, fourth),
      'a device admitted twice': () => admit(two, first, second),
      'a vouch that nobody needs': () => vouch(crypto, two, first, second.key),
      'the revocation of a stranger': () => revokeDevice(crypto, two, first, third.key, []).entry,
      'an author in the log of a person': () =>
        entryOf(two, first, { kind: 'vouch', device: second.key }, { author: alone.id }),
      'an entry for somebody else': () =>
        entryOf(two, first, { kind: 'vouch', device: second.key }, { identity: first.key }),
      'an entry after a missing one': () =>
        entryOf(two, first, { kind: 'vouch', device: second.key }, { previous: [first.key] }),
      'an entry after one and the one before it': () =>
        entryOf(
          two,
          first,
          { kind: 'vouch', device: second.key },
          { previous: two.entries.map((of) => of.hash).toSorted(compareBytes) },
        ),
      'a revocation that lets the device read on': () =>
        entryOf(two, first, { kind: 'revokeDevice', device: second.key, numbers: [], box: undefined }),
    }
    for (const [why, make] of Object.entries(refused)) {
      expect([why, codeOf(() => append(crypto, two, [make()]))]).toEqual([why, 'BAD_IDENTITY'])
    }
    expect(
      codeOf(() => append(crypto, alone, [revokeDevice(crypto, alone, first, first.key, []).entry])),
    ).toBe('BAD_IDENTITY')
    expect(codeOf(() => replay(crypto, []))).toBe('BAD_IDENTITY')
    expect(codeOf(() => append(crypto, two, [createPerson(crypto).state.entries[0] as SignedEntry]))).toBe(
      'BAD_IDENTITY',
    )
  })

  it('takes new recovery words from a key with a rank, with an epoch that they open', () => {
    const [words, others] = [newDevice(), newDevice()]
    const { entry, box } = rotate(crypto, two, second, words)
    const state = append(crypto, two, [entry])
    expect(state.recovery).toEqual(pub(words))
    expect(deviceBoxes(crypto, state, words).newest()).toEqual(box)
    expect(deviceBoxes(crypto, state, first).newest()).toEqual(box)
    expect(deviceBoxes(crypto, state, first).ofEpoch(1)).toEqual([firstBox])
    const again = append(crypto, state, [rotate(crypto, state, words, others).entry])
    expect(again.recovery).toEqual(pub(others))
    expect(codeOf(() => append(crypto, again, [admit(again, words, third)]))).toBe('BAD_IDENTITY')
    expect(device(append(crypto, again, [admit(again, others, third)]), third).rank).toBe(3)
    const refused: Record<string, EntryBody> = {
      'no keys': { kind: 'rotate', recovery: undefined, box: undefined },
    }
    for (const [why, body] of Object.entries(refused)) {
      expect([why, codeOf(() => append(crypto, two, [entryOf(two, first, body)]))]).toEqual([
        why,
        'BAD_IDENTITY',
      ])
    }
    const blind = append(crypto, two, [admit(two, first, third, undefined, false)])
    expect(codeOf(() => append(crypto, blind, [rotate(crypto, blind, first, third).entry]))).toBe(
      'BAD_IDENTITY',
    )
    expect(codeOf(() => append(crypto, state, [rotate(crypto, state, first, words).entry]))).toBe(
      'BAD_IDENTITY',
    )
    const bare = signEntry(
      crypto,
      {
        identity: two.id,
        previous: two.heads,
        author: undefined,
        body: { kind: 'rotate', recovery: pub(words), box: undefined },
      },
      first,
      provePossession(crypto, two.id, words),
    )
    expect(codeOf(() => append(crypto, two, [bare]))).toBe('BAD_IDENTITY')
  })

  it('is bounded', () => {
    let state = alone
    const grow = (): void => {
      for (;;) state = append(crypto, state, [admit(state, first, newDevice())])
    }
    expect(codeOf(grow)).toBe('BAD_IDENTITY')
    expect(state.devices.size).toBe(32)
  })

  it('ends probation by the word of an older key', () => {
    const state = append(crypto, two, [admit(two, first, third, ownerAdmission(third, true))])
    expect(device(state, third).probation).toBe(true)
    expect(codeOf(() => append(crypto, state, [vouch(crypto, state, third, third.key)]))).toBe('BAD_IDENTITY')
    expect(device(append(crypto, state, [vouch(crypto, state, second, third.key)]), third).probation).toBe(
      false,
    )
  })

  it('admits a revoked key never again, and hears it no more', () => {
    const state = append(crypto, two, [revokeDevice(crypto, two, first, second.key, []).entry])
    expect(device(state, second).revoked?.by).toEqual(first.key)
    expect(codeOf(() => append(crypto, state, [admit(state, first, second)]))).toBe('BAD_IDENTITY')
    expect(codeOf(() => append(crypto, state, [admit(state, second, third)]))).toBe('BAD_IDENTITY')
    expect(canWrite(state, second, 'note', 0)).toBe(false)
    expect(canWrite(state, first, 'note', 0)).toBe(true)
    expect(canWrite(state, third, 'note', 0)).toBe(false)
  })
})

describe('forks', () => {
  const three = append(crypto, two, [admit(two, second, third)])

  /** All orders in which entries may arrive after the state, each one at a time. */
  function settle(base: IdentityState, branches: SignedEntry[][]): IdentityState {
    const results = interleavings(branches).map((order) =>
      order.reduce((state, entry) => append(crypto, state, [entry]), base),
    )
    const [settled] = results as [IdentityState]
    for (const other of results) expect(other).toEqual(settled)
    expect(replay(crypto, [...settled.entries].reverse())).toEqual(settled)
    return settled
  }

  it('merge additions of one key, ranked in the order of their hashes', () => {
    const additions = [newDevice(), newDevice(), newDevice()]
    const entries = additions.map((of) => admit(three, first, of))
    const state = settle(
      three,
      entries.map((entry) => [entry]),
    )
    expect(state.dropped.size).toBe(0)
    expect(state.heads.length).toBe(3)
    const byHash = entries.toSorted((a, b) => compareBytes(a.hash, b.hash))
    const ranks = byHash.map((entry) => device(state, (entry.body as { device: Admission }).device).rank)
    expect(ranks).toEqual([4, 5, 6])
    const after = append(crypto, state, [admit(state, first, fourth)])
    expect(after.heads.length).toBe(1)
    expect(device(after, fourth).rank).toBe(7)
  })

  it('go to the higher-ranked signer, who comes out of it unharmed', () => {
    const thief = revokeDevice(crypto, three, third, first.key, []).entry
    const further = append(crypto, three, [thief])
    const more = admit(further, third, fourth)
    const honest = revokeDevice(crypto, three, first, third.key, []).entry
    const state = settle(three, [[thief, more], [honest]])
    expect(device(state, first).revoked).toBeUndefined()
    expect(device(state, third).revoked?.by).toEqual(first.key)
    expect([...state.dropped].toSorted()).toEqual([thief, more].map((of) => toHex(of.hash)).toSorted())
    expect(state.devices.has(toHex(fourth.key))).toBe(false)
    const on = append(crypto, state, [admit(state, first, fourth)])
    expect(device(on, fourth).rank).toBe(4)
  })

  it("of one key go to that key's own revocation", () => {
    const own = revokeDevice(crypto, three, second, second.key, []).entry
    const addition = admit(three, second, fourth)
    const revocation = revokeDevice(crypto, three, second, third.key, []).entry
    for (const sibling of [addition, revocation]) {
      const state = settle(three, [[sibling], [own]])
      expect(device(state, second).revoked).toBeDefined()
      expect([...state.dropped]).toEqual([toHex(sibling.hash)])
    }
  })

  it('of one key keep a revocation rather than an addition', () => {
    const state = settle(three, [
      [admit(three, first, fourth)],
      [revokeDevice(crypto, three, first, third.key, []).entry],
    ])
    expect(device(state, third).revoked).toBeDefined()
    expect(state.devices.has(toHex(fourth.key))).toBe(false)
  })

  it('give one verdict on three branches, and on a fork within a fork', () => {
    const left = admit(three, first, fourth)
    const leftState = append(crypto, three, [left])
    const inner = [newDevice(), newDevice()].map((of) => admit(leftState, first, of))
    const right = admit(three, second, newDevice())
    const own = revokeDevice(crypto, three, first, second.key, []).entry
    settle(three, [[left], [right], [own]])
    const base = append(crypto, three, [left])
    settle(base, [[inner[0] as SignedEntry], [inner[1] as SignedEntry], [right]])
  })

  it('go to the words, and of the words to those that gave way to others', () => {
    const [words, new1, new2] = [newDevice(), newDevice(), newDevice()]
    const { state: person } = createIdentity(crypto, first, { recovery: pub(words) })
    // A thief with the phone names words of its own; the person's words undo it.
    const thief = rotate(crypto, person, first, new1).entry
    const honest = revokeDevice(crypto, person, words, first.key, []).entry
    const undone = settle(person, [[thief], [honest]])
    expect(undone.recovery).toEqual(pub(words))
    expect(device(undone, first).revoked).toBeDefined()
    // A thief with the words loses to the rotation that the words themselves signed.
    const rotated = rotate(crypto, person, words, new2).entry
    const late = settle(person, [[honest], [rotated]])
    expect(late.recovery).toEqual(pub(new2))
    expect(device(late, first).revoked).toBeUndefined()
  })

  it('admit the same device once', () => {
    const [a, b] = [admit(three, first, fourth), admit(three, first, fourth)]
    const state = settle(three, [[a], [b]])
    expect(device(state, fourth).rank).toBe(4)
    expect(state.dropped.size).toBe(1)
  })
})

describe('box secrets', () => {
  const words = newDevice()

  it('reach the devices that may read, and the recovery key', () => {
    const { state, box } = createIdentity(crypto, first, { recovery: pub(words) })
    expect(deviceBoxes(crypto, state, first).newest()).toEqual(box)
    expect(deviceBoxes(crypto, state, words).newest()).toEqual(box)
    const node: Admission = { ...pub(third), role: 'node', capabilities: [], probation: false }
    const possession = provePossession(crypto, state.id, third, 'node')
    const hosted = append(crypto, state, [addDevice(crypto, state, first, node, possession)])
    expect(deviceBoxes(crypto, hosted, third).newest()).toBeUndefined()
    expect(deviceBoxes(crypto, two, second).newest()).toEqual(firstBox)
  })

  it('are renewed when a reader is revoked, and the newest opens all older ones', () => {
    const { entry, box } = revokeDevice(crypto, two, first, second.key, [])
    const state = append(crypto, two, [entry])
    expect(box?.epoch).toBe(2)
    expect(deviceBoxes(crypto, state, first).newest()).toEqual(box)
    expect(deviceBoxes(crypto, state, second).newest()).toEqual(firstBox)
    const later = append(crypto, state, [admit(state, first, third)])
    const boxes = deviceBoxes(crypto, later, third)
    expect([1, 2, 3].map((epoch) => boxes.ofEpoch(epoch))).toEqual([[firstBox], [box], []])
  })

  it('stay as they are for a device that was given none, which can give none either', () => {
    const node: Admission = { ...pub(third), role: 'node', capabilities: [], probation: false }
    const state = append(crypto, two, [admit(two, first, third, node, false)])
    const { entry, box } = revokeDevice(crypto, state, first, third.key, [])
    expect(box).toBeUndefined()
    expect(append(crypto, state, [entry]).boxes.length).toBe(1)
    const blind = append(crypto, two, [admit(two, first, third, undefined, false)])
    expect(codeOf(() => admit(blind, third, fourth, undefined, true))).toBe('FORBIDDEN')
  })

  it('yield another key for every collection, owner and epoch', () => {
    const of = { owner: alone.id, app: 'notes', collection: 'note' }
    const keys = [
      privateKeyFor(crypto, firstBox, of),
      privateKeyFor(crypto, firstBox, { ...of, app: 'mail' }),
      privateKeyFor(crypto, firstBox, { ...of, collection: 'x' }),
      privateKeyFor(crypto, firstBox, { ...of, owner: first.key }),
      privateKeyFor(crypto, { ...firstBox, epoch: 2 }, of),
    ]
    expect(new Set(keys.map(toHex)).size).toBe(5)
  })
})

describe('capabilities', () => {
  it('to write are to read as well, but not the other way', () => {
    const capabilities = [
      { app: 'notes', collection: 'note', access: 'write', expiresMs: 100 },
      { app: 'notes', collection: 'tag', access: 'read', expiresMs: undefined },
    ] as const
    const admission: Admission = { ...pub(third), role: 'app', capabilities, probation: false }
    const state = append(crypto, two, [admit(two, first, third, admission, false)])
    expect(canWrite(state, third, 'note', 99)).toBe(true)
    expect(canWrite(state, third, 'note', 100)).toBe(false)
    expect(canRead(state, third.key, 'notes', 'note', 99)).toBe(true)
    expect(canRead(state, third.key, 'notes', 'tag', 1e15)).toBe(true)
    expect(canWrite(state, third, 'tag', 0)).toBe(false)
    expect(canRead(state, third.key, 'notes', undefined, 99)).toBe(false)
    expect([99, 100].map((atMs) => canWriteSomewhere(state, third.key, atMs))).toEqual([true, false])
  })

  it("to write anything at all are an owner's, and nobody's who was revoked or never admitted", () => {
    expect([first, second, third].map((of) => canWriteSomewhere(two, of.key, 0))).toEqual([true, true, false])
    const state = append(crypto, two, [revokeDevice(crypto, two, first, second.key, []).entry])
    expect([first, second].map((of) => canWriteSomewhere(state, of.key, 0))).toEqual([true, false])
  })

  it('are null for owners and a list for all others', () => {
    const odd: Admission = { ...pub(third), role: 'node', capabilities: 'all', probation: false }
    expect(codeOf(() => admit(two, first, third, odd))).toBe('BAD_MESSAGE')
    expect(codeOf(() => admit(two, first, third, { ...odd, role: 'owner', capabilities: [] }))).toBe(
      'BAD_MESSAGE',
    )
  })
})

describe('lists of numbers', () => {
  it('hash by owner, device, number and id, ascending', () => {
    const list = [
      { number: 1, id: new Uint8Array(32).fill(1) },
      { number: 3, id: new Uint8Array(32).fill(3) },
    ]
    const hash = numberListHash(crypto, first.key, second.key, list)
    expect(numberListHash(crypto, first.key, second.key, list)).toEqual(hash)
    expect(numberListHash(crypto, first.key, third.key, list)).not.toEqual(hash)
    expect(numberListHash(crypto, first.key, second.key, list.slice(1))).not.toEqual(hash)
    expect(codeOf(() => numberListHash(crypto, first.key, second.key, list.toReversed()))).toBe('BAD_REQUEST')
    expect(numberListHash(crypto, emptyBytes, emptyBytes, []).length).toBe(32)
  })
})

function newDevice(): DeviceSecrets {
  return deviceFromSeed(crypto, crypto.random(32))
}

function pub(of: DeviceSecrets): { key: Uint8Array; boxKey: Uint8Array } {
  return { key: of.key, boxKey: of.boxKey }
}

function device(state: IdentityState, of: { readonly key: Uint8Array }) {
  const found = state.devices.get(toHex(of.key))
  if (found === undefined) throw new Error('no such device')
  return found
}

function admit(
  state: IdentityState,
  signer: DeviceSecrets,
  of: DeviceSecrets,
  admission: Admission = ownerAdmission(of, false),
  readsPrivate = admission.role === 'owner' && canOpenNewest(state, signer),
): SignedEntry {
  const possession = provePossession(crypto, state.id, of, admission.role)
  return addDevice(crypto, state, signer, admission, possession, { readsPrivate })
}

function canOpenNewest(state: IdentityState, of: DeviceSecrets): boolean {
  return state.boxes.at(-1)?.wraps.has(toHex(of.key)) === true
}

function entryOf(
  state: IdentityState,
  signer: DeviceSecrets,
  body: EntryBody,
  changes: { identity?: Uint8Array; previous?: readonly Uint8Array[]; author?: Uint8Array } = {},
): SignedEntry {
  const header = { identity: state.id, previous: state.heads, author: undefined, body, ...changes }
  return signEntry(crypto, header, signer)
}

function longLog(): IdentityState {
  let state = two
  state = append(crypto, state, [admit(state, second, third, ownerAdmission(third, true))])
  state = append(crypto, state, [vouch(crypto, state, first, third.key)])
  state = append(crypto, state, [revokeDevice(crypto, state, first, second.key, []).entry])
  return append(crypto, state, [admit(state, third, fourth)])
}

/** Every order that keeps the order within each branch. */
function interleavings<T>(branches: readonly (readonly T[])[]): T[][] {
  const open = branches.filter((branch) => branch.length > 0)
  if (open.length === 0) return [[]]
  return open.flatMap((branch) =>
    interleavings(open.map((other) => (other === branch ? other.slice(1) : other))).map((rest) => [
      branch[0] as T,
      ...rest,
    ]),
  )
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

function canWrite(state: IdentityState, of: { readonly key: Uint8Array }, collection: string, atMs: number) {
  const found = deviceOf(state, of.key)
  return (
    found?.revoked === undefined && found !== undefined && holds(found, 'notes', collection, 'write', atMs)
  )
}
