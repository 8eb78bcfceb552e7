import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, emptyBytes, fromUtf8, toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { addDevice, deviceFromSeed, provePossession, revokeDevice } from '../../protocol/identity/make.ts'
import { append } from '../../protocol/identity/log.ts'
import type { Admission, IdentityState } from '../../protocol/identity/types.ts'
import { encodeProof, isEquivocation, verifyProof } from '../../protocol/record/equivocation.ts'
import { openSection, paddedLength } from '../../protocol/record/section.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { verifyRecord } from '../../protocol/record/verify.ts'
import type { DraftSection, FieldValue, SignedRecord } from '../../protocol/record/types.ts'
import { decodeRecord, encodeRecord, wireBytes, withholdSections } from '../../protocol/record/wire.ts'
import { bytesOf, groupOrder, numberOf } from '../verdicts/points.ts'
import { signAgain } from '../support/second-signature.ts'
import { createPerson, recordBy, seededCrypto, writtenMs } from '../support/people.ts'

const crypto = seededCrypto(1)
const ada = createPerson(crypto)
const bob = createPerson(crypto)
const epochKey = crypto.random(32)

const sections: DraftSection[] = [
  { audience: 'public', heights: { geo: 1, topic: 0 }, fields: { text: 'hello', tags: ['a', 'b'], n: 3 } },
  { audience: 'private', fields: { note: 'planted secret' }, sealing: { epoch: 2, key: epochKey } },
  { audience: { group: bob.state.id }, fields: { x: null }, sealing: { epoch: 1, key: epochKey } },
]

