import type { StoredRecord } from './types.ts'

interface Latest {
  /** Position of the shard's log when the list was read: whatever changes a list moves it. */
  readonly logHead: number
  /** Removals seen so far: a shard that is removed and comes back counts its log from 1 again. */
  readonly removals: number
  readonly limit: number
  readonly records: readonly StoredRecord[]
  readonly bytes: number
}

const bytesMax = 8 * 1024 * 1024

/** Lists of newest items as pages ask for them again and again; a range read costs two turns of a thread. */
export class LatestCache {
  readonly #lists = new Map<string, Latest>()
  #bytes = 0

  get(key: string, logHead: number, removals: number, limit: number): StoredRecord[] | undefined {
    const list = this.#lists.get(key)
    if (list === undefined || list.logHead !== logHead || list.removals !== removals) return undefined
    const complete = list.records.length < list.limit
    return limit <= list.limit || complete ? list.records.slice(0, limit) : undefined
  }

  set(key: string, logHead: number, removals: number, limit: number, records: readonly StoredRecord[]): void {
    this.#delete(key)
    const bytes = records.reduce((sum, stored) => sum + stored.bytes.length + 200, 200)
    if (bytes > bytesMax / 8) return
    this.#lists.set(key, { logHead, removals, limit, records: records.slice(), bytes })
    this.#bytes += bytes
    for (const oldest of this.#lists.keys()) {
      if (this.#bytes <= bytesMax) break
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#lists.get(key)?.bytes ?? 0
    this.#lists.delete(key)
  }
}
