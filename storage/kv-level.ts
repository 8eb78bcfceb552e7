import { open, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import { asStoreError } from './kv-level-errors.ts'
import { kvRangeLimit } from './kv.ts'
import type { Kv, KvEntry, KvRange, KvWrite } from './kv.ts'
import { makeFolder } from './folder.ts'

export interface LevelOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** LevelDB's default of 4 MB stalls a bulk load for over a second at a time; with 64 MB for 0.2 s. */
  readonly writeBufferBytes?: number
  readonly cacheBytes?: number
  /** How long a handle that ran into a full disk rests before `settle` opens it anew. */
  readonly reopenAfterMs?: number
  /** A read met something that cannot be what was written. */
  readonly onCorrupt?: ((error: OnehopError) => void) | undefined
}

type Level = ClassicLevel<Uint8Array, Uint8Array>

type State =
  | { readonly state: 'open'; readonly level: Level }
  /** LevelDB refuses every write after one failed, for good. Reads go on with the old handle meanwhile. */
  | { readonly state: 'failed'; readonly level: Level; readonly atMs: number; readonly error: OnehopError }
  | { readonly state: 'reopening'; readonly done: Promise<void> }
  | { readonly state: 'down'; readonly atMs: number; readonly error: OnehopError }
  | { readonly state: 'closed' }

/** `nextv(n)` otherwise ends early at 16 KB of data. */
const rangeBytesMax = 64 * 1024 * 1024
/** Opening writes a manifest and may flush a log: on a disk with less room it would fail and take reads with it. */
const reopenFreeBytes = 16 * 1024 * 1024

/** Opens or creates the database in folder `location`. The process that has it open is named in `<location>/pid`. */
export async function openLevelKv(location: string, options: LevelOptions): Promise<Kv> {
  try {
    await makeFolder(location)
  } catch (cause) {
    throw asStoreError(cause, location)
  }
  const kv = new LevelKv(location, options, await openFirst(location, options))
  try {
    await writeFile(pidPath(location), `${process.pid}\n`)
  } catch (cause) {
    await kv.close()
    throw asStoreError(cause, location)
  }
  return kv
}

class LevelKv implements Kv {
  readonly #location: string
  readonly #options: LevelOptions
  readonly #underWay = new Set<Promise<unknown>>()
  #state: State
  #closing: Promise<void> | undefined

