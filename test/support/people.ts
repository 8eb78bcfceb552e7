import { portableCrypto } from '../../protocol/crypto/portable.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { append } from '../../protocol/identity/log.ts'
import { addDevice, createIdentity, deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
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

/** Somebody who let in so many apps that their log is nearly as long as may be. */
export function longLogged(crypto: CryptoProvider): IdentityState {
  const { state, device } = createPerson(crypto)
  const capabilities = Array.from({ length: limits.identityCapabilitiesMax - 4 }, (_, i) => ({
    app: `app-${String(i).padStart(2, '0')}`.padEnd(58, 'x'),
    collection: 'c'.repeat(58),
    access: 'read' as const,
    expiresMs: undefined,
  }))
  let grown = state
  for (let i = 0; i < 7; i++) {
    const keys = deviceFromSeed(crypto, crypto.random(32))
    const { key, boxKey } = keys
    const admission = { key, boxKey, role: 'app' as const, capabilities, probation: false }
    const possession = provePossession(crypto, state.id, keys)
    grown = append(crypto, grown, [addDevice(crypto, grown, device, admission, possession)])
  }
  return grown
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
