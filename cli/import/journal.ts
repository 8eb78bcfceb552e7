/**
 * What was imported here, by seed. A file that is imported again must give the same records, so its start is kept;
 * another file under the same seed must not use a number twice, so it gets numbers of its own.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { OnehopError } from '../../protocol/errors.ts'
import { writeSecretFile } from '../config.ts'
import { dataFolder } from '../key-store.ts'

const entry = v.object({ startMs: v.number(), numbersAfter: v.number() })
const journalShape = v.record(v.string(), v.record(v.string(), entry))

export type JournalEntry = v.InferOutput<typeof entry>

/** No user has so many lines in one file; 2^21 files fit. */
const numbersPerFile = 2 ** 32

export function importsPath(environment: NodeJS.ProcessEnv): string {
  return join(dataFolder(environment), 'imports.json')
}

/** The entry of this file under this seed, made and on disk before anything is signed with it. */
export async function openJournalEntry(
  path: string,
  seed: string,
  fingerprint: string,
  nowMs: number,
): Promise<JournalEntry> {
  const journal = await readJournal(path)
  const key = createHash('sha256').update(seed).digest('hex')
  const files = journal[key] ?? {}
  const known = files[fingerprint]
  if (known !== undefined) return known
  const made = { startMs: nowMs, numbersAfter: Object.keys(files).length * numbersPerFile }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeSecretFile(
    path,
    `${JSON.stringify({ ...journal, [key]: { ...files, [fingerprint]: made } }, undefined, 2)}\n`,
  )
  return made
}

/** Names a file and the way it is read: read otherwise, the same lines are other records. */
export async function fingerprintOf(file: string, form: object): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(form))
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function readJournal(path: string): Promise<v.InferOutput<typeof journalShape>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new OnehopError('STORE_UNWRITABLE', `cannot read ${path}`, { cause })
  }
  try {
    return v.parse(journalShape, JSON.parse(text))
  } catch (cause) {
    throw new OnehopError('STORE_CORRUPT', `${path} is no journal of imports`, {
      cause,
      help: 'Move it away, and import with a new --seed from now on.',
    })
  }
}