  constructor(location: string, options: LevelOptions, level: Level) {
    this.#location = location
    this.#options = options
    this.#state = { state: 'open', level }
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const level = this.#readable()
    try {
      return plain(level.getSync(key))
    } catch (cause) {
      throw this.#readError(cause)
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const values = await this.#read((level) => level.getMany(keys as Uint8Array[]))
    return values.map(plain)
  }

  async range(range: KvRange): Promise<KvEntry[]> {
    const limit = range.limit ?? kvRangeLimit
    return this.#read(async (level) => {
      await using iterator = level.iterator({ ...range, limit, highWaterMarkBytes: rangeBytesMax })
      return await collect(limit, async (count) => {
        const entries = await iterator.nextv(count)
        return entries.map(([key, value]) => ({ key: plain(key), value: plain(value) }))
      })
    })
  }

  async keys(range: KvRange): Promise<Uint8Array[]> {
    const limit = range.limit ?? kvRangeLimit
    return this.#read(async (level) => {
      await using iterator = level.keys({ ...range, limit, highWaterMarkBytes: rangeBytesMax })
      return await collect(limit, async (count) => (await iterator.nextv(count)).map(plain))
    })
  }

  batch(writes: readonly KvWrite[]): Promise<void> {
    return this.#track(this.#batch(writes))
  }

  settle(): Promise<void> {
    return this.#track(this.#settle())
  }

  async #settle(): Promise<void> {
    const state = this.#state
    if (state.state === 'reopening') await state.done
    if (state.state !== 'failed' && state.state !== 'down') return
    const restMs = this.#options.clock.monotonicMs() - state.atMs
    if (restMs < (this.#options.reopenAfterMs ?? 1000)) return
    const done = this.#reopen(state)
    this.#state = { state: 'reopening', done }
    await done
  }

  async #batch(writes: readonly KvWrite[]): Promise<void> {
    if (this.#state.state === 'reopening') await this.#state.done
    const level = this.#writable()
    try {
      // A chained batch costs half the CPU of an array batch, which clones each operation twice.
      const batch = level.batch()
      for (const write of writes) {
        if (write.type === 'put') batch.put(write.key, write.value)
        else batch.del(write.key)
      }
      await batch.write({ sync: true })
    } catch (cause) {
      const error = asStoreError(cause, this.#location)
      if (error.code !== 'CLOSED' && this.#state.state === 'open') {
        this.#state = { state: 'failed', level, atMs: this.#options.clock.monotonicMs(), error }
      }
      throw error
    }
  }

  async compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    await this.#read((level) => level.compactRange(from, to, { keyEncoding: 'view' }))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const before = this.#state
    this.#state = { state: 'closed' }
    await Promise.allSettled(this.#underWay)
    if (before.state === 'reopening') await before.done
    if (before.state === 'open' || before.state === 'failed') await before.level.close()
    // On a disk that takes no writes it stays; the lock alone says who has the store open.
    await rm(pidPath(this.#location), { force: true }).catch(() => undefined)
  }

  #readable(): Level {
    const state = this.#state
    if (state.state === 'open' || state.state === 'failed') return state.level
    if (state.state === 'closed') throw new OnehopError('CLOSED', 'the store is closed')
    if (state.state === 'down') throw state.error
    throw new OnehopError('BUSY', 'the store is being opened anew')
  }

  #read<T>(read: (level: Level) => Promise<T>): Promise<T> {
    return this.#track(this.#readNow(read))
  }

  async #readNow<T>(read: (level: Level) => Promise<T>): Promise<T> {
    if (this.#state.state === 'reopening') await this.#state.done
    const level = this.#readable()
    try {
      return await read(level)
    } catch (cause) {
      throw this.#readError(cause)
    }
  }

  #readError(cause: unknown): OnehopError {
    const error = asStoreError(cause, this.#location)
    if (error.code === 'STORE_CORRUPT') this.#options.onCorrupt?.(error)
    return error
  }

  /** LevelDB cuts off what is under way when it closes; we wait for it. */
  async #track<T>(running: Promise<T>): Promise<T> {
    this.#underWay.add(running)
    try {
      return await running
    } finally {
      this.#underWay.delete(running)
    }
  }

  /** Never reopens: what is to be written was made from what could be read before. */
  #writable(): Level {
    const state = this.#state
    if (state.state === 'open') return state.level
    if (state.state === 'failed' || state.state === 'down') throw state.error
    throw new OnehopError('CLOSED', 'the store is closed')
  }

  /** Never rejects: the outcome is the state that it leaves. */
  async #reopen(from: State & { state: 'failed' | 'down' }): Promise<void> {
    const atMs = this.#options.clock.monotonicMs()
    let next: State
    try {
      const disk = await statfs(this.#location)
      if (disk.bavail * disk.bsize < reopenFreeBytes) {
        next = { ...from, atMs }
      } else {
        // A handle that can still read is worth more than one that cannot be opened.
        if (from.state === 'failed') await tryWriting(this.#location)
        if (from.state === 'failed') await from.level.close()
        next = { state: 'open', level: await openLevel(this.#location, this.#options) }
      }
    } catch (cause) {
      const error = asStoreError(cause, this.#location)
      const reads = from.state === 'failed' && from.level.status === 'open'
      next = reads ? { ...from, atMs, error } : { state: 'down', atMs, error }
    }
    if (this.#state.state !== 'closed') this.#state = next
    else if (next.state === 'open' || next.state === 'failed') await next.level.close()
  }
}

/** LevelDB writes as it opens: nothing of the store can be read before there is room. */
async function openFirst(location: string, options: LevelOptions): Promise<Level> {
  try {
    return await openLevel(location, options)
  } catch (cause) {
    const { code, message } = asStoreError(cause, location)
    if (code !== 'STORE_FULL') throw cause
    throw new OnehopError(code, message, {
      cause,
      help: 'Free some space on this disk, then start the node again.',
    })
  }
}

async function openLevel(location: string, options: LevelOptions): Promise<Level> {
  const level: Level = new ClassicLevel(join(location, 'level'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: options.writeBufferBytes ?? 64 * 1024 * 1024,
    cacheSize: options.cacheBytes ?? 32 * 1024 * 1024,
  })
  try {
    await level.open()
    return level
  } catch (cause) {
    const pid = await readFile(pidPath(location), 'utf8').catch(() => '')
    throw asStoreError(cause, location, /^\d+$/.test(pid.trim()) ? Number(pid) : undefined)
  }
}

/** Where LevelDB is about to write its manifest and its log. */
async function tryWriting(location: string): Promise<void> {
  const path = join(location, 'level', 'trial')
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile('may be deleted')
    await file.sync()
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}

function pidPath(location: string): string {
  return join(location, 'pid')
}

async function collect<T>(limit: number, next: (count: number) => Promise<T[]>): Promise<T[]> {
  let all: T[] = []
  while (all.length < limit) {
    const some = await next(limit - all.length)
    if (some.length === 0) break
    all = all.length === 0 ? some : all.concat(some)
  }
  return all
}

/** LevelDB hands out Buffers, whose `slice` shares memory where a Uint8Array's copies. */
function plain<T extends Uint8Array | undefined>(bytes: T): T {
  return (bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as T
}
