/**
 * Makes record.json: `node test/vectors/record.ts` after a change of the format, which is another version. The test
 * compares what is made now with what is committed, byte for byte.
 */
import { writeFileSync } from 'node:fs'
import { concatBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import { addDevice, deviceFromSeed, provePossession, revokeDevice } from '../../protocol/identity/make.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { encodeProof } from '../../protocol/record/equivocation.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { openSection } from '../../protocol/record/section.ts'
import { SeenNumbers } from '../../protocol/record/seen.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { RecordDraft, SignedRecord } from '../../protocol/record/types.ts'
import { encodeRecord, withholdSections } from '../../protocol/record/wire.ts'
import { createPerson, draftBy, seededCrypto, writtenMs } from '../support/people.ts'
import { refusedProofs, refusedSeen } from './record-refused.ts'

export function recordVectors(): object {
  const crypto = seededCrypto(0x5eed)
  const ada = createPerson(crypto)
  const phone = deviceFromSeed(crypto, crypto.random(32))
  const key = crypto.random(32)
  const capabilities = [{ app: 'notes', collection: 'note', access: 'write', expiresMs: undefined }] as const
  const admission = {
    key: phone.key,
    boxKey: phone.boxKey,
    role: 'app',
    capabilities,
    probation: false,
  } as const
  const added = addDevice(
    crypto,
    ada.state,
    ada.device,
    admission,
    provePossession(crypto, ada.state.id, phone),
  )
  const before = append(crypto, ada.state, [added])
  const numbers = [{ owner: ada.state.id, lastNumber: 4, listHash: new Uint8Array(32), lastEntry: undefined }]
  const state = append(crypto, before, [revokeDevice(crypto, before, ada.device, phone.key, numbers).entry])

  const sign = (changes: Partial<RecordDraft> = {}, seed = ada.device.seed): SignedRecord =>
    signRecord(crypto, draftBy(ada, changes), seed)
  const sealed = sign({
    number: 2,
    sections: [
      { audience: 'public', heights: { geo: 2, topic: 0 }, fields: { text: 'Grüße', n: 2n ** 60n, f: 1.5 } },
      { audience: 'private', fields: { note: 'mine' }, sealing: { epoch: 1, key } },
      { audience: 'followers', fields: { list: [1, null, true] }, sealing: { epoch: 3, key } },
      { audience: { group: state.id }, fields: {}, sealing: { epoch: 1, key } },
    ],
  })
  const post = sign({ number: 3, merge: 'append', key: new Uint8Array() })
  const valid: Record<string, SignedRecord> = {
    'a public note': sign(),
    'four audiences': sealed,
    'the same, all sealed sections withheld': withholdSections(sealed, (section) => section.epoch === 0),
    'the same, nothing but the header': withholdSections(sealed, () => false),
    'an appended post that expires': sign({
      number: 4,
      merge: 'append',
      key: new Uint8Array(),
      expiresMs: writtenMs * 2,
    }),
    'the edit of a post': sign({ number: 5, merge: 'append', key: post.id }),
    'the deletion of a post': sign({
      number: 6,
      merge: 'append',
      key: post.id,
      operation: 'delete',
      sections: [],
    }),
    'the largest numbers': sign({
      number: Number.MAX_SAFE_INTEGER,
      clock: 2n ** 64n - 2n,
      key: new Uint8Array(128),
    }),
    'the last that counts of a revoked device': sign({ number: 4 }, phone.seed),
  }

  const refused: Record<string, [code: string, wire: Uint8Array]> = {
    'a revoked device, one number later': ['REVOKED', encodeRecord(sign({ number: 5 }, phone.seed))],
    'a device without leave for the collection': [
      'FORBIDDEN',
      encodeRecord(sign({ collection: 'diary' }, phone.seed)),
    ],
    'a device that was never admitted': ['FORBIDDEN', encodeRecord(sign({}, new Uint8Array(32).fill(9)))],
    'the log of another owner': [
      'UNKNOWN_IDENTITY',
      encodeRecord(sign({ owner: phone.key, author: phone.key })),
    ],
    'a signature of zeros': ['BAD_SIGNATURE', encodeRecord({ ...post, signature: new Uint8Array(64) })],
    'the signature of another record': [
      'BAD_SIGNATURE',
      encodeRecord({ ...post, signature: sealed.signature }),
    ],
    'a section of another record': [
      'BAD_SIGNATURE',
      encodeRecord({ ...post, sections: sign({ number: 9 }).sections }),
    ],
    ...malformed(crypto, ada.device.seed, post),
  }
  const seen = new SeenNumbers()
  for (const number of [1, 2, 3, 7, 9, 8]) seen.add(ada.device.key, number)

  return {
    about:
      'records and what they are judged by; bytes in hex; sections opened with audienceKey, null where withheld',
    log: toHex(encodeLog(state.entries)),
    audienceKey: toHex(key),
    valid: Object.entries(valid).map(([name, record]) => ({
      name,
      wire: toHex(encodeRecord(record)),
      id: toHex(record.id),
      header: plain(record.header),
      fields: record.header.sections.map((_, index) =>
        plain(openSection(crypto, record, index, key) ?? null),
      ),
    })),
    invalid: Object.entries(refused).map(([name, [code, wire]]) => ({ name, code, wire: toHex(wire) })),
    equivocation: toHex(
      encodeProof(sign({ number: 10 }), sign({ number: 10, clock: clockOf(writtenMs, 1) })),
    ),
    seen: {
      wire: toHex(seen.encode()),
      device: toHex(ada.device.key),
      runs: [
        [1, 3],
        [7, 9],
      ],
    },
    seenInvalid: refusedSeen(),
    equivocationInvalid: refusedProofs(crypto, sign, phone.seed),
  }
}

/** Headers that no release of ours writes, signed all the same: only the decoder stands against them. */
function malformed(
  crypto: ReturnType<typeof seededCrypto>,
  seed: Uint8Array,
  post: SignedRecord,
): Record<string, [string, Uint8Array]> {
  const { header } = post
  const section = header.sections[0]
  const fields = [
    contexts.record,
    1,
    header.owner,
    null,
    header.app,
    header.collection,
    header.key,
    1,
    header.device,
    header.number,
    header.clock,
    0,
    header.schema,
    null,
    [[0, { geo: 1 }, 0, section?.length, section?.hash]],
  ] as unknown[]
  const wire = (headerBytes: Uint8Array): Uint8Array =>
    encodeRecord({
      headerBytes,
      signature: crypto.sign(signedMessage(contexts.record, headerBytes), seed),
      sections: post.sections,
    })
  const changed = (at: number, value: unknown): [string, Uint8Array] => [
    'BAD_MESSAGE',
    wire(encode(fields.with(at, value))),
  ]
  const good = encodeRecord(post)
  const sectionWith = (...items: unknown[]): unknown => [items]
  return {
    'another context': changed(0, contexts.identity),
    'another version': changed(1, 2),
    'a short owner': changed(2, header.owner.slice(1)),
    'the owner named as author': changed(3, header.owner),
    'an empty name': changed(4, ''),
    'a zero byte in a name': changed(5, 'a\0b'),
    'an unknown merge kind': changed(7, 2),
    'number zero': changed(9, 0),
    'a number beyond 2^53': changed(9, 2n ** 53n),
    'a clock of all ones': changed(10, 2n ** 64n - 1n),
    'a negative clock': changed(10, -1),
    'an unknown operation': changed(11, 2),
    'a delete with a section': changed(11, 1),
    'an unknown audience': changed(14, sectionWith(3, {}, 1, 100, section?.hash)),
    'a private section that is not sealed': changed(
      14,
      sectionWith(2, {}, 0, section?.length, section?.hash),
    ),
    'a public section that is sealed': changed(14, sectionWith(0, {}, 1, section?.length, section?.hash)),
    'a sealed section that may be searched': changed(14, sectionWith(2, { geo: 0 }, 1, 400, section?.hash)),
    'a section too short for its random bytes': changed(14, sectionWith(0, {}, 0, 16, section?.hash)),
    'one item too many': ['BAD_MESSAGE', wire(encode([...fields, null]))],
    'one item too few': ['BAD_MESSAGE', wire(encode(fields.slice(0, -1)))],
    'a header that is not the shortest CBOR': [
      'BAD_MESSAGE',
      wire(concatBytes(new Uint8Array([0x98, 15]), post.headerBytes.subarray(1))),
    ],
    'a record with bytes behind it': ['BAD_MESSAGE', concatBytes(good, new Uint8Array(1))],
    'a record cut short': ['BAD_MESSAGE', good.subarray(0, -1)],
    'no bytes at all': ['BAD_MESSAGE', new Uint8Array()],
    'more sections than the header names': [
      'BAD_MESSAGE',
      encodeRecord({ ...post, sections: [...post.sections, undefined] }),
    ],
    'a section longer than the header says': [
      'BAD_MESSAGE',
      encodeRecord({ ...post, sections: [concatBytes(post.sections[0] as Uint8Array, new Uint8Array(1))] }),
    ],
  }
}

/** For JSON: bytes as hex, wide integers as decimal text. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (typeof value === 'bigint') return value.toString()
  if (value === undefined) return null
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
  }
  return value
}

if (import.meta.main) {
  writeFileSync(new URL('record.json', import.meta.url), JSON.stringify(recordVectors(), undefined, 1) + '\n')
}
