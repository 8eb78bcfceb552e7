/**
 * What a node noted of the shards that it keeps may have lain in what rotted: that it hosts one, and that its copy is whole. The first
 * is said by the shard's set too, which others signed; the second has to be seen anew, as nobody knows what was lost.
 */
import { emptyBytes, equalBytes, toHex, utf8 } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import type { SignedReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { keyOf, namePart, tags } from '../../storage/keys.ts'
import type { Kv } from '../../storage/kv.ts'
import type { ShardInfo, Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import { Hosting, wholeKind, type Hosted } from '../hosting.ts'
import { keptLeaseSize } from '../../protocol/placement/lease-size.ts'
import { grantedKind, readGranted } from '../leases/ledger.ts'
import { replicaSetKind } from '../placement/replica-sets.ts'
import { Joining } from '../replication/joining.ts'

const kind = 'unsure'
const key = utf8('hosting')
const pageSize = 1_000

export interface RestoreParts {
  readonly store: Store
  readonly crypto: CryptoProvider
  readonly self: Uint8Array
  readonly config: Pick<Config['hosting'], 'firstLeaseBytes' | 'leaseBytes'>
}

/** Something was taken out of the store: the next start has to look, also one after a crash. */
export async function noteUnsure(kv: Kv): Promise<void> {
  const name = keyOf(tags.document, namePart(kind), key).slice()
  await kv.batch([{ type: 'put', key: name, value: emptyBytes }])
}

/** Does nothing where nothing was taken out since. */
export async function restoreHosting(parts: RestoreParts): Promise<void> {
  const { store } = parts
  if (store.documents.get(kind, key) === undefined) return
  const hosting = await Hosting.open(store)
  const lost: Hosted[] = []
  for (let after: IdentityId | undefined; ; ) {
    const page = await store.shards.list({ ...(after && { after }), limit: pageSize })
    for (const info of page) {
      const hosted = hosting.get(info.shard) ?? lostHosting(parts, info)
      if (hosted !== undefined && (!hosting.has(info.shard) || info.status !== 'hosted')) lost.push(hosted)
    }
    after = page.at(-1)?.shard
    if (page.length < pageSize) break
  }
  await hosting.addMany(lost)

  const joining = new Joining({ store, hosting })
  for (const { owner, person } of hosting.list()) {
    await store.documents.delete(wholeKind, owner)
    const others = setOf(parts, owner)?.members.filter(({ node }) => !equalBytes(node, parts.self)) ?? []
    // A home needs no mark: it is one that has to be brought what it had.
    if (person && others.length > 0)
      await joining.note(
        owner,
        others.map(({ node }) => toHex(node)),
      )
  }
  await store.documents.delete(kind, key)
}

/** Undefined: it is here for somebody's page, as what followers' nodes keep. */
function lostHosting(
  parts: RestoreParts,
  { shard, status, recordBytes, blobBytes }: ShardInfo,
): Hosted | undefined {
  const set = setOf(parts, shard)
  const seat = set?.members.find(({ node }) => equalBytes(node, parts.self))
  if (seat === undefined && status !== 'hosted') return undefined
  const common = { owner: shard, label: '' }
  if (seat?.role === 'home')
    return { ...common, person: true, quotaBytes: parts.config.leaseBytes, expiresMs: undefined }
  const granted = parts.store.documents.get(grantedKind, shard)
  const lease = granted && readGranted(granted)
  // Who has a seat and lost its promise says that it holds nothing, and is asked to promise anew; who has none hands over what is here, as
  // does who hears only then that its seat went to others: see Placement.
  const mayHaveSeat = set === undefined || seat !== undefined
  if (mayHaveSeat && lease === undefined) return undefined
  return {
    ...common,
    person: false,
    // The set that says it has none may be an older one, as the newest rotted too: with no room its copy would stay behind.
    quotaBytes:
      lease?.bytes ??
      keptLeaseSize({
        usedBytes: recordBytes + blobBytes,
        firstBytes: parts.config.firstLeaseBytes,
        mostBytes: parts.config.leaseBytes,
      }),
    expiresMs: lease?.expiresMs,
  }
}

function setOf({ store, crypto }: RestoreParts, owner: IdentityId): SignedReplicaSet | undefined {
  const bytes = store.documents.get(replicaSetKind, owner)
  return bytes && unpackChain(crypto, bytes).newest
}
