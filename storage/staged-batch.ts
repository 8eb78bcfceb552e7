import { keyText } from './kv-memory.ts'
import type { Kv, KvWrite } from './kv.ts'
import type { StoreBatch } from './types.ts'

/** The writes of one synced batch as they gather, readable before they are written. */
export class StagedBatch implements StoreBatch {
  readonly writes: KvWrite[] = []
  bytes = 0
  readonly #kv: Kv
  readonly #staged = new Map<string, Uint8Array | undefined>()
  /** Writes up to here are in `#staged`; see `putRarelyRead`. */
  #indexed = 0

  constructor(kv: Kv) {
    this.#kv = kv
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#staged.size > 0) {
      const text = keyText(key)
      if (this.#staged.has(text)) return this.#staged.get(text)
    }
    return this.#kv.get(key)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#staged.set(keyText(key), value)
    this.putRarelyRead(key, value)
  }

  delete(key: Uint8Array): void {
    this.#staged.set(keyText(key), undefined)
    this.writes.push({ type: 'del', key })
    this.bytes += key.length
  }

  /** For the two writes per record that are hardly ever read within the batch: only `getRarelyRead` sees them. */
  putRarelyRead(key: Uint8Array, value: Uint8Array): void {
    this.writes.push({ type: 'put', key, value })
    this.bytes += key.length + value.length
  }

  getRarelyRead(key: Uint8Array): Uint8Array | undefined {
    for (; this.#indexed < this.writes.length; this.#indexed++) {
      const write = this.writes[this.#indexed] as KvWrite
      this.#staged.set(keyText(write.key), write.type === 'put' ? write.value : undefined)
    }
    return this.get(key)
  }
}
