/** Bytes of a database that changed on the disk: found by its own sums, and nothing that was not written is ever read again. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { systemClock } from '../../daemon/clock.ts'
import { Scrub } from '../../daemon/damage/scrub.ts'
import { maskedCrc32c } from '../../storage/level-files/crc32c.ts'
import { damagedFiles } from '../../storage/level-files/damage.ts'
import { readLog, writeLog } from '../../storage/level-files/log-file.ts'
import { namedTables } from '../../storage/level-files/manifest.ts'
import { damagedBlocks } from '../../storage/level-files/table-file.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { isMended, mendStore, openOrMend } from '../../storage/mend-store.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'onehop-level-files-'))
const clock = systemClock
const written = new Map<string, string[]>()
const random = createSeededRandom(11)

/** Tables and a log, text that packs well and bytes that do not. */
beforeAll(async () => {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(join(folder, 'whole', 'level'), {
    ...{ keyEncoding: 'view', valueEncoding: 'view', writeBufferSize: 256 * 1024 },
  })
  mkdirSync(join(folder, 'whole'))
  await level.open()
  for (let i = 0; i < 60; i++) {
    const batch = level.batch()
    for (let j = 0; j < 40; j++) {
      const key = Uint8Array.of(0x64, i % 50, j, 7)
      const value = j % 2 ? random.bytes(300) : new Uint8Array(900).fill(i)
      written.set(toHex(key), [...(written.get(toHex(key)) ?? []), toHex(value)])
      batch.put(key, value)
    }
    await batch.write({ sync: true })
  }
  const large = Uint8Array.of(0x64, 255)
  await level.put(large, new Uint8Array(100_000).fill(3))
  for (let i = 0; i < 20; i++) await level.put(Uint8Array.of(0x64, 254, i), new Uint8Array(900).fill(i))
  written.set(toHex(large), [toHex(new Uint8Array(100_000).fill(3))])
  await level.close()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const files = (store: string): string[] =>
  readdirSync(join(store, 'level')).filter((name) => /\.(?:log|ldb)$/.test(name))
let copies = 0
function copy(): string {
  const to = join(folder, `copy-${copies++}`)
  mkdirSync(join(to, 'level'), { recursive: true })
  for (const name of readdirSync(join(folder, 'whole', 'level')))
    copyFileSync(join(folder, 'whole', 'level', name), join(to, 'level', name))
  return to
}
function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] as number) ^ 0x40
  writeFileSync(path, bytes)
}
async function damage(store: string): Promise<string[]> {
  const found: string[] = []
  for await (const { name } of damagedFiles(join(store, 'level'))) found.push(name)
  return found
}
const keepIn = join(folder, 'quarantine')

