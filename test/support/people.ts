import { portableCrypto } from '../../protocol/crypto/portable.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { RecordDraft, SignedRecord } from '../../protocol/record/types.ts'
import { createSeededRandom } from './seeded-random.ts'

/** The same seed, the same keys, nonces and bytes. */
export function seededCrypto(seed: number): CryptoProvider {
  const random = createSeededRandom(seed)
  return portableCrypto((length) => random.bytes(length))
}

export interface Person {
  readonly device: DeviceSecrets
  readonly state: IdentityState
}

export function createPerson(crypto: CryptoProvider): Person {
  const device = deviceFromSeed(crypto, crypto.random(32))
  return { device, state: createIdentity(crypto, device).state }
}

export const writtenMs = Date.UTC(2026, 0, 15, 12)

/** A public note by the person, number 1 unless told otherwise. */
export function draftBy(person: Person, changes: Partial<RecordDraft> = {}): RecordDraft {
  return {
    owner: person.state.id,
    author: person.state.id,
    app: 'notes',
    collection: 'note',
    key: new Uint8Array([1]),
    merge: 'register',
    number: 1,
    clock: clockOf(writtenMs),
    operation: 'put',
    schema: new Uint8Array(32).fill(7),
    expiresMs: undefined,
    sections: [{ audience: 'public', heights: { geo: 1 }, fields: { text: 'hello' } }],
    ...changes,
  }
}

export function recordBy(
  crypto: CryptoProvider,
  person: Person,
  changes: Partial<RecordDraft> = {},
): SignedRecord {
  return signRecord(crypto, draftBy(person, changes), person.device.seed)
}
