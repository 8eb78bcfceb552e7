import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contexts } from '../../protocol/context.ts'
import { limits } from '../../protocol/limits.ts'
import { readHeader } from '../../protocol/record/header-reader.ts'
import { clockMax, decodeHeader, decodeWireHeader, encodeHeader } from '../../protocol/record/header.ts'
import type { RecordHeader } from '../../protocol/record/types.ts'

const bounds = { lengthMin: 17 }
/** What the reader checks and the codec hands out. */
const head = { context: contexts.record, version: 1 }
const id = fc.uint8Array({ minLength: 32, maxLength: 32 })
const name = fc.stringMatching(/^[a-z][a-zA-Z0-9._~-]{0,62}$/)
const headers: fc.Arbitrary<RecordHeader> = fc.record({
  owner: id,
  author: id,
  app: name,
  collection: name,
  key: fc.uint8Array({ maxLength: limits.recordKeyBytesMax }),
  merge: fc.constant('register'),
  device: id,
  number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  clock: fc.bigInt({ min: 1n << 40n, max: clockMax }),
  operation: fc.constant('put'),
  schema: id,
  expiresMs: fc.option(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), { nil: undefined }),
  sections: fc.array(
    fc.oneof(
      fc.record({
        audience: fc.constant('public' as const),
        heights: fc.dictionary(name, fc.nat(limits.scopeDepthMax), { maxKeys: limits.hierarchiesMax }),
        epoch: fc.constant(0),
        length: fc.integer({ min: 17, max: 7_000 }),
        hash: id,
      }),
      fc.record({
        audience: fc.oneof(
          fc.constantFrom('followers' as const, 'private' as const),
          id.map((group) => ({ group })),
        ),
        heights: fc.constant({}),
        epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        length: fc.integer({ min: 58, max: 7_000 }),
        hash: id,
      }),
    ),
    { maxLength: limits.recordSectionsMax },
  ),
})
/** Past the length of a header the codec alone is asked. */
const short = headers.filter((header) => header.sections.length <= 8)

function byCodec(bytes: Uint8Array): unknown {
  try {
    return decodeWireHeader(bytes)
  } catch {
    return 'refused'
  }
}

it('a header names no more bytes of sections than a record may have, all together', () => {
  const [sample] = fc.sample(headers, { numRuns: 1, seed: 7 }) as [RecordHeader]
  const of = (length: number): RecordHeader => ({
    ...sample,
    sections: [length, 17].map((bytes) => {
      return { audience: 'public', heights: {}, epoch: 0, length: bytes, hash: new Uint8Array(32) }
    }),
  })
  expect(decodeHeader(encodeHeader(of(limits.recordBytesMax - 17))).sections.length).toBe(2)
  expect(() => encodeHeader(of(limits.recordBytesMax - 16))).toThrow(
    expect.objectContaining({ code: 'TOO_LARGE' }),
  )
})

