import { systemClock } from '../../daemon/clock.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { Identities } from '../../daemon/identities.ts'
import { ReplicaSets } from '../../daemon/placement/replica-sets.ts'
import { Digests } from '../../daemon/replication/digests.ts'
import { statePaths } from '../../daemon/state-folder.ts'
import { toHex } from '../../protocol/bytes.ts'
import { clockMax } from '../../protocol/record/header.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { openStore } from '../../storage/store.ts'
import type { Store } from '../../storage/types.ts'

/** A shard as it lies on the disk of a node that has ended. */
export interface Disk {
  /** Ids of the records. */
  readonly held: ReadonlySet<string>
  readonly fingerprint: string
  /** The newest replica set known there, and the nodes in it. */
  readonly set: string
  readonly members: readonly string[]
}

/** `look` may ask the store for more. */
export async function readDisk(
  state: string,
  owner: Uint8Array,
  look: (store: Store, disk: Disk) => void,
): Promise<Disk> {
  const crypto = await loadCrypto()
  const store = await openStore(await openLevelKv(statePaths(state).store, { clock: systemClock }), {
    clock: systemClock,
  })
  try {
    const sets = new ReplicaSets(store, crypto, new Identities(store, crypto, systemClock), systemClock)
    const newest = sets.get(owner)?.newest
    const { fingerprint } = await new Digests(store, crypto).of(owner, clockMax)
    const disk: Disk = {
      held: new Set((await store.records.refs(owner)).map(({ id }) => toHex(id))),
      fingerprint: toHex(fingerprint),
      set: newest === undefined ? '' : toHex(newest.hash),
      members: newest?.members.map(({ node }) => toHex(node)) ?? [],
    }
    look(store, disk)
    return disk
  } finally {
    await store.close()
  }
}
