/**
 * Opens a database, and one that is damaged as well: it is copied aside as it is, what its own sums prove wrong goes, and the rest is
 * gathered into one that opens. What is derived from records has to be looked through after that (`verifyStore`).
 */
import { copyFile, link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import { makeFolder } from './folder.ts'
import { openLevelKv } from './kv-level.ts'
import type { Kv } from './kv.ts'
import { damagedFiles } from './level-files/damage.ts'
import { repairLevel, tryOpening } from './level-files/repair.ts'
import { hasLostVersion, restoreVersion } from './migrations.ts'

/** After a run that ended by itself logs are looked at alone; else what was written last as well. */
const checkedTableBytes = 256 * 2 ** 20

export interface MendOptions {
  readonly clock: Clock
  /** Folder for the damaged database; undefined where nothing may be changed. */
  readonly keepIn: string | undefined
  /** Looks at every table, which takes seconds for each gigabyte. */
  readonly checksAll?: boolean
  readonly onCorrupt?: ((error: OnehopError) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface OpenedStore {
  readonly kv: Kv
  /** Where the damaged one is, until `isMended` says that all of it was looked through. */
  readonly kept: string | undefined
}

/** Throws STORE_LOCKED, and STORE_CORRUPT where it is damaged and nothing may be changed. */
export async function openOrMend(location: string, options: MendOptions): Promise<OpenedStore> {
  const { keepIn } = options
  const damage = (await noteOf(location, 'mending')) ?? (await findDamage(location, options))
  if (damage === undefined) {
    try {
      const kv = await openLevelKv(location, options)
      if (!(await hasLostVersion(kv))) return { kv, kept: undefined }
      await kv.close()
    } catch (cause) {
      if (asOnehopError(cause).code !== 'STORE_CORRUPT') throw cause
    }
  }
  if (keepIn === undefined)
    throw new OnehopError('STORE_CORRUPT', `the store is damaged: ${location}${damage ? ` (${damage})` : ''}`)
  // Its files must not change under a process that has it open: opening says STORE_LOCKED, and who that is.
  if (await isLocked(location)) return { kv: await openLevelKv(location, options), kept: undefined }
  return mendStore(location, { ...options, keepIn })
}

/** Notes that a file is damaged: the next opening mends it. */
export async function noteDamage(location: string, name: string): Promise<void> {
  await writeFile(join(location, 'damaged'), `${name}\n`, { mode: 0o600 })
}

/** Everything in it was looked through: a crash from here on leaves nothing undone. */
export async function isMended(location: string): Promise<void> {
  for (const name of ['mending', 'damaged']) await rm(join(location, name), { force: true })
}

export async function mendStore(
  location: string,
  options: MendOptions & { readonly keepIn: string },
): Promise<OpenedStore> {
  const level = join(location, 'level')
  let kept = await noteOf(location, 'mending')
  if (kept === undefined) {
    kept = await keepAside(level, join(options.keepIn, `store-${Math.floor(options.clock.nowMs())}`))
    const note = join(location, 'mending')
    await writeFile(`${note}.draft`, `${kept}\n`, { mode: 0o600, flush: true })
    await rename(`${note}.draft`, note)
  }
  for await (const { mend } of damagedFiles(level, { cutLogs: true, unnamed: true })) await mend()
  if (!(await repairLevel(level))) {
    // Logs are what it reads with the least care: what tables hold may be had without them.
    for (const file of await readdir(level)) if (file.endsWith('.log')) await rm(join(level, file))
    // It is in `kept`: an empty database is one that others can fill.
    if (!(await repairLevel(level))) await rm(level, { recursive: true, force: true })
  }
  // Where repairs put what they took in: all of it is in `kept`.
  await rm(join(level, 'lost'), { recursive: true, force: true })
  const kv = await openLevelKv(location, options)
  await restoreVersion(kv)
  return { kv, kept }
}

/** Why it has to be mended before anybody opens it, in a word: an opening takes in a log and forgets what it could not read of it. */
async function findDamage(location: string, { checksAll, signal }: MendOptions): Promise<string | undefined> {
  const level = join(location, 'level')
  const noted = await noteOf(location, 'damaged')
  if (noted !== undefined) return noted
  const isUnclean = (await noteOf(location, 'pid')) !== undefined
  const tableBytesMax = checksAll ? Infinity : isUnclean ? checkedTableBytes : 0
  for await (const { name } of damagedFiles(level, { tableBytesMax, signal })) return name
  const ends = (checksAll || isUnclean) && (await tryOpening(level)) === 'ends'
  return ends ? 'whoever opens it is ended' : undefined
}

/** The lock is on the file, whichever folder it is found in: a database that is made beside it shows whether somebody has it. */
async function isLocked(location: string): Promise<boolean> {
  const beside = join(location, 'lock-trial')
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { mode: 0o700 })
  try {
    await link(join(location, 'level', 'LOCK'), join(beside, 'LOCK'))
    return (await tryOpening(beside)) === 'locked'
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw cause
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
}

/** Tables never change once they are written: another name for each is enough, and takes no space. */
async function keepAside(level: string, wanted: string): Promise<string> {
  await makeFolder(join(wanted, '..'))
  const draft = `${wanted}.draft`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  for (const entry of await readdir(level, { withFileTypes: true }).catch(noFiles)) {
    const file = entry.name
    // A folder is what an earlier repair put aside.
    if (!entry.isFile()) continue
    const [from, to] = [join(level, file), join(draft, file)]
    if (/\.(?:ldb|sst)$/.test(file)) await link(from, to).catch(() => copyFile(from, to))
    else await copyFile(from, to)
  }
  const taken = new Set(await readdir(join(wanted, '..')))
  let kept = wanted
  for (let n = 2; taken.has(basename(kept)); n++) kept = `${wanted}-${n}`
  await rename(draft, kept)
  return kept
}

function noFiles(cause: unknown): [] {
  if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
  throw cause
}

/** What a file beside the database says. */
async function noteOf(location: string, name: 'mending' | 'damaged' | 'pid'): Promise<string | undefined> {
  try {
    return (await readFile(join(location, name), 'utf8')).trim()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}