describe('the hand-written reader of headers', () => {
  it('takes what apps write, with the outcome of the codec', () => {
    fc.assert(
      fc.property(short, (header) => {
        const bytes = encodeHeader(header)
        const read = readHeader(bytes, bounds)
        expect(read).toBeDefined()
        expect({ ...read, ...head }).toEqual(decodeWireHeader(bytes))
        expect(encodeHeader(decodeHeader(bytes))).toEqual(bytes)
      }),
    )
  })

  it('takes nothing that the codec refuses, whatever is done to the bytes', () => {
    let taken = 0
    const change = fc.record({
      at: fc.nat(),
      value: fc.nat(255),
      how: fc.constantFrom('set', 'insert', 'remove', 'cut'),
    })
    fc.assert(
      fc.property(short, fc.array(change, { minLength: 1, maxLength: 3 }), (header, changes) => {
        let bytes: number[] = [...encodeHeader(header)]
        for (const { at, value, how } of changes) {
          const place = at % bytes.length
          if (how === 'set') bytes[place] = value
          else if (how === 'insert') bytes.splice(place, 0, value)
          else if (how === 'remove') bytes.splice(place, 1)
          else bytes = bytes.slice(0, place + 1)
        }
        const changed = Uint8Array.from(bytes)
        const read = readHeader(changed, bounds)
        if (read === undefined) return
        taken++
        expect({ ...read, ...head }).toEqual(byCodec(changed))
      }),
      { numRuns: 500 },
    )
    expect(taken).toBeGreaterThan(20)
  })

  it('takes none that ends early, wherever that is', () => {
    const [sample] = fc.sample(headers, { numRuns: 1, seed: 7 }) as [RecordHeader]
    const bytes = encodeHeader({
      ...sample,
      app: 'a name of more than 23 bytes',
      collection: 'another name as long as that',
      key: new Uint8Array(24),
      sections: [
        { audience: 'public', heights: { geo: 1 }, epoch: 0, length: 20, hash: new Uint8Array(32) },
        { audience: { group: sample.owner }, heights: {}, epoch: 1, length: 90, hash: new Uint8Array(32) },
      ],
    })
    expect(readHeader(bytes, bounds)).toBeDefined()
    for (let length = 0; length < bytes.length; length++) {
      expect([length, readHeader(bytes.subarray(0, length), bounds)]).toEqual([length, undefined])
    }
  })

  it('takes no name that is other than a text', () => {
    const [sample] = fc.sample(headers, { numRuns: 1, seed: 7 }) as [RecordHeader]
    const bytes = encodeHeader({ ...sample, app: 'notes', collection: 'note', sections: [] })
    const at = Buffer.from(bytes).indexOf('notes') - 1
    expect(bytes[at]).toBe(0x65)
    for (const head of [0x45, 0x60, 0x79, 0x85, 0xf6]) {
      const changed = bytes.with(at, head)
      expect([head, readHeader(changed, bounds)]).toEqual([head, undefined])
      expect(byCodec(changed)).toBe('refused')
    }
  })

  it('takes no longer form of a head, at any place', () => {
    fc.assert(
      fc.property(short, (header) => {
        const bytes = encodeHeader(header)
        for (let at = 0; at < bytes.length; at++) {
          const initial = bytes[at] as number
          if ((initial & 31) >= 24) continue
          const longer = [...bytes]
          longer.splice(at, 1, (initial & 0xe0) | 24, initial & 31)
          const changed = Uint8Array.from(longer)
          const read = readHeader(changed, bounds)
          if (read !== undefined) expect({ ...read, ...head }).toEqual(byCodec(changed))
        }
      }),
      { numRuns: 2 },
    )
  })

  it('takes no keys of heights out of order, twice, or named __proto__', () => {
    const header = (heights: Record<string, number>): Uint8Array =>
      encodeHeader({
        ...(fc.sample(headers, { numRuns: 1, seed: 7 })[0] as RecordHeader),
        sections: [{ audience: 'public', heights, epoch: 0, length: 20, hash: new Uint8Array(32) }],
      })
    const bytes = header({ aa: 1, ab: 2 })
    const first = Buffer.from(bytes).indexOf('aa')
    for (const [one, two] of [
      ['ab', 'aa'],
      ['aa', 'aa'],
    ] as const) {
      const changed = bytes.slice()
      changed.set(new TextEncoder().encode(one), first)
      changed.set(new TextEncoder().encode(two), first + 4)
      expect(byCodec(changed)).toBe('refused')
      expect(readHeader(changed, bounds)).toBeUndefined()
    }
    const proto = header({ xxxxxxxxx: 1 })
    proto.set(new TextEncoder().encode('__proto__'), Buffer.from(proto).indexOf('xxxxxxxxx'))
    expect(byCodec(proto)).toBe('refused')
    expect(readHeader(proto, bounds)).toBeUndefined()
  })
})
