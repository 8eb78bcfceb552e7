/** Makes api-operations.json, as record.ts makes record.json: requests, replies and events in both forms. */
import { writeFileSync } from 'node:fs'
import { toJson, type Form } from '../../protocol/api/fields.ts'
import type { Rule } from '../../protocol/api/operation.ts'
import { operations, type OperationName } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { goodMessages } from './api-operations-good.ts'
import { otherWays, refusals, type Part } from './api-operations-refused.ts'
import { Wire } from './wire.ts'

interface Where {
  readonly operation: OperationName
  readonly part: Part
  readonly name: string
}

export interface OperationVectors {
  readonly about: string
  readonly rules: Readonly<Record<string, Rule>>
  readonly valid: readonly (Where & { readonly cbor: string; readonly json: unknown })[]
  /** What is read, but written otherwise: `given` in one form means `json`. */
  readonly otherWays: readonly (Where & {
    readonly form: Form
    readonly given: unknown
    readonly json: unknown
  })[]
  /** `at` is the path that the refusal names. */
  readonly invalid: readonly (Where & {
    readonly form: Form
    readonly given: unknown
    readonly code: 'BAD_REQUEST'
    readonly at: string
  })[]
}

export function operationVectors(): OperationVectors {
  const inForm = (form: Form, given: unknown): unknown =>
    form === 'json' ? given : given instanceof Wire ? given.spelled : toHex(encode(given))
  return {
    about:
      'messages of the API: CBOR in hex, or a head, an item that follows it so many times, and a tail; ' +
      'JSON as it is',
    rules: Object.fromEntries(Object.entries(operations).map(([name, { rule }]) => [name, rule])),
    valid: (Object.keys(operations) as OperationName[]).flatMap((operation) =>
      (['request', 'reply', 'event'] as const).flatMap((part) =>
        Object.entries<unknown>(goodMessages[operation][part] ?? {}).map(([name, value]) => ({
          operation,
          part,
          name,
          cbor: toHex(encode(value)),
          json: toJson(value),
        })),
      ),
    ),
    otherWays: otherWays.map(({ operation, part, name, form, given, json }) => ({
      operation,
      part,
      name,
      form,
      given: inForm(form, given),
      json,
    })),
    invalid: refusals.flatMap(({ operation, part, form, cases }) =>
      Object.entries(cases).map(([name, [given, at]]) => ({
        operation,
        part,
        name,
        form,
        given: inForm(form, given),
        code: 'BAD_REQUEST' as const,
        at,
      })),
    ),
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(operationVectors(), undefined, 1)}\n`
  writeFileSync(new URL('api-operations.json', import.meta.url), text)
}