describe('record bytes', () => {
  const value: fc.Arbitrary<FieldValue> = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(fc.integer(), { maxLength: 3 }),
  )
  const drafts = fc.record({
    key: fc.uint8Array({ maxLength: limits.recordKeyBytesMax }),
    number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    clock: fc.bigInt({ min: 0n, max: 2n ** 64n - 2n }),
    expiresMs: fc.option(fc.nat(), { nil: undefined }),
    sections: fc.array(
      fc.record({ text: value, more: value }).map((fields): DraftSection => ({ audience: 'public', fields })),
      { maxLength: 4 },
    ),
  })

  it('come back as they were, byte for byte', () => {
    fc.assert(
      fc.property(drafts, (changes) => {
        const record = recordBy(crypto, ada, changes)
        const wire = encodeRecord(record)
        expect(wire.length).toBe(wireBytes(record))
        const decoded = decodeRecord(crypto, wire)
        expect(decoded).toEqual(record)
        expect(encodeRecord(decoded)).toEqual(wire)
        // The hand-written reader and the codec agree on what a record is.
        expect(encode(decode(wire))).toEqual(wire)
        changes.sections.forEach((section, i) =>
          expect(openSection(crypto, decoded, i)).toEqual(section.fields),
        )
      }),
      { numRuns: 30 },
    )
  })

  it('come back whatever the width of the lengths in them', () => {
    for (const length of [0, 200, 300, 70_000]) {
      const fields = { b: new Uint8Array(length) }
      const record = recordBy(crypto, ada, { sections: [{ audience: 'public', fields }] })
      const wire = encodeRecord(record)
      expect(wire.length).toBe(wireBytes(record))
      expect(encode(decode(wire, { bytesMax: limits.recordBytesMax }))).toEqual(wire)
      expect(openSection(crypto, decodeRecord(crypto, wire), 0)).toEqual(fields)
    }
  })

  it('hold no header that is longer than allowed, whether or not its bytes are there', () => {
    const opening = (length: number): Uint8Array => Uint8Array.of(0x83, 0x59, length >> 8, length & 0xff)
    const over = limits.recordHeaderBytesMax + 1
    expect(codeOf(() => decodeRecord(crypto, opening(over)))).toBe('TOO_LARGE')
    expect(codeOf(() => decodeRecord(crypto, concatBytes(opening(over), new Uint8Array(over))))).toBe(
      'TOO_LARGE',
    )
    expect(codeOf(() => decodeRecord(crypto, opening(over - 1)))).toBe('BAD_MESSAGE')
  })

  it('any change of a bit is refused', () => {
    const wire = encodeRecord(recordBy(crypto, ada, { sections }))
    fc.assert(
      fc.property(fc.nat({ max: wire.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = wire.slice()
        changed[at] = (changed[at] as number) ^ (1 << bit)
        expect(accepted(changed)).toBe(false)
      }),
      { numRuns: 60 },
    )
    expect(accepted(wire)).toBe(true)
    expect(accepted(wire.subarray(0, -1))).toBe(false)
    expect(accepted(concatBytes(wire, new Uint8Array(1)))).toBe(false)
  })

  it('any bytes are a record or an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => decodeRecord(crypto, bytes))).toMatch(/^BAD_MESSAGE|TOO_LARGE$/)
      }),
    )
    expect(codeOf(() => decodeRecord(crypto, new Uint8Array(limits.recordBytesMax + 1)))).toBe('TOO_LARGE')
  })

  it('have one form: longer heads are refused', () => {
    const { headerBytes, signature } = recordBy(crypto, ada, { sections: [] })
    const good = encodeRecord({ headerBytes, signature, sections: [] })
    // 0x98 0x03 is an array of 3 as well, with a head one byte too long.
    const long = concatBytes(new Uint8Array([0x98, 3]), good.subarray(1))
    expect(codeOf(() => decodeRecord(crypto, long))).toBe('BAD_MESSAGE')
    const indefinite = concatBytes(new Uint8Array([0x9f]), good.subarray(1), new Uint8Array([0xff]))
    expect(codeOf(() => decodeRecord(crypto, indefinite))).toBe('BAD_MESSAGE')
  })

  it.each([
    ['number zero', { number: 0 }],
    ['a clock of all ones', { clock: 2n ** 64n - 1n }],
    ['a delete with sections', { operation: 'delete' }],
    ['a delete that expires', { operation: 'delete', sections: [], expiresMs: 1 }],
    ['a long key', { key: new Uint8Array(129) }],
    ['an appended item under a name', { merge: 'append', key: new Uint8Array(31) }],
    ['deletion of no appended item', { merge: 'append', key: emptyBytes, operation: 'delete', sections: [] }],
    ['a nameless app', { app: '' }],
    ['a name with a line break', { collection: 'a\nb' }],
    ['a name that is too long', { app: 'é'.repeat(33) }],
    ['a height below every scope', { sections: [{ audience: 'public', heights: { geo: 9 }, fields: {} }] }],
    [
      'a sealed section that can be searched',
      {
        sections: [
          { audience: 'private', heights: { geo: 0 }, fields: {}, sealing: { epoch: 1, key: epochKey } },
        ],
      },
    ],
    [
      'a private section of epoch 0',
      { sections: [{ audience: 'private', fields: {}, sealing: { epoch: 0, key: epochKey } }] },
    ],
    [
      'too many sections',
      { sections: Array.from({ length: 17 }, () => ({ audience: 'public', fields: {} })) },
    ],
  ] as const)('never sign %s', (_, changes) => {
    expect(codeOf(() => recordBy(crypto, ada, changes as object))).toBe('BAD_MESSAGE')
  })

  it('never leave a private section open', () => {
    const open = { sections: [{ audience: 'private', fields: {} }] } as const
    expect(codeOf(() => recordBy(crypto, ada, open))).toBe('BAD_REQUEST')
  })

  it('never grow beyond what is accepted', () => {
    const big = {
      sections: [{ audience: 'public', fields: { b: new Uint8Array(limits.recordBytesMax - 100) } }],
    } as const
    expect(codeOf(() => recordBy(crypto, ada, big))).toBe('TOO_LARGE')
  })
})

