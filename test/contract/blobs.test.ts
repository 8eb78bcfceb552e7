import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openBlobFolder } from '../../storage/blobs-disk.ts'
import { MemoryBlobFolder } from '../../storage/blobs-memory.ts'
import { blobContract } from './blobs.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

blobContract('blobs in memory', async () => new MemoryBlobFolder())

blobContract('blobs on disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onehop-blobs-'))
  folders.push(folder)
  return openBlobFolder(folder)
})
