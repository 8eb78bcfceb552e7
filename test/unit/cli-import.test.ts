import { expect, test } from 'vitest'
import type { Transport } from '../../client/transport.ts'
import { microblog } from '../../client/microblog.ts'
import { loadCrypto } from '../../cli/crypto.ts'
import { importRecords } from '../../cli/import/import-records.ts'
import type { ImportOptions } from '../../cli/import/import-records.ts'
import { readLine } from '../../cli/import/line-reader.ts'
import { splitLines } from '../../cli/import/lines.ts'
import type { Line } from '../../cli/import/lines.ts'
import { importedPerson } from '../../cli/import/people.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { decodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { readSection } from '../../protocol/record/section.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import { verifyRecord } from '../../protocol/record/verify.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'

/** Whatever is drawn at random must not reach what an import makes. */
const crypto = await loadCrypto()

async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? utf8(part) : part
}

async function linesOf(...parts: readonly (string | Uint8Array)[]): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of splitLines(chunks(...parts))) lines.push(line)
  return lines
}

test('lines keep their numbers across chunks, empty ones and a last one without an end', async () => {
  const lines = await linesOf('\uFEFF{"a"', ':1}\r\n\n  \n{"b":', '2}\n{"c":3}')
  expect(lines.map(({ number, text }) => [number, text])).toEqual([
    [1, '{"a":1}'],
    [4, '{"b":2}'],
    [5, '{"c":3}'],
  ])
  expect(lines.at(-1)?.bytesRead).toBe(utf8('\uFEFF{"a":1}\r\n\n  \n{"b":2}\n{"c":3}').length)
})

test('a line that is too long or not UTF-8 is told by its number, and the next one is read', async () => {
  const long = 'x'.repeat(700_000)
  const lines = await linesOf(long, long, '\n', Uint8Array.of(0xff, 0x0a), 'good\n')
  expect(lines.map(({ number, text, problem }) => [number, text, problem])).toEqual([
    [1, undefined, 'is longer than 1024 KiB'],
    [2, undefined, 'is not UTF-8'],
    [3, 'good', undefined],
  ])
})

const form = {
  schema: microblog,
  collection: 'posts',
  userField: 'by',
  scopeField: 'place',
  timeField: 'at',
  idOf: (user: string) => importedPerson(crypto, 'seed', user).state.id,
}

test('a line says whose it is, where, when, and what the schema knows of it', () => {
  const entry = readLine('{"by":"ada","text":"hi","at":1500000000,"place":"/geo/europe","points":7}', form)
  expect(entry).toMatchObject({ user: 'ada', value: { text: 'hi' }, scope: '/geo/europe', timeMs: 1.5e12 })
  expect(readLine('{"by":5,"text":"hi","at":"2017-07-14T02:40:00Z"}', form)).toMatchObject({
    user: '5',
    timeMs: 1.5e12,
  })
})

test('a line may name its collection, rename fields, and other users by name', () => {
  const entry = readLine('{"by":"ada","kind":"follows","whom":"grace"}', {
    ...form,
    collectionField: 'kind',
    rename: new Map([['user', 'whom']]),
  })
  expect(entry.collection.name).toBe('follows')
  expect(toHex(entry.value['user'] as Uint8Array)).toBe(toHex(form.idOf('grace')))
})

test.each([
  ['not json', 'BAD_REQUEST', /^not JSON/],
  ['[]', 'BAD_FIELD', /not a JSON object/],
  ['{"text":"hi"}', 'BAD_FIELD', /by names no user/],
  ['{"by":"ada","text":7}', 'BAD_FIELD', /text: is not a text/],
  ['{"by":"ada","at":"yesterday"}', 'BAD_FIELD', /at is no time/],
  [`{"by":"${'a'.repeat(300)}"}`, 'BAD_FIELD', /longer than 256/],
])('%s is refused with %s', (text, code, message) => {
  let caught: unknown
  try {
    readLine(text, form)
  } catch (error) {
    caught = error
  }
  expect(caught).toBeInstanceOf(OnehopError)
  expect((caught as OnehopError).code).toBe(code)
  expect((caught as OnehopError).message).toMatch(message)
})

