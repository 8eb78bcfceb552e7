/** Which files of a database are not as they were written, by their own sums: LevelDB itself believes what is in a table. */
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asStoreError } from '../kv-level-errors.ts'
import { readLog, writeLog } from './log-file.ts'
import { namedTables } from './manifest.ts'
import { damagedBlocks, markBad } from './table-file.ts'

export interface DamagedFile {
  readonly name: string
  /** Takes out what is damaged and leaves the rest for LevelDB's own repair. The file itself stays as it is under its other names. */
  readonly mend: () => Promise<void>
}

export interface DamageOptions {
  /** The newest tables up to so many bytes, beside the logs; all of them when left out. */
  readonly tableBytesMax?: number
  /** Left out where somebody writes to them. */
  readonly logs?: boolean
  /** Also tables that the manifest does not name: a repair reads them all. */
  readonly unnamed?: boolean
  /** Also logs whose end is cut, as by a power cut: an opening knows what to do with these, a repair believes every byte. */
  readonly cutLogs?: boolean
  /** Reads a file whole, from a disk that may fail. */
  readonly read?: ((path: string) => Promise<Uint8Array>) | undefined
  /** Between two files. */
  readonly pause?: () => Promise<void>
  readonly signal?: AbortSignal | undefined
}

/** Files that go meanwhile, as of a database that runs, are none that are damaged. */
export async function* damagedFiles(level: string, options: DamageOptions = {}): AsyncGenerator<DamagedFile> {
  const { read = readFile } = options
  for (const name of await filesOf(level, options)) {
    options.signal?.throwIfAborted()
    const path = join(level, name)
    const bytes = await unlessMissing<Uint8Array>(read(path), name)
    const found =
      bytes &&
      (name.endsWith('.log') ? logDamage(path, bytes, options.cutLogs === true) : tableDamage(path, bytes))
    if (found !== undefined && (options.unnamed === true || (await isNamed(level, name))))
      yield { name, mend: found }
    await options.pause?.()
  }
}

/** One that was being written as the process was killed is no damage. */
async function isNamed(level: string, name: string): Promise<boolean> {
  return name.endsWith('.log') || (await namedTables(level))?.has(Number.parseInt(name)) !== false
}

/** The newest first: what was written last is what a power cut hits. */
async function filesOf(
  level: string,
  { tableBytesMax = Infinity, logs: withLogs = true }: DamageOptions,
): Promise<string[]> {
  const names = (await unlessMissing(readdir(level))) ?? []
  const logs = withLogs ? names.filter((name) => /^\d+\.log$/.test(name)) : []
  const tables = names
    .filter((name) => /^\d+\.(?:ldb|sst)$/.test(name))
    .toSorted((a, b) => Number.parseInt(b) - Number.parseInt(a))
  const within: string[] = []
  let left = tableBytesMax
  for (const name of tables) {
    if (left <= 0) break
    within.push(name)
    left -= (await unlessMissing(stat(join(level, name))))?.size ?? 0
  }
  return [...logs, ...within]
}

function logDamage(path: string, bytes: Uint8Array, withCut: boolean): DamagedFile['mend'] | undefined {
  const { batches, isCut, isDamaged } = readLog(bytes)
  return isDamaged || (withCut && isCut) ? () => replace(path, writeLog(batches)) : undefined
}

function tableDamage(path: string, bytes: Uint8Array): DamagedFile['mend'] | undefined {
  const blocks = damagedBlocks(bytes)
  // Where nothing says what is in it, LevelDB could but guess.
  if (blocks === undefined) return () => rm(path)
  if (blocks.length === 0) return undefined
  return () => {
    for (const block of blocks) markBad(bytes, block)
    return replace(path, bytes)
  }
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.draft`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

async function unlessMissing<T>(reading: Promise<T>, what = 'its files'): Promise<T | undefined> {
  try {
    return await reading
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    // A disk that cannot read says so in the words of the store.
    throw asStoreError(cause, what)
  }
}
