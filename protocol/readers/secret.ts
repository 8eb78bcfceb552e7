/** The secrets of an owner's epochs for approved readers, the way from one to the one before, and what they seal. */
import { concatBytes, emptyBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { EpochSecret } from '../identity/box.ts'
import { audienceCode } from '../record/header.ts'
import type { IdentityId } from '../record/types.ts'

const nonceBytes = 24

/** Whose readers, and which epoch. */
export interface ReadersOf {
  readonly owner: IdentityId
  readonly app: string
  readonly epoch: number
}

/** For the owner's own devices: from the box secret under which the epoch stands, so that all of them make the same. */
export function secretForReaders(
  crypto: CryptoProvider,
  box: EpochSecret,
  { owner, app, epoch }: ReadersOf,
): Uint8Array {
  return crypto.hkdfSha256(box.secret, emptyBytes, encode([derivations.readersSecret, owner, app, epoch]), 32)
}

/** The key of the audience `followers` for one collection. */
export function followersKeyFor(
  crypto: CryptoProvider,
  secret: Uint8Array,
  { owner, app, collection, epoch }: ReadersOf & { readonly collection: string },
): Uint8Array {
  const info = encode([
    derivations.followersAudience,
    owner,
    audienceCode('followers'),
    app,
    collection,
    epoch,
  ])
  return crypto.hkdfSha256(secret, emptyBytes, info, 32)
}

/** nonce 24 || secretbox(secret of the epoch before) */
export function sealReadersChain(
  crypto: CryptoProvider,
  secret: Uint8Array,
  of: ReadersOf,
  before: EpochSecret,
): Uint8Array {
  const nonce = crypto.random(nonceBytes)
  const key = chainKey(crypto, secret, of, before.epoch)
  return concatBytes(nonce, crypto.secretboxSeal(before.secret, nonce, key))
}

/** The secret of the epoch before; undefined where the chain is not of this place. */
export function openReadersChain(
  crypto: CryptoProvider,
  secret: Uint8Array,
  of: ReadersOf,
  before: number,
  chain: Uint8Array,
): Uint8Array | undefined {
  const key = chainKey(crypto, secret, of, before)
  return crypto.secretboxOpen(chain.subarray(nonceBytes), chain.subarray(0, nonceBytes), key)
}

/** What was wrapped to the reader's box key; undefined where it was not, or by a key of small order. */
export function openReadersWrap(
  crypto: CryptoProvider,
  wrap: Uint8Array,
  sender: Uint8Array,
  boxSecret: Uint8Array,
): Uint8Array | undefined {
  return crypto.boxOpen(wrap.subarray(nonceBytes), wrap.subarray(0, nonceBytes), sender, boxSecret)
}

function chainKey(
  crypto: CryptoProvider,
  secret: Uint8Array,
  { owner, app, epoch }: ReadersOf,
  before: number,
): Uint8Array {
  return crypto.hkdfSha256(
    secret,
    emptyBytes,
    encode([derivations.readersChain, owner, app, epoch, before]),
    32,
  )
}
