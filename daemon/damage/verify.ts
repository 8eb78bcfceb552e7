/** Checks what lies on the disk of a node that is stopped, and makes anew what can be. */
import { existsSync } from 'node:fs'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import { checkBytes } from '../../protocol/record/verify.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import { shardFaults } from '../../storage/check-shard.ts'
import { isMended, mendStore, openOrMend, type OpenedStore } from '../../storage/mend-store.ts'
import { migrate, requireVersion } from '../../storage/migrations.ts'
import type { OnDamaged } from '../../storage/rebuild-shard.ts'
import { verifyBlobs, type BlobsReport } from '../../storage/verify-blobs.ts'
import { verifyStore, type StoreReport } from '../../storage/verify-store.ts'
import { Quarantine } from './quarantine.ts'
import { noteUnsure } from './restore-hosting.ts'
import { verifyDocuments } from './verify-documents.ts'
import { statePaths } from '../state-folder.ts'

export interface VerifyStateOptions {
  readonly state: string
  readonly clock: Clock
  readonly crypto: CryptoProvider
  /** Looks, and changes nothing. */
  readonly looksOnly: boolean
  readonly onShard?: (done: number, records: number) => void
  readonly signal?: AbortSignal
}

export interface StateReport {
  readonly store: StoreReport
  readonly blobs: BlobsReport
  /** Faults in words, with how many there are of each. */
  readonly faults: readonly (readonly [what: string, count: number])[]
  /** Where the damaged database was copied to, if it could not be opened. */
  readonly damagedStore: string | undefined
  /** What was taken out of the way, and where it is. */
  readonly quarantined: number
  readonly quarantine: string
}

/** Throws STORE_LOCKED while a node runs on it, and STORE_CORRUPT where it cannot be read and nothing may be changed. */
export async function verifyState(options: VerifyStateOptions): Promise<StateReport> {
  const { state, clock, looksOnly, signal } = options
  const paths = statePaths(state)
  // Opening would make one.
  if (!existsSync(paths.store))
    throw new OnehopError('NOT_FOUND', `no node has kept anything in ${state}`, {
      help: 'Name its folder: --state DIR. onehop paths shows which one is meant.',
    })
  const quarantine = new Quarantine(state)
  const keepIn = looksOnly ? undefined : quarantine.path
  const { store, documents, kept } = await verifyOpened(
    await openOrMend(paths.store, { clock, keepIn, checksAll: true, signal }),
    options,
    quarantine,
  )
  if (!looksOnly) await isMended(paths.store)
  const blobs = await verifyBlobs(
    paths.blobs,
    async (file, name) => {
      if (!looksOnly) await quarantine.move(file, name)
    },
    signal,
  )
  const faults: (readonly [string, number])[] = [
    ...[...store.faults].map(([fault, count]) => [shardFaults[fault], count] as const),
    ['identities, replica sets, leases and pacts that nobody signed so', documents],
    ['damaged pieces of files', blobs.damaged],
  ]
  return {
    ...{ store, blobs },
    faults: faults.filter(([, count]) => count > 0),
    damagedStore: kept,
    quarantined: quarantine.kept,
    quarantine: quarantine.path,
  }
}

/** A table that is damaged inside shows as it is read, not as the database is opened: it is mended then, and looked at once more. */
async function verifyOpened(
  { kv, kept }: OpenedStore,
  options: VerifyStateOptions,
  quarantine: Quarantine,
): Promise<{ readonly store: StoreReport; readonly documents: number; readonly kept: string | undefined }> {
  const { state, clock, crypto, looksOnly, onShard, signal } = options
  const repair = looksOnly
    ? undefined
    : { onDamaged: (...damaged: Parameters<OnDamaged>) => quarantine.keep(...damaged) }
  try {
    if (looksOnly) requireVersion(kv)
    else await migrate(kv)
    const store = await verifyStore(kv, { isSigned: signedBy(crypto), repair, onShard, signal })
    const documents = await verifyDocuments(
      kv,
      crypto,
      looksOnly ? undefined : quarantine.keepDocument.bind(quarantine),
    )
    if (!looksOnly && (kept !== undefined || store.rebuilt > 0 || documents > 0)) await noteUnsure(kv)
    return { store, documents, kept }
  } catch (cause) {
    if (looksOnly || kept !== undefined || asOnehopError(cause).code !== 'STORE_CORRUPT') throw cause
  } finally {
    await kv.close()
  }
  const mended = await mendStore(statePaths(state).store, { clock, keepIn: quarantine.path })
  return verifyOpened(mended, options, quarantine)
}

export function signedBy(crypto: CryptoProvider): (record: SignedRecord) => boolean {
  return (record) => checkBytes(crypto, record) === undefined
}
