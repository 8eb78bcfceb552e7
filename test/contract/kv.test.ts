import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { CachedKv } from '../../storage/kv-cache.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { kvContract } from './kv.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

kvContract('a database in memory', async () => new MemoryKv())

kvContract('a little memory before a database', async () => new CachedKv(new MemoryKv()))

kvContract('a database on disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onehop-kv-'))
  folders.push(folder)
  return openLevelKv(folder, { clock: systemClock })
})