/** A node that verifies and keeps, as far as an import sees it. */
function fakeNode() {
  const logs = new Map<string, Uint8Array>()
  const records = new Map<string, SignedRecord>()
  let busy = 1
  const handlers: Record<string, (request: never) => unknown> = {
    'schema.put': () => ({}),
    'admin.host.add': ({ hosts }: { hosts: { log: Uint8Array }[] }) => ({
      results: hosts.map(({ log }) => {
        const { id } = replay(crypto, decodeLog(crypto, log))
        logs.set(toHex(id), log)
        return { identity: id, code: null, message: null }
      }),
    }),
    'record.put': ({ records: encoded }: { records: Uint8Array[] }) => {
      // A retry must send the same bytes again, and count once.
      if (busy-- > 0) throw new OnehopError('BUSY', 'later')
      return {
        results: encoded.map((bytes) => {
          const record = decodeRecord(crypto, bytes)
          const log = logs.get(toHex(record.header.owner))
          if (log === undefined)
            return { outcome: 'refused', id: record.id, code: 'NOT_HOSTED', message: 'no' }
          const verdict = verifyRecord(crypto, record, replay(crypto, decodeLog(crypto, log)))
          if (!verdict.ok)
            return { outcome: 'refused', id: record.id, code: verdict.code, message: verdict.message }
          const name = toHex(record.id)
          const outcome = records.has(name) ? 'known' : 'stored'
          records.set(name, record)
          return { outcome, id: record.id, code: null, message: null }
        }),
      }
    },
  }
  const call = (async (operation: string, request: never) =>
    handlers[operation]?.(request)) as Transport['call']
  return { call, logs, records }
}

function importInto(node: ReturnType<typeof fakeNode>, text: string, options: Partial<ImportOptions> = {}) {
  const { idOf: _, ...lineForm } = { ...form, timeField: undefined, collectionField: 'kind' }
  return importRecords({
    lines: splitLines(chunks(text)),
    form: lineForm,
    seed: 'seed',
    startMs: 1_700_000_000_000,
    profileCollection: 'profile',
    place: false,
    call: node.call,
    crypto,
    clock: { sleep: async () => {} },
    ...options,
  })
}

const file = [
  '{"by":"ada","text":"one","place":"/geo/europe/gb/london"}',
  '{"by":"grace","kind":"profile","name":"Grace H."}',
  'oops',
  '{"by":"ada","text":"two","place":"/geo/europe/gb/london"}',
  '{"by":"grace","kind":"follows","user":"ada"}',
].join('\n')

test('an import stores what can be read, makes missing profiles, and tells bad lines by number', async () => {
  const node = fakeNode()
  const users = new Map<string, string>()
  const summary = await importInto(node, file, { onUser: (name, id) => users.set(name, toHex(id)) })
  expect(summary).toMatchObject({ lines: 5, users: 2, stored: 5, known: 0, refused: 1 })
  expect(summary.bad).toEqual([
    { line: 3, code: 'BAD_REQUEST', message: expect.stringContaining('not JSON') },
  ])
  const headers = [...node.records.values()].map(({ header }) => header)
  const ada = headers.filter(({ owner }) => toHex(owner) === users.get('ada'))
  expect(ada.map(({ collection, number }) => [collection, number])).toEqual([
    ['profile', 1],
    ['posts', 2],
    ['posts', 3],
  ])
  const profile = [...node.records.values()].find((record) => record.header === ada[0]) as SignedRecord
  const fields = Object.assign({}, ...profile.sections.map((section) => readSection(section as Uint8Array)))
  expect(fields).toEqual({ name: 'ada', place: '/geo/europe/gb/london' })
})

test('importing again gives the same people and records: the node knows them', async () => {
  const node = fakeNode()
  await importInto(node, file)
  const again = await importInto(node, file)
  expect(again).toMatchObject({ stored: 0, known: 5, refused: 1 })
})

test('another seed or start gives other records; numbersAfter keeps numbers apart', async () => {
  const node = fakeNode()
  await importInto(node, file)
  expect(await importInto(node, file, { seed: 'other' })).toMatchObject({ stored: 5, known: 0 })
  expect(await importInto(node, file, { startMs: 1_700_000_000_001, numbersAfter: 100 })).toMatchObject({
    stored: 5,
  })
  const perDevice = new Map<string, number[]>()
  for (const { header } of node.records.values()) {
    const numbers = perDevice.get(toHex(header.device)) ?? []
    expect(numbers).not.toContain(header.number)
    perDevice.set(toHex(header.device), [...numbers, header.number])
  }
})

test('many batches: nothing is lost, nobody writes before the node took them in', async () => {
  const node = fakeNode()
  const lines = Array.from({ length: 1200 }, (_, i) => `{"by":"user${i % 7}","text":"post ${i}"}`)
  const summary = await importInto(node, lines.join('\n'))
  expect(summary).toMatchObject({ users: 7, stored: 1207, refused: 0 })
}, 60_000)

test('a fault that does not pass ends the import with it', async () => {
  const node = fakeNode()
  const call = (async (operation: string, request: never) => {
    if (operation === 'record.put') throw new OnehopError('STORE_FULL', 'the disk is full')
    return node.call(operation as 'node.info', request)
  }) as Transport['call']
  await expect(importInto(node, file, { call })).rejects.toMatchObject({ code: 'STORE_FULL' })
})