test('the sum is the one of RFC 3720', () => {
  const mask = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0
  // Appendix B.4: 32 bytes of zeros, of ones, rising.
  expect(maskedCrc32c(new Uint8Array(32))).toBe(mask(0x8a91_36aa))
  expect(maskedCrc32c(new Uint8Array(32).fill(0xff))).toBe(mask(0x62a8_ab43))
  expect(maskedCrc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(mask(0x46dd_794e))
  expect(maskedCrc32c(new TextEncoder().encode('123456789'))).toBe(mask(0xe306_9283))
})

test('what LevelDB wrote is whole; its log is written again byte for byte', async () => {
  const whole = join(folder, 'whole')
  expect(files(whole).length).toBeGreaterThan(2)
  expect(await damage(whole)).toEqual([])
  for (const name of files(whole).filter((each) => each.endsWith('.log'))) {
    const bytes = readFileSync(join(whole, 'level', name))
    expect(Buffer.compare(writeLog(readLog(bytes).batches), bytes)).toBe(0)
  }
})

test('a table that was being written as the process was killed is no damage; the same of one that the manifest names is', async () => {
  const store = copy()
  const level = join(store, 'level')
  const tables = files(store).filter((name) => name.endsWith('.ldb'))
  const named = await namedTables(level)
  expect([...(named ?? [])].toSorted((a, b) => a - b)).toEqual(tables.map((name) => Number.parseInt(name)))
  const [first] = tables as [string]
  const half = readFileSync(join(level, first)).subarray(0, 5_000)
  writeFileSync(join(level, '999999.ldb'), half)
  expect(await damage(store)).toEqual([])
  await (await openLevelKv(store, { clock })).close()
  expect(files(store)).not.toContain('999999.ldb')
  const [still] = files(store).filter((name) => name.endsWith('.ldb')) as [string]
  writeFileSync(join(level, still), half)
  expect(await damage(store)).toEqual([still])
  // Where the manifest does not say, every table may be one that counts.
  const other = copy()
  writeFileSync(join(other, 'level', '999999.ldb'), half)
  const manifest = readFileSync(join(other, 'level', 'CURRENT'), 'utf8').trim()
  flip(join(other, 'level', manifest), 20)
  expect(await damage(other)).toEqual(['999999.ldb'])
})

test('a log that was cut at any place is no damage; a byte of it that changed is, unless it is of the last batch', () => {
  const batches = [10, 40_000, 5, 32_761, 32_768, 0, 70_000, 3].map((length) => random.bytes(length))
  const log = writeLog(batches)
  expect(readLog(log)).toEqual({ batches, isCut: false, isDamaged: false })
  for (let at = 0; at < log.length; at += 1_511) {
    const cut = readLog(log.subarray(0, at))
    expect(cut.isDamaged).toBe(false)
    expect(cut.batches).toEqual(batches.slice(0, cut.batches.length))
    const zeroed = log.slice()
    zeroed.fill(0, at)
    expect(readLog(zeroed).isDamaged).toBe(false)
    const changed = log.slice()
    changed[at] = (changed[at] as number) ^ 1
    const read = readLog(changed)
    // Where a length changed nobody can tell what follows in the block: the last of all is where a power cut ends, too.
    const isInLast = at >= log.length - 10
    expect(read.isDamaged, `byte ${at}`).toBe(!isInLast)
    // Never one that was not written.
    for (const batch of read.batches)
      expect(batches.some((each) => Buffer.compare(each, batch) === 0)).toBe(true)
  }
})

test('every byte of a table is under some sum', () => {
  const store = copy()
  const name = files(store).find((each) => each.endsWith('.ldb')) as string
  const bytes = new Uint8Array(readFileSync(join(store, 'level', name)))
  expect(damagedBlocks(bytes)).toEqual([])
  for (let at = 0; at < bytes.length; at += 997) {
    bytes[at] = (bytes[at] as number) ^ 0x10
    expect(damagedBlocks(bytes), `byte ${at}`).not.toEqual([])
    bytes[at] = (bytes[at] as number) ^ 0x10
  }
  expect(damagedBlocks(bytes.subarray(0, 40))).toBeUndefined()
  expect(damagedBlocks(bytes.subarray(0, -1))).toBeUndefined()
})

test('whatever changed: what is read afterwards was written so, and most of it is there', async () => {
  for (const every of [3_000, 20_011, 150_001]) {
    const store = copy()
    for (const name of files(store)) {
      const path = join(store, 'level', name)
      const { length } = readFileSync(path)
      for (let at = every >> 1; at < length; at += every) flip(path, at)
    }
    const found = await damage(store)
    expect(found.length).toBeGreaterThan(0)
    const { kv, kept } = await openOrMend(store, { clock, keepIn })
    expect(readdirSync(kept as string).toSorted()).toContain('CURRENT')
    let left = 0
    for (const [key, values] of written) {
      const read = kv.get(Buffer.from(key, 'hex'))
      if (read === undefined) continue
      left++
      expect(values.includes(toHex(read)), `${every} ${key}`).toBe(true)
    }
    if (every > 3_000) expect(left).toBeGreaterThan(written.size / 2)
    await kv.close()
    await isMended(store)
    expect(await damage(store)).toEqual([])
    // Once: the next start has nothing to do.
    const again = await openOrMend(store, { clock, keepIn })
    expect(again.kept).toBeUndefined()
    await again.kv.close()
  }
}, 120_000)

test('a mend that was cut short goes on at the next opening, and keeps what was damaged first', async () => {
  const store = copy()
  const log = files(store).find((name) => name.endsWith('.log')) as string
  flip(join(store, 'level', log), 100)
  const first = await mendStore(store, { clock, keepIn })
  await first.kv.close()
  const second = await openOrMend(store, { clock, keepIn })
  expect(second.kept).toBe(first.kept)
  await second.kv.close()
  await isMended(store)
  const third = await openOrMend(store, { clock, keepIn })
  expect(third.kept).toBeUndefined()
  await third.kv.close()
})

test('whoever changes nothing is told; while another has it open nothing is changed either', async () => {
  const store = copy()
  const log = files(store).find((name) => name.endsWith('.log')) as string
  flip(join(store, 'level', log), 100)
  await expect(openOrMend(store, { clock, keepIn: undefined })).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
  })
  expect(await damage(store)).toEqual([log])
  const level = new ClassicLevel(join(store, 'level'))
  await level.open()
  // Its own log is damaged as well: it was written to, and nobody looks into it while it is open.
  for (const i of [1, 2, 3]) await level.put(`key ${i}`, 'x'.repeat(40_000), { sync: true })
  flip(join(store, 'level', files(store).find((name) => name.endsWith('.log')) as string), 100)
  const before = files(store)
  await expect(openOrMend(store, { clock, keepIn })).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  expect(files(store)).toEqual(before)
  await level.close()
})