describe('sections', () => {
  const record = recordBy(crypto, ada, { sections })

  it('still verify with any of them left out', () => {
    for (let mask = 0; mask < 8; mask++) {
      const part = withholdSections(record, (_, index) => (mask & (1 << index)) !== 0)
      const received = decodeRecord(crypto, encodeRecord(part))
      expect(verifyRecord(crypto, received, ada.state).ok).toBe(true)
      expect(received.id).toEqual(record.id)
      expect(received.sections.map((section) => section !== undefined)).toEqual(
        [1, 2, 4].map((bit) => (mask & bit) !== 0),
      )
    }
    const open = withholdSections(record, (section) => section.audience === 'public')
    expect(open.sections.map((section) => section === undefined)).toEqual([false, true, true])
  })

  it('open with the key of their audience and no other', () => {
    expect(openSection(crypto, record, 1, epochKey)).toEqual({ note: 'planted secret' })
    expect(openSection(crypto, record, 1)).toBeUndefined()
    expect(openSection(crypto, record, 1, crypto.random(32))).toBeUndefined()
    expect(openSection(crypto, record, 9, epochKey)).toBeUndefined()
    expect(fromUtf8(encodeRecord(record))).not.toContain('planted')
  })

  it('do not open in another place', () => {
    const moves: Partial<SignedRecord['header']>[] = [
      { owner: bob.state.id },
      { author: bob.state.id },
      { device: bob.device.key },
      { app: 'other' },
      { collection: 'other' },
      { key: new Uint8Array([2]) },
      { number: 2 },
      { clock: clockOf(writtenMs, 1) },
      { sections: record.header.sections.map((section) => ({ ...section, epoch: 3 })) },
      { sections: record.header.sections.map((section) => ({ ...section, audience: 'followers' as const })) },
    ]
    for (const move of moves) {
      const moved = { header: { ...record.header, ...move }, sections: record.sections }
      expect(openSection(crypto, moved, 1, epochKey)).toBeUndefined()
    }
    const [first, second, third] = record.sections
    const swapped = { header: record.header, sections: [first, third, second] }
    expect(openSection(crypto, swapped, 1, epochKey)).toBeUndefined()
  })

  it('that are cut short do not open, and say so where they are open', () => {
    const cut = (index: number, length: number) => {
      const { header } = record
      const parts = record.sections.map((bytes, at) => (at === index ? bytes?.subarray(0, length) : bytes))
      return () => openSection(crypto, { header, sections: parts }, index, epochKey)
    }
    for (const length of [0, 24, 39, 40, 200]) expect(cut(1, length)()).toBeUndefined()
    for (const length of [0, 16]) expect(codeOf(cut(0, length))).toBe('BAD_MESSAGE')
  })

  it('do not open where their padding is no padding', () => {
    const padded = (change: (bytes: Uint8Array) => Uint8Array) => {
      const odd = {
        ...crypto,
        secretboxSeal: (bytes: Uint8Array, nonce: Uint8Array, key: Uint8Array) =>
          crypto.secretboxSeal(change(bytes), nonce, key),
      }
      return openSection(crypto, recordBy(odd, ada, { sections }), 1, epochKey)
    }
    expect(padded((bytes) => bytes)).toEqual({ note: 'planted secret' })
    expect(padded((bytes) => bytes.map((byte) => (byte === 0x80 ? 0x81 : byte)))).toBeUndefined()
    expect(padded((bytes) => new Uint8Array(bytes.length))).toBeUndefined()
  })

  it('of short notes are all of one length', () => {
    const length = (text: string): number | undefined =>
      recordBy(crypto, ada, {
        sections: [{ audience: 'private', fields: { text }, sealing: { epoch: 1, key: epochKey } }],
      }).header.sections[0]?.length
    expect(length('yes')).toBe(length('no, never, not for all the tea in China'))
  })

  it('are padded by at most an eighth', () => {
    expect([1, 256, 257, 1_000, 100_000].map(paddedLength)).toEqual([256, 256, 272, 1_024, 100_352])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: limits.recordBytesMax }), (bytes) => {
        const padded = paddedLength(bytes)
        expect(padded).toBeGreaterThanOrEqual(bytes)
        expect(padded).toBeLessThanOrEqual(Math.max(limits.sealedBytesMin, bytes * 1.125))
        expect(paddedLength(padded)).toBe(padded)
      }),
    )
  })

  it('of equal fields have different hashes', () => {
    const again = recordBy(crypto, ada, { sections })
    expect(again.header.sections[0]?.hash).not.toEqual(record.header.sections[0]?.hash)
  })
})

