import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { decodeEntry, decodeLog, encodeEntry } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import { verifyProof } from '../../protocol/record/equivocation.ts'
import { openSection } from '../../protocol/record/section.ts'
import { decodeSeen } from '../../protocol/record/seen.ts'
import { verifyRecord } from '../../protocol/record/verify.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import type { People } from '../../protocol/identity/types.ts'
import { seededCrypto } from '../support/people.ts'
import { identityVectors } from '../vectors/identity.ts'
import { plain, recordVectors } from '../vectors/record.ts'
import { codeOf } from '../vectors/wire.ts'

const crypto = seededCrypto(3)

interface RecordFile {
  log: string
  audienceKey: string
  valid: { name: string; wire: string; id: string; header: unknown; fields: unknown[] }[]
  invalid: { name: string; code: string; wire: string }[]
  equivocation: string
  seen: { wire: string; device: string; runs: [number, number][] }
  seenInvalid: { name: string; code: string; wire: string }[]
  equivocationInvalid: { name: string; code: string; wire: string }[]
}

interface IdentityFile {
  kinds: { wire: string; hash: string; body: unknown }[]
  valid: { name: string; log: string; id: string; heads: string[]; devices: unknown[]; dropped: string[] }[]
  groups: {
    name: string
    log: string
    people: string[]
    id: string
    members: unknown[]
    formerMembers: { identity: string }[]
    dropped: string[]
  }[]
  base: string
  invalid: { name: string; code: string; entry: string }[]
  wellFormed: { name: string; entry: string }[]
  groupInvalid: {
    base: string
    people: string[]
    entries: { name: string; code: string | null; entry: string }[]
  }
}

describe('record vectors', () => {
  const file = read<RecordFile>('record.json')
  const state = replay(crypto, decodeLog(crypto, hex(file.log)))

  it('are what is made today', () => expect(recordVectors()).toEqual(file))

  it.each(file.valid)('accept $name', ({ wire, id, header, fields }) => {
    const record = decodeRecord(crypto, hex(wire))
    expect(verifyRecord(crypto, record, state)).toMatchObject({ ok: true })
    expect(toHex(encodeRecord(record))).toBe(wire)
    expect(toHex(record.id)).toBe(id)
    expect(plain(record.header)).toEqual(header)
    const opened = fields.map((_, i) => plain(openSection(crypto, record, i, hex(file.audienceKey)) ?? null))
    expect(opened).toEqual(fields)
  })

  it.each(file.invalid)('refuse $name', ({ wire, code }) => {
    expect(
      outcome(() => {
        const verdict = verifyRecord(crypto, decodeRecord(crypto, hex(wire)), state)
        return verdict.ok ? 'ok' : verdict.code
      }),
    ).toBe(code)
  })

  it('prove an equivocation, and list what was seen', () => {
    const [a, b] = verifyProof(crypto, hex(file.equivocation))
    expect(a.header.number).toBe(b.header.number)
    const seen = decodeSeen(hex(file.seen.wire))
    expect([...seen].map(([device, first, last]) => [toHex(device), [first, last]])).toEqual(
      file.seen.runs.map((run) => [file.seen.device, run]),
    )
  })

  it.each(file.seenInvalid)('refuse as seen: $name', ({ wire, code }) => {
    expect(codeOf(() => decodeSeen(hex(wire)))).toBe(code)
  })

  it.each(file.equivocationInvalid)('refuse as a proof: $name', ({ wire, code }) => {
    expect(codeOf(() => verifyProof(crypto, hex(wire)))).toBe(code)
  })
})

describe('identity vectors', () => {
  const file = read<IdentityFile>('identity.json')
  const base = replay(crypto, decodeLog(crypto, hex(file.base)))

  it('are what is made today', () => expect(identityVectors()).toEqual(file))

  it('read every kind', () => {
    for (const { wire, hash, body } of file.kinds) {
      const entry = decodeEntry(crypto, hex(wire))
      expect(toHex(encodeEntry(entry))).toBe(wire)
      expect(toHex(entry.hash)).toBe(hash)
      expect(plain(entry.body)).toEqual(body)
    }
    expect(file.kinds.length).toBe(10)
  })

  it.each(file.valid)('accept $name', ({ log, id, heads, devices, dropped }) => {
    const state = replay(crypto, decodeLog(crypto, hex(log)).reverse())
    expect(toHex(state.id)).toBe(id)
    expect(state.heads.map(toHex)).toEqual(heads)
    expect([...state.dropped].toSorted()).toEqual(dropped)
    expect(
      [...state.devices.values()].map((of) => plain({ ...of, revoked: of.revoked !== undefined })),
    ).toMatchObject(devices)
  })

  it.each(file.groups)('accept a group: $name', ({ log, people, id, members, formerMembers, dropped }) => {
    const known = people.map((one) => replay(crypto, decodeLog(crypto, hex(one))))
    const state = replay(crypto, decodeLog(crypto, hex(log)).reverse(), (wanted) =>
      known.find((one) => toHex(one.id) === toHex(wanted)),
    )
    expect(toHex(state.id)).toBe(id)
    expect([...state.members.values()].map((one) => plain(one))).toEqual(members)
    expect([...state.formerMembers.keys()]).toEqual(formerMembers.map(({ identity }) => identity))
    expect([...state.dropped].toSorted()).toEqual(dropped)
  })

  it.each(file.invalid)('refuse $name', ({ entry, code }) => {
    const act = (): string => {
      append(crypto, base, [decodeEntry(crypto, hex(entry))])
      return 'ok'
    }
    expect(outcome(act)).toBe(code)
  })

  it.each(file.wellFormed)('read $name, of which the refused ones are changes', ({ entry }) => {
    expect(toHex(encodeEntry(decodeEntry(crypto, hex(entry))))).toBe(entry)
  })

  const { groupInvalid } = file
  const members = groupInvalid.people.map((one) => replay(crypto, decodeLog(crypto, hex(one))))
  const people: People = (wanted) => members.find((one) => toHex(one.id) === toHex(wanted))
  const group = replay(crypto, decodeLog(crypto, hex(groupInvalid.base)), people)

  it.each(groupInvalid.entries)('refuse in a group, or hear nothing in it: $name', ({ entry, code }) => {
    const read = decodeEntry(crypto, hex(entry))
    const act = (): string => {
      const state = append(crypto, group, [read], people)
      expect([...state.dropped]).toEqual([toHex(read.hash)])
      expect([state.members, state.boxes]).toEqual([group.members, group.boxes])
      return 'dropped'
    }
    expect(outcome(act)).toBe(code ?? 'dropped')
  })
})

function outcome(action: () => string): string {
  try {
    return action()
  } catch (error) {
    return asOnehopError(error).code
  }
}

function hex(text: string): Uint8Array {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new Error('the vector is not hex')
  return bytes
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8')) as T
}
