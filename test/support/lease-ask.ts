/** What a node sends that asks another for a lease. */
import { fromHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { signLeaseAsk } from '../../protocol/placement/lease.ts'
import { encodeLeaseAsks } from '../../protocol/placement/messages.ts'

export interface LeaseAsked {
  readonly host: string
  readonly owner: Uint8Array
  readonly bytes: number
}

/** For one shard; signed by whoever has the seed. */
export function leaseAsk(
  crypto: CryptoProvider,
  { host, owner, bytes }: LeaseAsked,
  homeSeed: Uint8Array,
): Uint8Array {
  const home = crypto.signingPublicKey(homeSeed)
  const asked = { askedBytes: bytes, askedMs: 0 }
  const terms = { host: fromHex(host, 32) as Uint8Array, owner, shard: owner, home, ...asked }
  return encodeLeaseAsks([
    { owner, shard: owner, bytes, lastsMs: 0, signature: signLeaseAsk(crypto, terms, homeSeed) },
  ])
}
