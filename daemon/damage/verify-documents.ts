/** Of what a node keeps beside records, all that somebody signed: identities, replica sets, leases, pacts. */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { decodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { checkChain, unpackChain } from '../../protocol/placement/chain.ts'
import { verifyLease } from '../../protocol/placement/lease.ts'
import { verifyPact } from '../../protocol/placement/pact.ts'
import { entriesUnder } from '../../storage/check-shard.ts'
import { keyOf, namePart, tags } from '../../storage/keys.ts'
import type { Kv } from '../../storage/kv.ts'
import { identityKind } from '../identities.ts'
import { grantedKind } from '../leases/ledger.ts'
import { pactKind, readPactRow } from '../agreements/pacts.ts'
import { replicaSetKind } from '../placement/replica-sets.ts'

type Check = (crypto: CryptoProvider, key: Uint8Array, bytes: Uint8Array, logOf: LogOf) => boolean
type LogOf = (id: Uint8Array) => Uint8Array | undefined

const checks: Readonly<Record<string, Check>> = {
  [identityKind]: (crypto, key, bytes, logOf) => equalBytes(identityOf(crypto, bytes, logOf).id, key),
  // Whose key may place is said by logs that may be at others: that each signature is good is seen here.
  [replicaSetKind]: (crypto, key, bytes) =>
    checkChain(crypto, unpackChain(crypto, bytes), key, () => true) === undefined,
  [grantedKind]: (crypto, key, bytes) => {
    const lease = verifyLease(crypto, bytes)
    return lease !== undefined && equalBytes(lease.owner, key)
  },
  [pactKind]: (crypto, _key, bytes) => verifyPact(crypto, readPactRow(bytes).packed) !== undefined,
}

export type OnDamagedDocument = (kind: string, key: Uint8Array, bytes: Uint8Array) => Promise<void>

/** How many are damaged. `onDamaged` keeps one, which is then taken out: it comes again from others, or is agreed on anew. */
export async function verifyDocuments(
  kv: Kv,
  crypto: CryptoProvider,
  onDamaged: OnDamagedDocument | undefined,
): Promise<number> {
  let damaged = 0
  const prefixOf = (kind: string): Uint8Array => keyOf(tags.document, namePart(kind)).slice()
  const logs = prefixOf(identityKind)
  const logOf: LogOf = (id) => kv.get(Buffer.concat([logs, id]))
  for (const [kind, check] of Object.entries(checks)) {
    const prefix = prefixOf(kind)
    for await (const { key, value } of entriesUnder(kv, prefix)) {
      const name = key.slice(prefix.length)
      if (isGood(() => check(crypto, name, value, logOf))) continue
      damaged++
      if (onDamaged === undefined) continue
      await onDamaged(kind, name, value)
      await kv.batch([{ type: 'del', key }])
    }
  }
  return damaged
}

/** People in groups may be damaged themselves, which is told of them alone. */
function identityOf(crypto: CryptoProvider, log: Uint8Array, logOf: LogOf): ReturnType<typeof replay> {
  const known = new Map<string, ReturnType<typeof replay> | undefined>()
  return replay(crypto, decodeLog(crypto, log), (id) => {
    const name = toHex(id)
    if (!known.has(name)) {
      const bytes = logOf(id)
      known.set(name, undefined)
      if (bytes !== undefined)
        isGood(() => known.set(name, replay(crypto, decodeLog(crypto, bytes))) !== undefined)
    }
    return known.get(name)
  })
}

function isGood(look: () => boolean): boolean {
  try {
    return look()
  } catch (cause) {
    if (asOnehopError(cause).code === 'INTERNAL') throw cause
    return false
  }
}
