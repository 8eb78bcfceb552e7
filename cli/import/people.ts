/** People of an import: each name of a user is one identity with one device, the same in every run with that seed. */
import { utf8 } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { BoxSecret } from '../../protocol/identity/box.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { seededCrypto } from './seeded-crypto.ts'

export interface ImportedPerson {
  readonly name: string
  readonly device: DeviceSecrets
  readonly state: IdentityState
  readonly box: BoxSecret
  /** The identity log as it travels. */
  readonly log: Uint8Array
}

export function importedPerson(crypto: CryptoProvider, seed: string, name: string): ImportedPerson {
  // Hashed first: keys and names are of any length, and no two pairs of them make one.
  const key = crypto.sha256(utf8(`onehop/import/seed/${seed}`))
  const device = deviceFromSeed(crypto, crypto.hmacSha256(key, utf8(`onehop/import/person/${name}`)))
  const { state, box } = createIdentity(seededCrypto(crypto, device, 'onehop/import/identity'), device)
  return { name, device, state, box, log: encodeLog(state.entries) }
}

/** What one person needs between two lines of theirs. */
export interface Known {
  readonly id: Uint8Array
  /** Records made so far in this run. */
  made: number
  hasProfile: boolean
  /** Resolves when the node has taken the identity in; undefined once it has. */
  arriving: Promise<void> | undefined
  /** Why the node does not take the identity in. */
  refused: { readonly code: string; readonly message: string } | undefined
}

/** Keys of people who wrote lately; those of the others are made again, which takes less than a millisecond. */
const secretsMax = 20_000

/** Everybody of one import. Holds some 200 bytes for each person, and the keys of the last 20,000. */
export class People {
  readonly #crypto: CryptoProvider
  readonly #seed: string
  readonly #known = new Map<string, Known>()
  readonly #secrets = new Map<string, ImportedPerson>()

  constructor(crypto: CryptoProvider, seed: string) {
    this.#crypto = crypto
    this.#seed = seed
  }

  get size(): number {
    return this.#known.size
  }

  names(): IterableIterator<string> {
    return this.#known.keys()
  }

  known(name: string): Known | undefined {
    return this.#known.get(name)
  }

  /** `arriving` is for the caller to set. */
  add(name: string): Known {
    const known: Known = {
      id: this.person(name).state.id,
      made: 0,
      hasProfile: false,
      arriving: undefined,
      refused: undefined,
    }
    this.#known.set(name, known)
    return known
  }

  person(name: string): ImportedPerson {
    const kept = this.#secrets.get(name)
    if (kept !== undefined) return kept
    const made = importedPerson(this.#crypto, this.#seed, name)
    this.#secrets.set(name, made)
    if (this.#secrets.size > secretsMax) {
      const [oldest] = this.#secrets.keys()
      this.#secrets.delete(oldest as string)
    }
    return made
  }
}
