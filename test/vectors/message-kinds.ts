/** Vectors of messages between nodes: of each kind what it says and its bytes, and bytes that are refused. */
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { plain } from './record.ts'
import { framing, raw, type InvalidCase, type Spelled, Wire } from './wire.ts'

export interface MessageVectors {
  readonly about: string
  /** `value` is missing where only the number of items is of interest. */
  readonly valid: readonly {
    readonly kind: string
    readonly name: string
    readonly bytes: Spelled
    readonly value?: unknown
  }[]
  readonly invalid: readonly (InvalidCase & { readonly kind: string })[]
}

/** One kind of message, its type forgotten. */
export interface MessageKind {
  readonly good: readonly { readonly name: string; readonly bytes: Uint8Array; readonly value: unknown }[]
  /** Good bytes that are too many to be written out. */
  readonly full: Readonly<Record<string, Wire>>
  readonly refused: Readonly<Record<string, unknown>>
  reread(bytes: Uint8Array): { readonly value: unknown; readonly bytes: Uint8Array }
}

/** `refused` holds what is to be encoded, or bytes as a `Wire`. */
export function messageKind<V, D extends V>(
  encodeIt: (value: V) => Uint8Array,
  decodeIt: (bytes: Uint8Array) => D,
  cases: {
    readonly good: Readonly<Record<string, V>>
    readonly full?: Readonly<Record<string, Wire>>
    readonly refused: Readonly<Record<string, unknown>>
  },
): MessageKind {
  return {
    good: Object.entries(cases.good).map(([name, value]) => ({
      name,
      bytes: encodeIt(value),
      value: plain(value),
    })),
    full: cases.full ?? {},
    refused: cases.refused,
    reread: (bytes) => {
      const value = decodeIt(bytes)
      return { value: plain(value), bytes: encodeIt(value) }
    },
  }
}

export function messageVectors(about: string, kinds: Readonly<Record<string, MessageKind>>): MessageVectors {
  return {
    about:
      `${about}; bytes in hex, or a head, an item that follows it so many times, and a tail; ` +
      'what is missing is null, wide integers are decimal text',
    valid: Object.entries(kinds).flatMap(([kind, { good, full }]) => [
      ...good.map(({ name, bytes, value }) => ({ kind, name, bytes: toHex(bytes), value })),
      ...Object.entries(full).map(([name, { spelled }]) => ({ kind, name, bytes: spelled })),
    ]),
    invalid: Object.entries(kinds).flatMap(([kind, { good, refused }]) => {
      const broken = framing(good[0]?.bytes as Uint8Array)
      return Object.entries({ ...broken, ...refused }).map(([name, what]) => {
        const { spelled, code } = what instanceof Wire ? what : raw(encode(what))
        return { kind, name, bytes: spelled, code }
      })
    }),
  }
}
