import { expect, it } from 'vitest'
import { utf8 } from '../../protocol/bytes.ts'
import { tags } from '../../storage/keys.ts'
import { CachedKv } from '../../storage/kv-cache.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import type { Kv, KvWrite } from '../../storage/kv.ts'

const head = Uint8Array.of(tags.head, 1)
const other = Uint8Array.of(tags.head, 2)
const record = Uint8Array.of(tags.live, 1)
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
const put = (key: Uint8Array, value: string): KvWrite => ({ type: 'put', key, value: utf8(value) })

/**
 * A database that counts what it is asked. One batch that it refuses is in its log all the same, and shows when it is
 * opened anew, which the next batch does: so LevelDB behaves after a disk was full.
 */
function broken(): { kv: Kv; state: { reads: number; fails: boolean } } {
  const inner = new MemoryKv()
  const state = { reads: 0, fails: false }
  let logged: readonly KvWrite[] = []
  const kv: Kv = {
    get: (key) => {
      state.reads++
      return inner.get(key)
    },
    getMany: (keys) => inner.getMany(keys),
    range: (range) => inner.range(range),
    keys: (range) => inner.keys(range),
    close: () => inner.close(),
    async batch(writes) {
      if (state.fails) {
        logged = writes
        throw new Error('not synced')
      }
      await inner.batch([...logged, ...writes])
    },
  }
  return { kv, state }
}

it('asks the database for nothing that it wrote a moment ago, and shows nothing before it is written', async () => {
  const { kv, state } = broken()
  const cached = new CachedKv(kv)
  expect(cached.get(head)).toBeUndefined()
  const writing = cached.batch([put(head, 'one'), put(record, 'two')])
  expect(cached.get(head)).toBeUndefined()
  await writing
  expect([text(cached.get(head)), text(cached.get(record))]).toEqual(['one', 'two'])
  expect(state.reads).toBe(1)
  await cached.batch([
    { type: 'del', key: head },
    { type: 'del', key: record },
  ])
  expect([cached.get(head), cached.get(record)]).toEqual([undefined, undefined])
})

it('believes nothing after a batch that failed: its bytes may be on the disk', async () => {
  const { kv, state } = broken()
  const cached = new CachedKv(kv)
  await cached.batch([put(head, 'one'), put(record, 'one')])
  state.fails = true
  await expect(cached.batch([put(head, 'two'), put(record, 'two')])).rejects.toThrow('not synced')
  expect([text(cached.get(head)), text(cached.get(record))]).toEqual(['one', 'one'])
  state.fails = false
  await cached.batch([put(other, 'three')])
  expect([text(cached.get(head)), text(cached.get(record))]).toEqual(['two', 'two'])
})

it('keeps copies: who wrote may use the bytes again', async () => {
  const cached = new CachedKv(new MemoryKv())
  const value = utf8('one')
  await cached.batch([{ type: 'put', key: head, value }])
  value.fill(0)
  expect(text(cached.get(head))).toBe('one')
})

it('asks once whether the page is there that a device writes its next number into', async () => {
  const { kv, state } = broken()
  const cached = new CachedKv(kv)
  const page = Uint8Array.of(tags.numbers, 1)
  expect([cached.get(page), cached.get(page)]).toEqual([undefined, undefined])
  await cached.batch([put(page, 'one')])
  expect([text(cached.get(page)), text(cached.get(page))]).toEqual(['one', 'one'])
  expect(state.reads).toBe(1)
})
