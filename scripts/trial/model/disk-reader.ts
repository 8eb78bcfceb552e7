/** One node's disk, read in a thread of its own: words in the open, and which records each shard holds. */
import { parentPort, workerData } from 'node:worker_threads'
import { loadCrypto } from '../../../cli/crypto.ts'
import { systemClock } from '../../../daemon/clock.ts'
import { Identities } from '../../../daemon/identities.ts'
import { ReplicaSets } from '../../../daemon/placement/replica-sets.ts'
import { statePaths } from '../../../daemon/state-folder.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { openLevelKv } from '../../../storage/kv-level.ts'
import { openStore } from '../../../storage/store.ts'
import type { Store } from '../../../storage/types.ts'
import { searchFiles, searchStore, Words } from './words-on-disk.ts'

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

async function readShards(store: Store): Promise<ShardOnDisk[]> {
  const crypto = await loadCrypto()
  const sets = new ReplicaSets(store, crypto, new Identities(store, crypto, systemClock), systemClock)
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
