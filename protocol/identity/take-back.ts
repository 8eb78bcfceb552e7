/** Recovery words that a device replaced, as whoever stole it would: what they speak on to take that back. */
import { equalBytes, toHex } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { replay } from './log.ts'
import { namesRecoveryKey } from './recovery.ts'
import type { IdentityState, SignedEntry } from './types.ts'

/**
 * What the log said before others replaced the words, however often and on how many branches: entries of the words from there on
 * outrank what came instead. Undefined where the words themselves, or nobody, did.
 */
export function beforeReplaced(
  crypto: CryptoProvider,
  { entries }: Pick<IdentityState, 'entries'>,
  key: Uint8Array,
): IdentityState | undefined {
  const came = cameBy(entries, key)
  const gone = new Set<string>()
  // Parents come first in a log that was replayed.
  const before = entries.filter((entry) => {
    const name = toHex(entry.hash)
    const isAfter = entry.previous.some((parent) => gone.has(toHex(parent)))
    if (isAfter || (!came.has(name) && isReplacement(entry, key))) gone.add(name)
    return !gone.has(name)
  })
  if (gone.size === 0) return undefined
  const state = replay(crypto, before)
  return isInForce(state, key) ? state : undefined
}

export function isInForce({ recovery }: Pick<IdentityState, 'recovery'>, key: Uint8Array): boolean {
  return recovery !== undefined && equalBytes(recovery.key, key)
}

function isReplacement(entry: SignedEntry, key: Uint8Array): boolean {
  return entry.body.kind === 'rotate' && !equalBytes(entry.signer, key) && !namesRecoveryKey([entry], key)
}

/** The first entry that named the words, and what it stands on: words may have come in place of others. */
function cameBy(entries: readonly SignedEntry[], key: Uint8Array): ReadonlySet<string> {
  const at = entries.findIndex((entry) => namesRecoveryKey([entry], key))
  const names = new Set<string>()
  for (const entry of entries.slice(0, at + 1).toReversed()) {
    const name = toHex(entry.hash)
    if (names.size > 0 && !names.has(name)) continue
    names.add(name)
    for (const parent of entry.previous) names.add(toHex(parent))
  }
  return names
}
