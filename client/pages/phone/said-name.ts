/** The name that a person gave before pairing, kept until it stands in their profile: a page may be closed between. */
import { fromUtf8, utf8 } from '../../../protocol/bytes.ts'
import type { KeyStore } from '../../index.ts'

const entry = 'page/said-name'

export async function keepSaidName(keys: KeyStore, name: string): Promise<void> {
  await keys.write(new Map([[entry, utf8(name)]]))
}

export async function readSaidName(keys: KeyStore): Promise<string | undefined> {
  const kept = await keys.get(entry)
  return kept === undefined ? undefined : fromUtf8(kept)
}

export async function forgetSaidName(keys: KeyStore): Promise<void> {
  await keys.write(new Map([[entry, undefined]]))
}