test('the scrub reads every table, says which is damaged, and the next opening mends it', async () => {
  const store = copy()
  const virtual = createVirtualClock()
  const said: unknown[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (...args: unknown[]) => said.push(args) }
  const scrub = new Scrub({ location: store, clock: virtual, log })
  const closing = new AbortController()
  const running = scrub.run(closing.signal).catch(() => undefined)
  const pass = async (ms: number): Promise<void> => {
    await virtual.advance(ms)
    // A file is read on the real disk, then it pauses.
    for (let i = 0; i < 20; i++) {
      await setTimeout(5)
      await virtual.advance(500)
    }
  }
  await pass(3_600_000)
  expect(scrub.damaged).toBeUndefined()
  const table = files(store).filter((name) => name.endsWith('.ldb'))[0] as string
  flip(join(store, 'level', table), 5_000)
  await pass(7 * 86_400_000)
  expect(scrub.damaged).toBe(table)
  expect(said).toEqual([['store.damaged', { file: table }]])
  closing.abort()
  await running
  const { kv, kept } = await openOrMend(store, { clock, keepIn })
  expect(kept).toBeDefined()
  await kv.close()
})

test('a table that the disk cannot read is told as one that is damaged, one that went meanwhile is not', async () => {
  const store = copy()
  const tables = files(store).filter((name) => name.endsWith('.ldb'))
  const [gone, bad] = [tables[0] as string, tables[1] as string]
  const faults = new Map([[gone, 'ENOENT']])
  const virtual = createVirtualClock()
  const said: unknown[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (...args: unknown[]) => said.push(args) }
  const read = async (path: string): Promise<Uint8Array> => {
    const code = faults.get(basename(path))
    if (code !== undefined) throw Object.assign(new Error(`${code}: read`), { code })
    return readFileSync(path)
  }
  const scrub = new Scrub({ location: store, clock: virtual, log, read })
  const closing = new AbortController()
  const running = scrub.run(closing.signal).catch(() => undefined)
  const pass = async (ms: number): Promise<void> => {
    await virtual.advance(ms)
    for (let i = 0; i < 40; i++) {
      await setTimeout(2)
      await virtual.advance(500)
    }
  }
  await pass(3_600_000)
  expect(scrub.damaged).toBeUndefined()
  faults.set(bad, 'EIO')
  await pass(7 * 86_400_000)
  expect(scrub.damaged).toBe(`the disk fails: ${bad}`)
  expect(said).toEqual([['store.damaged', { file: scrub.damaged }]])
  closing.abort()
  await running
  // The next opening looks for itself.
  const { kv } = await openOrMend(store, { clock, keepIn })
  await kv.close()
})
