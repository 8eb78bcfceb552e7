/**
 * Private collections hide what they are called and what their items are called: names and keys stand in the header
 * as keyed hashes. The key comes from the identity's first box secret and never rotates, so that an item keeps its
 * key for good; whoever could once read private data can go on recognising names and keys, though not contents.
 */
import { emptyBytes, toBase64Url } from '../bytes.ts'
import { encode } from '../codec.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { IdentityId } from './types.ts'

/** No name of a schema begins so. */
const mark = '~'

/** `firstBoxSecret`: the secret of the identity's box of epoch 1. */
export function blindingKey(
  crypto: Pick<CryptoProvider, 'hkdfSha256'>,
  owner: IdentityId,
  firstBoxSecret: Uint8Array,
): Uint8Array {
  return crypto.hkdfSha256(firstBoxSecret, emptyBytes, encode([derivations.blinding, owner]), 32)
}

/** `~` and 43 letters: the collection as it stands in headers. */
export function blindCollection(
  crypto: Pick<CryptoProvider, 'hmacSha256'>,
  key: Uint8Array,
  app: string,
  collection: string,
): string {
  return mark + toBase64Url(crypto.hmacSha256(key, encode([0, app, collection])))
}

/** 32 bytes, whatever the item's key. Not for append-only items, whose key is empty or an id and tells nothing. */
export function blindItemKey(
  crypto: Pick<CryptoProvider, 'hmacSha256'>,
  key: Uint8Array,
  app: string,
  collection: string,
  itemKey: Uint8Array,
): Uint8Array {
  return crypto.hmacSha256(key, encode([1, app, collection, itemKey]))
}