describe('verifyRecord', () => {
  const phone = deviceFromSeed(crypto, crypto.random(32))

  function admit(changes: Partial<Admission>): IdentityState {
    const admission: Admission = { ...phone, role: 'app', capabilities: [], probation: true, ...changes }
    const possession = provePossession(crypto, ada.state.id, phone)
    return append(crypto, ada.state, [addDevice(crypto, ada.state, ada.device, admission, possession)])
  }

  function verdict(state: IdentityState, changes = {}): string {
    const result = verifyRecord(crypto, recordBy(crypto, { state, device: phone }, changes), state)
    return result.ok ? 'ok' : result.code
  }

  it('knows only devices that the log admits', () => {
    expect(verdict(ada.state)).toBe('FORBIDDEN')
    expect(verdict(admit({ role: 'owner', capabilities: 'all' }))).toBe('ok')
    expect(verifyRecord(crypto, recordBy(crypto, ada), bob.state)).toMatchObject({ code: 'UNKNOWN_IDENTITY' })
  })

  it('holds a device to its capabilities, by the clock of the record', () => {
    const leave = { app: 'notes', collection: 'note', access: 'write', expiresMs: undefined } as const
    expect(verdict(admit({ capabilities: [leave] }))).toBe('ok')
    expect(verdict(admit({ capabilities: [{ ...leave, collection: undefined }] }))).toBe('ok')
    expect(verdict(admit({ capabilities: [] }))).toBe('FORBIDDEN')
    expect(verdict(admit({ capabilities: [{ ...leave, app: 'mail' }] }))).toBe('FORBIDDEN')
    expect(verdict(admit({ capabilities: [{ ...leave, collection: 'x' }] }))).toBe('FORBIDDEN')
    expect(verdict(admit({ capabilities: [{ ...leave, access: 'read' }] }))).toBe('FORBIDDEN')
    expect(verdict(admit({ role: 'reader', capabilities: [leave] }))).toBe('FORBIDDEN')
    expect(verdict(admit({ capabilities: [{ ...leave, expiresMs: writtenMs + 1 }] }))).toBe('ok')
    expect(verdict(admit({ capabilities: [{ ...leave, expiresMs: writtenMs }] }))).toBe('FORBIDDEN')
  })

  it('counts what a revoked device wrote up to the number that its revocation names', () => {
    const before = admit({ role: 'owner', capabilities: 'all' })
    const revoke = (lastNumber: number): IdentityState => {
      const numbers = [
        { owner: ada.state.id, lastNumber, listHash: new Uint8Array(32), lastEntry: undefined },
      ]
      return append(crypto, before, [
        revokeDevice(crypto, before, ada.device, phone.key, lastNumber === 0 ? [] : numbers).entry,
      ])
    }
    expect(verdict(revoke(5), { number: 5 })).toBe('ok')
    expect(verdict(revoke(5), { number: 6 })).toBe('REVOKED')
    expect(verdict(revoke(0), { number: 1 })).toBe('REVOKED')
  })

  it("takes the members' records, and nobody else's, into a group's shard", () => {
    const member = (role: 'writer' | 'reader'): IdentityState => ({
      ...ada.state,
      id: new Uint8Array(32).fill(9),
      type: 'group',
      devices: new Map(),
      members: new Map([[toHex(bob.state.id), { identity: bob.state.id, role, rank: 1 }]]),
    })
    const club = member('writer')
    const check = (owner: IdentityState, author: typeof bob): string => {
      const result = verifyRecord(crypto, recordBy(crypto, author, { owner: owner.id }), owner, author.state)
      return result.ok ? 'ok' : result.code
    }
    expect(check(club, bob)).toBe('ok')
    expect(check(member('reader'), bob)).toBe('FORBIDDEN')
    expect(check(club, ada)).toBe('FORBIDDEN')
    expect(check(ada.state, bob)).toBe('FORBIDDEN')
  })

  it('refuses a section that is not the one that was signed', () => {
    const record = recordBy(crypto, ada, { sections })
    const swapped = { ...record, sections: [record.sections[0]?.toReversed(), undefined, undefined] }
    expect(verifyRecord(crypto, swapped, ada.state)).toMatchObject({ code: 'BAD_SIGNATURE' })
    expect(verifyRecord(crypto, { ...record, sections: [] }, ada.state)).toMatchObject({
      code: 'BAD_MESSAGE',
    })
  })

  it('gives the id to the record and not to its signature', () => {
    const record = recordBy(crypto, ada)
    const { signature, message } = record
    // Whoever holds the key can sign once more with another nonce; whoever does not can add the group order to S.
    const other = signAgain(message, ada.device.seed)
    const raised = concatBytes(
      signature.subarray(0, 32),
      bytesOf(numberOf(signature.subarray(32)) + groupOrder),
    )
    expect(other).not.toEqual(signature)
    for (const [changed, counts] of [
      [other, true],
      [raised, false],
      [new Uint8Array(64), false],
    ] as const) {
      const again = decodeRecord(crypto, encodeRecord({ ...record, signature: changed }))
      expect(again.signature).toEqual(changed)
      expect(again.id).toEqual(record.id)
      // A second signature is no second record: nothing is proved by it.
      expect(isEquivocation(record, again)).toBe(false)
      const verified = verifyRecord(crypto, again, ada.state)
      if (counts) expect(verified).toMatchObject({ ok: true })
      else expect(verified).toMatchObject({ code: 'BAD_SIGNATURE' })
    }
  })
})

