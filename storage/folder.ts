import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it, for their owner alone; one that is there is left as it is. Not Node's
 * `recursive`, which tries again for ever where a folder that exists takes none inside (/proc, some network mounts).
 */
export async function makeFolder(path: string): Promise<void> {
  const above = dirname(path)
  try {
    await makeOne(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw cause
    await makeFolder(above)
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (cause) {
    const isMade = (cause as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory()
    if (!isMade) throw cause
  }
}
