import { keyOf, idBytes, namePart, prefixEnd, readUint, shortPart, tags, writeUint } from './keys.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Kv } from './kv.ts'
import type { Cursor, CursorName, Cursors, StoreBatch } from './types.ts'

/** The shard stands first in the key, so that a shard's cursors go with it. */
export class KvCursors implements Cursors {
  readonly #kv: Kv
  readonly #commit: GroupCommit

  constructor(kv: Kv, commit: GroupCommit) {
    this.#kv = kv
    this.#commit = commit
  }

  get(name: CursorName): Cursor | undefined {
    const bytes = this.#kv.get(cursorKey(name))
    return bytes && decodeCursor(bytes)
  }

  set(name: CursorName, cursor: Cursor): Promise<void> {
    return this.#commit.submit((batch) => this.setIn(batch, name, cursor))
  }

  setIn(batch: StoreBatch, name: CursorName, cursor: Cursor): void {
    const bytes = new Uint8Array(16)
    writeUint(bytes, 0, cursor.epoch)
    writeUint(bytes, 8, cursor.position)
    batch.put(cursorKey(name), bytes)
  }

  delete(name: CursorName): Promise<void> {
    return this.#commit.submit((batch) => this.deleteIn(batch, name))
  }

  deleteIn(batch: StoreBatch, name: CursorName): void {
    batch.delete(cursorKey(name))
  }

  async list(shard: Uint8Array, kind?: string): Promise<{ name: CursorName; cursor: Cursor }[]> {
    const prefix = keyOf(tags.cursor, shard, ...(kind === undefined ? [] : [namePart(kind)]))
    const entries = await this.#kv.range({ gte: prefix, lt: prefixEnd(prefix) as Uint8Array })
    return entries.map(({ key, value }) => ({ name: decodeName(key), cursor: decodeCursor(value) }))
  }
}

function cursorKey({ kind, peer, shard }: CursorName): Uint8Array {
  return keyOf(tags.cursor, shard, namePart(kind), shortPart(peer))
}

function decodeName(key: Uint8Array): CursorName {
  const kindStart = 1 + idBytes + 1
  const kindEnd = kindStart + (key[kindStart - 1] as number)
  return {
    shard: key.slice(1, 1 + idBytes),
    kind: new TextDecoder().decode(key.subarray(kindStart, kindEnd)),
    peer: key.slice(kindEnd + 1),
  }
}

function decodeCursor(bytes: Uint8Array): Cursor {
  return { epoch: readUint(bytes, 0), position: readUint(bytes, 8) }
}
