/** A database that was damaged and was mended as the node started: its person is told for some days. */
import { utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { decodeAs, struct, text, uint } from '../../protocol/shape.ts'
import type { Kv } from '../../storage/kv.ts'
import { migrate } from '../../storage/migrations.ts'
import type { Store } from '../../storage/types.ts'
import { verifyStore } from '../../storage/verify-store.ts'
import type { Quarantine } from './quarantine.ts'
import { noteUnsure } from './restore-hosting.ts'
import { signedBy } from './verify.ts'
import { verifyDocuments } from './verify-documents.ts'

const kind = 'mended'
const key = utf8('store')
const shape = struct({ atMs: uint(), kept: text(4_096) })
const toldMs = 7 * 86_400_000

export interface MendParts {
  readonly crypto: CryptoProvider
  readonly log: Log
  /** Where the damaged one is. */
  readonly kept: string
  readonly quarantine: Pick<Quarantine, 'kept' | 'keep' | 'keepDocument'>
}

/** What could be read may lack some of its indexes, or records that these name. */
export async function mendIndexes(kv: Kv, { crypto, log, kept, quarantine }: MendParts): Promise<void> {
  log.error('store.damaged', { kept })
  await migrate(kv)
  const { records, rebuilt } = await verifyStore(kv, {
    isSigned: signedBy(crypto),
    repair: { onDamaged: (shard, at, bytes) => quarantine.keep(shard, at, bytes) },
  })
  await verifyDocuments(kv, crypto, (...damaged) => quarantine.keepDocument(...damaged))
  await noteUnsure(kv)
  log.warn('store.mended', { records, rebuilt, quarantined: quarantine.kept })
}

export async function noteMended(store: Pick<Store, 'documents'>, clock: Clock, kept: string): Promise<void> {
  await store.documents.put(kind, key, encode([Math.max(0, Math.floor(clock.nowMs())), kept]))
}

/** Where the damaged one is, for a week. */
export function recentlyMended(
  store: Pick<Store, 'documents'>,
  clock: Pick<Clock, 'nowMs'>,
): string | undefined {
  const stored = store.documents.get(kind, key)
  if (stored === undefined) return undefined
  const { atMs, kept } = decodeAs(shape, stored, kind)
  return Math.abs(clock.nowMs() - atMs) < toldMs ? kept : undefined
}
