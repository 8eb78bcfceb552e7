import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { advance } from '../../protocol/stream/advance.ts'
import type { Batch, Cursor } from '../../protocol/stream/messages.ts'
import * as wire from '../../protocol/stream/wire.ts'

interface Vectors {
  readonly valid: Readonly<Record<string, string>>
  readonly invalid: readonly { readonly message: string; readonly why: string; readonly hex: string }[]
}
const vectors = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../vectors/stream.json'), 'utf8'),
) as Vectors

const source = new Uint8Array(32).fill(1)
const author = new Uint8Array(32).fill(2)
const other = new Uint8Array(32).fill(3)
const record = Uint8Array.of(9)
const cursor: Cursor = { source, epoch: 1, position: 10 }
const batch: Batch = {
  author,
  epoch: 1,
  after: 10,
  through: 20,
  head: 25,
  entries: [
    { position: 12, record },
    { position: 20, record },
  ],
}
const asked = { app: 'example.microblog', collections: ['posts', 'profile'] }
const authors = [
  { author, cursor },
  { author: other, cursor: undefined },
]

interface Message {
  readonly bytes: Uint8Array
  readonly value: unknown
  readonly decode: (bytes: Uint8Array) => unknown
}
function message<T>(value: T, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T): Message {
  return { bytes: encode(value), value, decode }
}

const messages: Readonly<Record<string, Message>> = {
  follow: message({ ...asked, mode: 'wait', authors }, wire.encodeFollow, wire.decodeFollow),
  followed: message(
    {
      source,
      authors: [
        { author, stand: { state: 'following', epoch: 1, head: 25 } },
        { author, stand: { state: 'reconcile', epoch: 2, head: 0 } },
        { author, stand: { state: 'notHosted' } },
        { author: other, stand: { state: 'refused' } },
      ],
    },
    wire.encodeFollowed,
    wire.decodeFollowed,
  ),
  stop: message({ ...asked, authors: [author, other] }, wire.encodeStop, wire.decodeStop),
  push: message({ source, app: asked.app, batches: [batch] }, wire.encodePush, wire.decodePush),
  pushed: message(
    {
      authors: [
        { author, receipt: { state: 'has', epoch: 1, position: 20 } },
        { author: other, receipt: { state: 'stop' } },
      ],
    },
    wire.encodePushed,
    wire.decodePushed,
  ),
  pull: message({ ...asked, bytesMax: 1000, authors }, wire.encodePull, wire.decodePull),
  pulled: message(
    {
      source,
      shares: [
        { state: 'batch', ...batch },
        { state: 'reconcile', author: other, epoch: 2, head: 7 },
        { state: 'notHosted', author },
      ],
    },
    wire.encodePulled,
    wire.decodePulled,
  ),
  cursor: message(cursor, wire.encodeCursor, wire.decodeCursor),
}

describe('stream messages', () => {
  it.each(Object.keys(messages))('%s: comes back as it was, in the bytes of the vectors', (name) => {
    const { bytes, value, decode } = messages[name] as Message
    expect(toHex(bytes)).toBe(vectors.valid[name])
    expect(decode(bytes)).toEqual(value)
  })

  it.each(vectors.invalid)('$message: $why is refused', ({ message: name, hex }) => {
    expect(() => messages[name]?.decode(fromHex(hex) as Uint8Array)).toThrow(
      expect.objectContaining({ code: 'BAD_MESSAGE' }),
    )
  })

  it('give a value or a named error, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(messages)),
        fc.nat(),
        fc.nat({ max: 255 }),
        ({ bytes, decode }, at, byte) => {
          const changed = bytes.slice()
          changed[at % changed.length] = byte
          try {
            expect(decode(changed)).toBeDefined()
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(?:BAD_MESSAGE|TOO_LARGE)$/) })
          }
        },
      ),
    )
  })
})

describe('a cursor', () => {
  it('begins with the first batch, and goes on with the next', () => {
    expect(advance(undefined, source, batch)).toEqual({
      step: 'take',
      entries: batch.entries,
      cursor: { ...cursor, position: 20 },
    })
    expect(advance(cursor, source, batch)).toMatchObject({ step: 'take', cursor: { position: 20 } })
  })

  it('takes of a repeated batch only what is new', () => {
    const half = { ...cursor, position: 12 }
    expect(advance(half, source, batch)).toMatchObject({ step: 'take', entries: [{ position: 20 }] })
    expect(advance({ ...cursor, position: 20 }, source, batch)).toMatchObject({
      step: 'known',
      cursor: { position: 20 },
    })
  })

  it('does not pass over a gap', () => {
    const behind = { ...cursor, position: 9 }
    expect(advance(behind, source, batch)).toEqual({ step: 'gap', cursor: behind })
  })

  it('means nothing on another source or in another epoch', () => {
    expect(advance({ ...cursor, epoch: 2 }, source, batch)).toEqual({ step: 'reconcile' })
    expect(advance(cursor, other, batch)).toEqual({ step: 'reconcile' })
  })

  it('has everything in the end, each once, however batches are lost, repeated and mixed up', () => {
    // The log holds every third position; a source answers each acknowledged cursor with what follows it.
    const positions = Array.from({ length: 20 }, (_, index) => index * 3 + 1)
    const headPosition = 60
    const batchOf = (after: number, through: number): Batch => ({
      author,
      epoch: 1,
      after,
      through,
      head: headPosition,
      entries: positions
        .filter((position) => position > after && position <= through)
        .map((position) => ({ position, record })),
    })
    const step = fc.record({ after: fc.nat({ max: 59 }), length: fc.integer({ min: 1, max: 9 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let reached: Cursor = { source, epoch: 1, position: 0 }
        const taken: number[] = []
        const receive = (given: Batch): void => {
          const result = advance(reached, source, given)
          if (result.step === 'take') taken.push(...result.entries.map((entry) => entry.position))
          if (result.step !== 'reconcile') {
            expect(result.cursor.position).toBeGreaterThanOrEqual(reached.position)
            reached = result.cursor
          }
        }
        for (const { after, length } of steps) receive(batchOf(after, Math.min(after + length, headPosition)))
        while (reached.position < headPosition)
          receive(batchOf(reached.position, Math.min(reached.position + 7, headPosition)))
        expect(taken).toEqual(positions)
      }),
    )
  })
})
