import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'

/**
 * A database that cannot be opened: what is in its tables and logs is gathered into one that can. The damaged files are copied to `kept`
 * first. False where nothing could be saved; the folder is empty then.
 */
export async function mendLevel(location: string, kept: string): Promise<boolean> {
  const level = join(location, 'level')
  await cp(level, kept, { recursive: true, force: false, errorOnExist: true })
  try {
    await ClassicLevel.repair(level)
    return true
  } catch {
    // It is in `kept`: an empty database is one that others can fill.
    await rm(level, { recursive: true, force: true })
    return false
  }
}
