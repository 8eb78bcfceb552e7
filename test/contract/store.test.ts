import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { storeContract } from './store.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

storeContract('a database in memory', async () => new MemoryKv(), 60)

storeContract(
  'a database on disk',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'onehop-store-'))
    folders.push(folder)
    return openLevelKv(folder, { clock: systemClock })
  },
  10,
)
