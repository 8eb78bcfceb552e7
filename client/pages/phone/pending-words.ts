/**
 * The recovery words of a person who was just made, from before the identity names them until they were written down
 * and two asked back. Then they leave this phone: no device keeps them.
 */
import { readRecoveryWords, recoveryFromWords, recoveryKeysOf } from '../../../protocol/identity/recovery.ts'
import { defaultCrypto, makeRecovery } from '../../index.ts'
import type { KeyStore, NewRecovery } from '../../index.ts'

const keptName = 'page/recovery-words'

export async function readPendingWords(keys: KeyStore): Promise<readonly string[] | undefined> {
  const kept = await keys.get(keptName)
  return kept === undefined ? undefined : readRecoveryWords(new TextDecoder().decode(kept))
}

/** The same again when pairing failed half way: the identity may name them already. */
export async function prepareWords(keys: KeyStore): Promise<NewRecovery> {
  const before = await readPendingWords(keys)
  if (before !== undefined)
    return { words: before, keys: recoveryKeysOf(recoveryFromWords(defaultCrypto(), before)) }
  const made = makeRecovery()
  await keys.write(new Map([[keptName, new TextEncoder().encode(made.words.join(' '))]]))
  return made
}

export async function forgetWords(keys: KeyStore): Promise<void> {
  await keys.write(new Map([[keptName, undefined]]))
}