describe('equivocation', () => {
  const [a, b] = [recordBy(crypto, ada), recordBy(crypto, ada, { clock: clockOf(writtenMs, 1), sections })]

  it('is two records with one number, proved by their headers alone', () => {
    expect(isEquivocation(a, b)).toBe(true)
    expect(isEquivocation(a, a)).toBe(false)
    expect(isEquivocation(a, recordBy(crypto, ada, { number: 2 }))).toBe(false)
    expect(isEquivocation(a, recordBy(crypto, bob))).toBe(false)
    const proof = encodeProof(a, b)
    expect(proof).toEqual(encodeProof(b, a))
    expect(verifyProof(crypto, proof).map((record) => toHex(record.id))).toEqual(
      [a, b].map((of) => toHex(of.id)).toSorted(),
    )
  })

  it('is not proved by anything less', () => {
    const [first, second] = decode(encodeProof(a, b)) as [Uint8Array, Uint8Array]
    const other = encodeRecord(withholdSections(recordBy(crypto, ada, { number: 2 }), () => false))
    expect(codeOf(() => encodeProof(a, a))).toBe('BAD_REQUEST')
    expect(codeOf(() => verifyProof(crypto, encode([second, first])))).toBe('BAD_MESSAGE')
    expect(codeOf(() => verifyProof(crypto, encode([first, first])))).toBe('BAD_MESSAGE')
    expect(codeOf(() => verifyProof(crypto, encode([first, other])))).toMatch(/BAD_/)
    const forged = second.slice()
    const at = forged.length - 10
    forged[at] = (forged[at] as number) ^ 1
    expect(codeOf(() => verifyProof(crypto, encode([first, forged])))).toBe('BAD_SIGNATURE')
  })
})

function accepted(bytes: Uint8Array): boolean {
  try {
    return verifyRecord(crypto, decodeRecord(crypto, bytes), ada.state).ok
  } catch (error) {
    if (error instanceof OnehopError) return false
    throw error
  }
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
