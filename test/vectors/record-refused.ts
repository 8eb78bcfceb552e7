/** Lists of seen numbers and proofs of equivocation that are refused. */
import { compareBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import type { RecordDraft, SignedRecord } from '../../protocol/record/types.ts'
import { encodeRecord, withholdSections } from '../../protocol/record/wire.ts'
import { writtenMs } from '../support/people.ts'

type Sign = (changes?: Partial<RecordDraft>, seed?: Uint8Array) => SignedRecord

interface Refused {
  readonly name: string
  readonly code: string
  readonly wire: string
}

/** Well-formed CBOR of a wrong shape or meaning. */
const refusedAs = (code: string, cases: Readonly<Record<string, unknown>>): Refused[] =>
  Object.entries(cases).map(([name, value]) => ({ name, code, wire: toHex(encode(value)) }))

export function refusedSeen(): Refused[] {
  const id = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
  const one = [id(1), [1, 3]]
  return refusedAs('BAD_MESSAGE', {
    'a map in its place': {},
    'devices out of order': [[id(2), [1, 3]], one],
    'a device twice': [one, one],
    'a device of 31 bytes': [[id(1).slice(1), [1, 3]]],
    'a device without runs': [[id(1), []]],
    'a run without its last': [[id(1), [1, 3, 5]]],
    'a run that ends before it begins': [[id(1), [3, 1]]],
    'runs that touch': [[id(1), [1, 3, 4, 5]]],
    'runs that overlap': [[id(1), [1, 3, 2, 5]]],
    'runs out of order': [[id(1), [7, 9, 1, 3]]],
    'number zero': [[id(1), [0, 3]]],
    'a number beyond 2^53': [[id(1), [1, 2n ** 53n]]],
    '257 runs of one device': [[id(1), Array.from({ length: 514 }, (_, at) => (at >> 1) * 3 + (at & 1) + 1)]],
    'a third item': [[...one, 1]],
  })
}

export function refusedProofs(crypto: CryptoProvider, sign: Sign, otherSeed: Uint8Array): Refused[] {
  const bare = (record: SignedRecord): Uint8Array => encodeRecord(withholdSections(record, () => false))
  const pair = (...records: readonly SignedRecord[]): Uint8Array[] =>
    records.toSorted((a, b) => compareBytes(a.id, b.id)).map(bare)
  const number = 10
  const later = (changes: Partial<RecordDraft> = {}, seed?: Uint8Array): SignedRecord =>
    sign({ number, clock: clockOf(writtenMs, 1), ...changes }, seed)
  const [a, b] = [sign({ number }), later()]
  return [
    ...refusedAs('BAD_MESSAGE', {
      'in the other order': pair(a, b).toReversed(),
      'one record twice': [bare(a), bare(a)],
      'one record': [bare(a)],
      'a section left in': [a, b].toSorted((x, y) => compareBytes(x.id, y.id)).map((record) => encodeRecord(record)),
      'no record': [new Uint8Array(1), bare(b)],
    }),
    ...refusedAs('TOO_LARGE', {
      'three records': [...pair(a, b), bare(b)],
      'records that are not wrapped': [[], []],
    }),
    ...refusedAs('BAD_SIGNATURE', {
      'two numbers': pair(a, later({ number: 11 })),
      'two devices': pair(a, later({}, otherSeed)),
      'two owners': pair(a, later({ owner: crypto.sha256(a.id), author: crypto.sha256(a.id) })),
      'one of them not signed': pair(a, { ...b, signature: new Uint8Array(64) }),
      'the signature of the other': pair(a, { ...b, signature: a.signature }),
    }),
  ]
}
