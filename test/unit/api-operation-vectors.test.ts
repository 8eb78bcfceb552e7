import { describe, expect, it } from 'vitest'
import { toJson, type Form } from '../../protocol/api/fields.ts'
import {
  isSubscription,
  operations,
  readEvent,
  readReply,
  readRequest,
  type OperationName,
} from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { operationVectors, type OperationVectors } from '../vectors/api-operations.ts'
import type { Part } from '../vectors/api-operations-refused.ts'
import { readVectors, type Spelled, unspell } from '../vectors/wire.ts'

const file = readVectors('api-operations.json') as OperationVectors

function read(operation: OperationName, part: Part, form: Form, given: unknown): unknown {
  const value = form === 'cbor' ? decode(unspell(given as Spelled)) : given
  if (part === 'request') return readRequest(operation, value, form)
  if (part === 'reply') return readReply(operation, value, form)
  if (!isSubscription(operation)) throw new Error(`${operation} has no events`)
  return readEvent(operation, value, form)
}

it('are what is made today', () => expect(operationVectors()).toEqual(file))

it('have every part of every operation', () => {
  const parts = (Object.keys(operations) as OperationName[]).flatMap((operation) =>
    ['request', 'reply', ...(isSubscription(operation) ? ['event'] : [])].map(
      (part) => `${operation} ${part}`,
    ),
  )
  expect([...new Set(file.valid.map(({ operation, part }) => `${operation} ${part}`))]).toEqual(parts)
})

it('tell who may ask', () => {
  expect(Object.entries(operations).map(([name, { rule }]) => [name, rule])).toEqual(
    Object.entries(file.rules),
  )
})

describe('vectors of operations', () => {
  it.each(file.valid)('$operation $part: $name', ({ operation, part, cbor, json }) => {
    const value = read(operation, part, 'cbor', cbor)
    expect(toHex(encode(value))).toBe(cbor)
    expect(toJson(value)).toEqual(json)
    expect(read(operation, part, 'json', json)).toEqual(value)
  })

  it.each(file.otherWays)('$operation $part: $name', ({ operation, part, form, given, json }) => {
    expect(toJson(read(operation, part, form, given))).toEqual(json)
  })

  it.each(file.invalid)('$operation $part refused: $name', ({ operation, part, form, given, code, at }) => {
    expect(() => read(operation, part, form, given)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(new RegExp(`^${escaped(at)}: `)) }),
    )
  })
})

function escaped(text: string): string {
  return text.replaceAll(/[.[\]]/g, String.raw`\$&`)
}
