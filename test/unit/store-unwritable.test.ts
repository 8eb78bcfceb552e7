import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { asOnehopError } from '../../protocol/errors.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { openStore, type Store } from '../../storage/store.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onehop-unwritable-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const restMs = 1_000
const clock = createVirtualClock()

/** With the smallest write buffer, so that LevelDB soon needs another file. */
const open = async (): Promise<Store> =>
  openStore(await openLevelKv(folder, { clock, writeBufferBytes: 64 * 1024, reopenAfterMs: restMs }), {
    clock,
  })

/** To a running LevelDB, for whoever runs this test (root too), as a disk on which no file can be made any more. */
async function breakDisk(): Promise<void> {
  await rename(join(folder, 'level'), join(folder, 'away'))
  await writeFile(join(folder, 'level'), 'no folder')
}

async function mendDisk(): Promise<void> {
  await rm(join(folder, 'level'))
  await rename(join(folder, 'away'), join(folder, 'level'))
}

test('a disk that becomes unwritable: clear refusals, reads go on, nothing acknowledged is lost, it recovers', async () => {
  const acknowledged: number[] = []
  const refused: string[] = []
  let store = await open()
  const key = (number: number): Uint8Array => Uint8Array.of(number >> 8, number & 255)
  const write = async (number: number): Promise<void> => {
    try {
      await store.table('test').put(key(number), new Uint8Array(8 * 1024).fill(number))
      acknowledged.push(number)
    } catch (error) {
      refused.push(asOnehopError(error).code)
    }
  }
  const readAll = async (): Promise<void> => {
    for (const number of acknowledged)
      expect(store.table('test').get(key(number))?.[0], `number ${number}`).toBe(number)
    expect(await store.table('test').range({ limit: 1_000 })).toHaveLength(acknowledged.length)
  }

  for (let number = 1; number <= 20; number++) await write(number)
  expect(refused).toEqual([])
  await breakDisk()
  let number = 21
  while (refused.length === 0 && number < 200) await write(number++)
  // Each write after a rest tries to open the database anew, and must not lose the handle that can read.
  for (let i = 0; i < 5; i++) {
    await write(number++)
    await readAll()
    await clock.advance(restMs)
  }
  expect(new Set(refused)).toEqual(new Set(['STORE_UNWRITABLE']))
  expect(acknowledged.length).toBeGreaterThanOrEqual(20)

  await mendDisk()
  await clock.advance(restMs)
  refused.length = 0
  for (let i = 0; i < 20; i++) await write(number++)
  expect(refused).toEqual([])
  await readAll()
  await store.close()
  store = await open()
  await readAll()
  await store.close()
})

test('a store whose note of its process cannot be taken away closes all the same', async () => {
  const store = await open()
  await rm(join(folder, 'pid'))
  // A folder in its place: as hard to delete as a file on a disk that takes no writes.
  await mkdir(join(folder, 'pid'))
  await store.close()
  await rm(join(folder, 'pid'), { recursive: true })
  await (await open()).close()
})
