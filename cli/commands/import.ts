import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import type { Call, Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { importRecords } from '../import/import-records.ts'
import type { ImportSummary } from '../import/import-records.ts'
import { fingerprintOf, importsPath, openJournalEntry } from '../import/journal.ts'
import { splitLines } from '../import/lines.ts'
import type { Line } from '../import/lines.ts'
import { createProgressBar } from '../import/progress-bar.ts'
import { safeText } from '../output.ts'
import type { Output } from '../output.ts'
import { openSchema, schemaOption } from '../schema-file.ts'
import { counted, formatCount } from '../units.ts'

const seedDefault = 'onehop'

export const importFile: Command = {
  name: 'import',
  summary: "bring a file of other people's records in, as made-up users: for trials and tests",
  operands: ['FILE'],
  options: {
    schema: schemaOption,
    collection: { type: 'string', value: 'NAME', help: 'where the records go' },
    'collection-field': { type: 'string', value: 'KEY', help: 'key of a line that names its collection' },
    'user-field': { type: 'string', value: 'KEY', help: 'key of a line that names its user' },
    'scope-field': {
      type: 'string',
      value: 'KEY',
      help: "key of a line with its user's place, for the profile",
    },
    'time-field': { type: 'string', value: 'KEY', help: 'key of a line with its time (else: now, in order)' },
    field: { type: 'string', multiple: true, value: 'NAME=KEY', help: 'take a field from another key' },
    'profile-collection': { type: 'string', value: 'NAME', help: 'write each user a profile here (profile)' },
    seed: { type: 'string', value: 'TEXT', help: `users and records follow from it (${seedDefault})` },
    limit: { type: 'string', value: 'N', help: 'the first N lines alone' },
    ids: { type: 'string', value: 'FILE', help: 'write {"user", "id"} of everybody to this file' },
    'no-place': { type: 'boolean', help: 'make no replica sets: the records stay on this node' },
  },
  examples: [
    [
      'onehop import posts.jsonl --collection posts --user-field author --scope-field place',
      'posts by many people, who get a profile with their place',
    ],
    [
      'onehop import town.jsonl --collection-field kind --user-field by --ids ids.jsonl',
      'lines of several collections: {"kind": "follows", "by": "ada", "user": "grace"}',
    ],
  ],
  notes: [
    'A line is a JSON object. Keys that the schema does not know stay behind; a field of type user may hold the name of',
    'another user of the file. Bad lines are counted and told, and the rest goes on. The same file, seed and options give',
    'the same users and records: import it again and the node knows them already. A record dated more than 60 days ago',
    'is refused by any node. Exit code 1 when any line was refused, or nothing came in.',
  ].join('\n'),
  run: runImport,
}

async function runImport({ operands: [file = ''], flags, context, output }: Call) {
  const { signal, environment, clock } = context
  const userField = flags.text('user-field')
  const collection = flags.text('collection')
  const collectionField = flags.text('collection-field')
  if (userField === undefined) throw new UsageError('import needs --user-field KEY', 'onehop import --help')
  if (collection === undefined && collectionField === undefined)
    throw new UsageError('import needs --collection NAME or --collection-field KEY', 'onehop import --help')
  const schema = await openSchema(flags.text('schema'), environment)
  if (collection !== undefined) collectionOf(schema, collection)
  const profile = flags.text('profile-collection')
  const form = {
    collection,
    collectionField,
    userField,
    scopeField: flags.text('scope-field'),
    timeField: flags.text('time-field'),
    rename: readRenames(flags.texts('field')),
  }
  const profileCollection =
    profile ?? (schema.collections.get('profile')?.key === 'single' ? 'profile' : undefined)
  const sizeBytes = await sizeOf(file)
  const limit = flags.count('limit')
  const seed = flags.text('seed') ?? seedDefault
  const { call } = await context.daemon()
  const crypto = await context.crypto()
  const read = { ...form, rename: [...form.rename], profileCollection, schema: toHex(schema.hash) }
  const journal = await openJournalEntry(
    importsPath(environment),
    seed,
    await fingerprintOf(file, read),
    clock.nowMs(),
  )
  const idsPath = flags.text('ids')
  const ids = idsPath === undefined ? undefined : await openIds(idsPath)
  const bar = createProgressBar(output, { bytes: sizeBytes, lines: limit }, clock)
  try {
    const summary = await importRecords({
      lines: firstLines(splitLines(createReadStream(file, { signal })), limit),
      form: { ...form, schema },
      profileCollection,
      seed,
      ...journal,
      place: !flags.on('no-place'),
      call,
      crypto,
      clock,
      signal,
      onProgress: (progress) => bar.show(progress),
      onUser: (user, id) => ids?.write(`${JSON.stringify({ user, id: toHex(id) })}\n`),
    })
    bar.end()
    report(summary, bar.seconds(), output)
    return summary.refused > 0 || summary.stored + summary.known === 0 ? exitCodes.failed : exitCodes.ok
  } finally {
    bar.end()
    await ids?.close()
  }
}

async function* firstLines(lines: AsyncIterable<Line>, limit: number | undefined): AsyncGenerator<Line> {
  let taken = 0
  if (limit === 0) return
  for await (const line of lines) {
    yield line
    taken++
    if (taken === limit) return
  }
}

function readRenames(texts: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    texts.map((text): [string, string] => {
      const at = text.indexOf('=')
      if (at < 1 || at === text.length - 1)
        throw new UsageError(`--field ${text}: write it as --field NAME=KEY`, 'onehop import --help')
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file)
    if (found.isFile()) return found.size
    throw new OnehopError('BAD_REQUEST', `${file} is not a file`, { help: 'Name a file of JSON lines.' })
  } catch (cause) {
    if (cause instanceof OnehopError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    throw new OnehopError(
      'NOT_FOUND',
      code === 'ENOENT' ? `there is no file ${file}` : `cannot read ${file}: ${code}`,
      { cause, help: 'Name a file of JSON lines, one object a line; it is looked for from where you are.' },
    )
  }
}

interface Ids {
  write(line: string): void
  close(): Promise<void>
}

/** Lines wait in memory until there are enough of them for a write. */
async function openIds(path: string): Promise<Ids> {
  let file: FileHandle
  try {
    file = await open(path, 'w')
  } catch (cause) {
    throw new OnehopError('BAD_REQUEST', `cannot write ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    })
  }
  const enough = 1000
  let waiting: string[] = []
  let written: Promise<unknown> = Promise.resolve()
  const flush = (): void => {
    const text = waiting.join('')
    waiting = []
    written = written.then(() => file.writeFile(text))
  }
  return {
    write(line) {
      waiting.push(line)
      if (waiting.length >= enough) flush()
    },
    async close() {
      flush()
      try {
        await written
      } finally {
        await file.close()
      }
    },
  }
}

function report(summary: ImportSummary, seconds: number, output: Output): void {
  const { lines, users, stored, known, refused, placed, unplaced, unplacedReason, bad } = summary
  const recordsPerS = Math.round((stored + known) / Math.max(seconds, 0.001))
  if (output.json) {
    output.line({
      lines,
      users,
      stored,
      known,
      refused,
      placed,
      unplaced,
      unplacedReason: unplacedReason ?? null,
      seconds,
      recordsPerS,
      bad,
    })
    return
  }
  const parts = [
    `${counted(stored, 'record')} stored`,
    ...(known > 0 ? [`${formatCount(known)} known before`] : []),
    `${counted(users, 'user')}`,
    ...(placed > 0 ? [`${counted(placed, 'replica set')}`] : []),
  ]
  output.words(
    `${output.green(parts.join(', '))} in ${seconds.toFixed(1)} s (${formatCount(recordsPerS)} records/s)`,
  )
  if (unplaced > 0)
    output.words(output.yellow(`${counted(unplaced, 'user')} without a replica set: ${unplacedReason}`))
  if (refused === 0) return
  output.words(output.red(`${counted(refused, 'record')} refused:`))
  for (const { line, code, message } of bad.slice(0, 10))
    output.words(`  line ${line}: ${safeText(message)} ${output.dim(`(${code})`)}`)
  if (refused > 10) output.words(output.dim(`  and ${formatCount(refused - 10)} more`))
}
