import { equalBytes } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { keyNames, type KeyStore } from '../key-store.ts'

/** Another tab may have given this install a new key, whose numbers are not those of the old one. Throws STALE then. */
export async function requireOwnKey(keys: KeyStore, seed: Uint8Array): Promise<void> {
  const kept = await keys.get(keyNames.deviceSeed)
  if (kept === undefined || equalBytes(kept, seed)) return
  throw new OnehopError('STALE', 'this device was given a new key meanwhile', {
    help: 'Open the app, or the page, again.',
  })
}
