import { rm } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import type { LevelDatastore } from 'datastore-level'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import { peerIdOf } from './node-id.ts'
import { PeerDatastore } from './peer-datastore.ts'
import type { NodeId } from './rpc.ts'

/**
 * What the network remembers over restarts: peers' addresses and others' provider records. Ordered on disk, as
 * the store in memory walks through every record to find those of one key. Nothing in it is irreplaceable: a
 * damaged folder is begun anew.
 */
export async function openPeerFolder(folder: string, self: NodeId, clock: Clock): Promise<LevelDatastore> {
  const datastore = await open(folder, clock).catch(async (cause: unknown) => {
    const code = (cause as { cause?: { code?: string } }).cause?.code
    if (code === 'LEVEL_LOCKED') {
      throw new OnehopError('STORE_LOCKED', `${folder} is open in another process`, { cause })
    }
    if (code !== 'LEVEL_CORRUPTION') {
      throw new OnehopError('STORE_UNWRITABLE', `${folder} cannot be opened`, { cause })
    }
    await rm(folder, { recursive: true, force: true })
    return open(folder, clock)
  })
  await forgetOwnRecords(datastore, self)
  return datastore
}

async function open(folder: string, clock: Clock): Promise<LevelDatastore> {
  // Opened here, as the datastore's own error says only that it did not open.
  const db = new ClassicLevel<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await db.open()
  const datastore = new PeerDatastore(db as ConstructorParameters<typeof LevelDatastore>[0], clock)
  await datastore.open()
  return datastore
}

/** Who hosts shards adds them at every start; kad-dht would go on announcing what left in the meantime. */
async function forgetOwnRecords(datastore: LevelDatastore, self: NodeId): Promise<void> {
  const own = `/${peerIdOf(self).toString()}`
  const batch = datastore.batch()
  for await (const key of datastore.queryKeys({ prefix: '/dht/provider' })) {
    if (key.toString().endsWith(own)) batch.delete(key)
  }
  await batch.commit()
}
