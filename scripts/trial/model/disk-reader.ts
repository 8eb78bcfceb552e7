/** One node's disk, read in a thread of its own: words in the open, and which records each shard holds. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { loadCrypto } from '../../../cli/crypto.ts'
import { systemClock } from '../../../daemon/clock.ts'
import { Identities } from '../../../daemon/identities.ts'
import { ReplicaSets } from '../../../daemon/placement/replica-sets.ts'
import { statePaths } from '../../../daemon/state-folder.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { Kv } from '../../../storage/kv.ts'
import { openLevelKv } from '../../../storage/kv-level.ts'
import { openStore } from '../../../storage/store.ts'
import type { Store } from '../../../storage/types.ts'

export interface DiskTask {
  readonly state: string
  readonly texts: readonly string[]
}

export interface ShardOnDisk {
  readonly name: string
  /** The newest replica set that the node knows of. */
  readonly set:
    | { readonly epoch: number; readonly step: number; readonly members: readonly string[] }
    | undefined
  /** Equal where the same records are held. */
  readonly records: string
}

export interface DiskContents {
  readonly found: readonly string[]
  readonly shards: readonly ShardOnDisk[]
}

/** Looks for texts in bytes by their first eight letters, then the whole. */
class Words {
  readonly found = new Set<string>()
  readonly #texts: readonly string[]
  readonly #starts: readonly string[]

  constructor(texts: readonly string[]) {
    this.#texts = texts
    this.#starts = [...new Set(texts.map((text) => text.slice(0, 8)))]
  }

  look(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (const start of this.#starts) {
      if (!buffer.includes(start)) continue
      for (const text of this.#texts) if (buffer.includes(text)) this.found.add(text)
    }
  }
}

async function searchFiles(folder: string, words: Words): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) words.look(await readFile(join(entry.parentPath, entry.name)))
  }
}

const between = Uint8Array.of(0)

/** Tables are compressed on disk: what the database itself reads is searched as well. */
async function searchStore(kv: Kv, words: Words): Promise<void> {
  let after: Uint8Array | undefined
  do {
    const page = await kv.range(after === undefined ? {} : { gt: after })
    // In one piece: looking through a million small ones takes a minute. No text holds the byte between.
    words.look(Buffer.concat(page.flatMap(({ key, value }) => [key, between, value, between])))
    after = page.at(-1)?.key
  } while (after !== undefined)
}

async function readShards(store: Store): Promise<ShardOnDisk[]> {
  const crypto = await loadCrypto()
  const sets = new ReplicaSets(store, crypto, new Identities(store, crypto, systemClock))
  const shards: ShardOnDisk[] = []
  for (let after: Uint8Array | undefined; ; ) {
    const page = await store.shards.list({ status: 'hosted', limit: 1_000, ...(after && { after }) })
    for (const { shard } of page) {
      const set = sets.get(shard)?.newest
      const refs = await store.records.refs(shard)
      const ids = toHex(crypto.sha256(Buffer.concat(refs.map(({ id }) => id))))
      shards.push({
        name: toHex(shard),
        set: set && { epoch: set.epoch, step: set.step, members: set.members.map(({ node }) => toHex(node)) },
        records: `${refs.length} ${ids}`,
      })
    }
    after = page.at(-1)?.shard
    if (after === undefined) return shards
  }
}

const { state, texts } = workerData as DiskTask
const words = new Words(texts)
await searchFiles(state, words)
const kv = await openLevelKv(statePaths(state).store, { clock: systemClock })
await searchStore(kv, words)
const store = await openStore(kv, { clock: systemClock })
const shards = await readShards(store)
await store.close()
parentPort?.postMessage({ found: [...words.found], shards } satisfies DiskContents)
