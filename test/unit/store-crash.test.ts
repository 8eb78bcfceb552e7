import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { openStore } from '../../storage/store.ts'
import { id } from '../support/records.ts'

const writerPath = join(import.meta.dirname, '../support/store-writer.ts')
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onehop-crash-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Runs until `count` writes are acknowledged, then kills without warning. Gives all that were. */
async function writeAndKill(first: number, count: number): Promise<number[]> {
  const writer = spawn(process.execPath, [writerPath, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: number[] = []
  for await (const line of createInterface({ input: writer.stdout })) {
    if (line !== 'open') acknowledged.push(Number(line))
    if (acknowledged.length === count) writer.kill('SIGKILL')
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
  return acknowledged
}

test('what was acknowledged survives SIGKILL, whole and counted', async () => {
  const all: number[] = []
  for (let cycle = 0; cycle < 3; cycle++) {
    all.push(...(await writeAndKill(1 + cycle * 100_000, 150 + cycle * 77)))
    await using store = await openStore(await openLevelKv(folder, { clock: systemClock }), {
      clock: systemClock,
    })
    const ada = id('ada')
    for (const number of all) {
      const ref = store.records.byNumber(ada, id('phone'), number)
      expect(ref && store.records.get(ada, ref), `record ${number}`).toBeDefined()
    }
    const refs = await store.records.refs(ada)
    expect(store.shards.get(ada)?.records).toBe(refs.length)
    expect(store.records.count(ada, 'town.example', 'posts')).toBe(refs.length)
    expect(await store.records.log(ada, 0, 10_000)).toHaveLength(store.records.logHead(ada))
  }
  expect(all.length).toBeGreaterThan(600)
}, 60_000)

test('a store that another process has open names it', async () => {
  const writer = spawn(process.execPath, [writerPath, folder, '1'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(writer.stdout, 'data')
  await expect(openLevelKv(folder, { clock: systemClock })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: expect.stringContaining(`process ${writer.pid}`) as string,
  })
  writer.kill('SIGKILL')
  await once(writer, 'close')
  await (await openLevelKv(folder, { clock: systemClock })).close()
})

test('a damaged store says so', async () => {
  const kv = await openLevelKv(folder, { clock: systemClock })
  await kv.batch([{ type: 'put', key: Uint8Array.of(1), value: Uint8Array.of(1) }])
  await kv.close()
  const current = (await readFile(join(folder, 'level/CURRENT'), 'utf8')).trim()
  await writeFile(join(folder, 'level', current), 'garbage'.repeat(100))
  await expect(openLevelKv(folder, { clock: systemClock })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
})

test('a folder that is a file says so', async () => {
  await writeFile(join(folder, 'file'), '')
  await expect(openLevelKv(join(folder, 'file'), { clock: systemClock })).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
  })
})
