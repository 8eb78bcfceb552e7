import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, rm } from 'node:fs/promises'
import { createRequire as requireAt } from 'node:module'
import { join } from 'node:path'

/**
 * A database that cannot be opened, or read: what is in its tables and logs is gathered into one that can. The damaged files are
 * copied to `kept` first. False where nothing could be saved; the folder is gone then.
 */
export async function mendLevel(location: string, kept: string): Promise<boolean> {
  const level = join(location, 'level')
  await cp(level, kept, { recursive: true, force: false, errorOnExist: true })
  if (await repair(level)) return true
  // Logs are read without their checksums, which brings it down where these are damaged: what tables hold may be had without them.
  for (const file of await readdir(level)) if (file.endsWith('.log')) await rm(join(level, file))
  if (await repair(level)) return true
  // It is in `kept`: an empty database is one that others can fill.
  await rm(level, { recursive: true, force: true })
  return false
}

/** Repairs, and reads all of it: what is repaired may hold tables that are damaged inside. */
const program = `
const { ClassicLevel } = require(process.argv[1])
async function mend(path) {
  await ClassicLevel.repair(path)
  const level = new ClassicLevel(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  for await (const entry of level.iterator()) if (entry.length !== 2) throw new Error('no entry')
  await level.close()
}
mend(process.argv[2]).catch(() => process.exit(1))
`

/** At some damage LevelDB's own checks end the process that only opens it; whatever else is wrong an opening here tells. */
export async function endsWhoOpens(location: string): Promise<boolean> {
  const opening = `new (require(process.argv[1]).ClassicLevel)(process.argv[2]).open().catch(() => process.exit(1))`
  return (await run(opening, join(location, 'level'))) === null
}

async function repair(level: string): Promise<boolean> {
  return (await run(program, level)) === 0
}

/** In a process of its own. Its code; null where it was ended. */
async function run(code: string, level: string): Promise<number | null> {
  const library = requireAt(import.meta.url).resolve('classic-level')
  const child = spawn(process.execPath, ['-e', code, library, level], { stdio: 'ignore' })
  const [exit] = (await once(child, 'exit')) as [number | null]
  return exit
}
