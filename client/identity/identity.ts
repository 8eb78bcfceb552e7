import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { BoxSecret } from '../../protocol/identity/box.ts'
import { deviceBoxes, type BoxSecrets } from '../../protocol/identity/box-secrets.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import { addDevice, createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import type {
  Admission,
  DeviceSecrets,
  IdentityState,
  RecoveryKeys,
  Role,
} from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { toldOf } from './changes.ts'
import { keyNames } from '../key-store.ts'
import type { KeyStore } from '../key-store.ts'
import { defaultCrypto } from '../random.ts'

const seedBytes = 32

export interface IdentityPorts {
  readonly keys: KeyStore
  readonly crypto?: CryptoProvider | undefined
}

/** This device's keys, from the seed that is drawn at the first call and kept ever after. */
export async function deviceOf({ keys, crypto = defaultCrypto() }: IdentityPorts): Promise<DeviceSecrets> {
  return keys.lock(keyNames.deviceSeed, async () => {
    const kept = await keys.get(keyNames.deviceSeed)
    if (kept !== undefined && kept.length !== seedBytes)
      throw new OnehopError('STORE_CORRUPT', 'what is kept as the seed of this device is none')
    const seed = kept ?? crypto.random(seedBytes)
    if (kept === undefined) await keys.write(new Map([[keyNames.deviceSeed, seed]]))
    return deviceFromSeed(crypto, seed)
  })
}

/** The identity that this device belongs to; undefined before it was made or the device admitted. */
export async function openIdentity(ports: IdentityPorts): Promise<Identity | undefined> {
  const { keys, crypto = defaultCrypto() } = ports
  const log = await keys.get(keyNames.identityLog)
  if (log === undefined) return undefined
  return new Identity(ports, await deviceOf(ports), replay(crypto, decodeLog(crypto, log)))
}

/**
 * A new person, whose first device this is. STALE when this device has an identity already. FORBIDDEN on a page that
 * came over plain http: anybody between could have changed it, and would have the key.
 */
export async function makeIdentity(
  ports: IdentityPorts & { readonly recovery?: RecoveryKeys | undefined },
): Promise<Identity> {
  const { keys, crypto = defaultCrypto(), recovery } = ports
  requireOwnerPlace('makes no owner keys', 'make the identity with: onehop init --user NAME')
  const device = await deviceOf(ports)
  return keys.lock(keyNames.identityLog, async () => {
    if ((await keys.get(keyNames.identityLog)) !== undefined) {
      throw new OnehopError('STALE', 'this device has an identity already', {
        help: 'Open the one that it has.',
      })
    }
    const { entry, state } = createIdentity(crypto, device, recovery === undefined ? {} : { recovery })
    await keys.write(
      new Map([
        [keyNames.identityLog, encodeLog([entry])],
        [keyNames.told, toldOf(state)],
      ]),
    )
    return new Identity(ports, device, state)
  })
}

/** An app's device: from the log that an owner's device extended to admit it. */
export async function joinIdentity(ports: IdentityPorts, log: Uint8Array): Promise<Identity> {
  const { keys, crypto = defaultCrypto() } = ports
  const device = await deviceOf(ports)
  const state = replay(crypto, decodeLog(crypto, log))
  if (state.devices.get(toHex(device.key)) === undefined) {
    throw new OnehopError('BAD_IDENTITY', 'the identity log does not admit this device')
  }
  return keys.lock(keyNames.identityLog, async () => {
    const kept = await keys.get(keyNames.identityLog)
    if (kept !== undefined && !equalBytes(replay(crypto, decodeLog(crypto, kept)).id, state.id)) {
      throw new OnehopError('STALE', 'this device belongs to another identity', {
        help: 'Use another key store for each identity.',
      })
    }
    // What was there before it came is no news; what came while it was paired anew is.
    const told = kept === undefined ? toldOf(state) : await keys.get(keyNames.told)
    await keys.write(
      new Map([
        [keyNames.identityLog, log],
        [keyNames.told, told],
      ]),
    )
    return new Identity(ports, device, state)
  })
}

/** Throws FORBIDDEN on a page from plain http. In Node the keys are in a file of the person who runs it. */
export function requireOwnerPlace(what: string, otherwise: string): void {
  if ((globalThis as { readonly isSecureContext?: boolean }).isSecureContext !== false) return
  throw new OnehopError('FORBIDDEN', `a page from plain http ${what}`, {
    help: `Open this page over https or on localhost, or ${otherwise}.`,
  })
}

export interface AdmissionRequest extends Pick<Admission, 'key' | 'boxKey'> {
  readonly role: Role
  /** Signature of the new device over possessionMessage. */
  readonly possession: Uint8Array
  /** Owners have all; a node needs none of its own. */
  readonly capabilities?: Admission['capabilities'] | undefined
  /** Gives the device the key to private collections. */
  readonly readsPrivate?: boolean | undefined
  /** An owner's device is, until an older one vouches for it: for a day nodes take nothing of it that adds or revokes others. */
  readonly probation?: boolean | undefined
}

/** The identity of this device: what it says, and what an owner's device may add to it. */
export class Identity {
  readonly id: IdentityId
  readonly device: DeviceSecrets
  readonly #keys: KeyStore
  readonly #crypto: CryptoProvider
  #state: IdentityState
  #boxes: { readonly of: IdentityState; readonly secrets: BoxSecrets } | undefined

  constructor(ports: IdentityPorts, device: DeviceSecrets, state: IdentityState) {
    this.#keys = ports.keys
    this.#crypto = ports.crypto ?? defaultCrypto()
    this.id = state.id
    this.device = device
    this.#state = state
  }

  get state(): IdentityState {
    return this.#state
  }

  /** Undefined when the log does not, or no longer, admit this device. */
  get role(): Role | undefined {
    const own = this.#state.devices.get(toHex(this.device.key))
    return own?.revoked === undefined ? own?.role : undefined
  }

  /** The log as it travels. */
  log(): Uint8Array {
    return encodeLog(this.#state.entries)
  }

  /** By an owner's device: admits another key. Kept before it resolves; telling nodes is the caller's. */
  async admit(request: AdmissionRequest): Promise<void> {
    await this.#change((state) => this.#admission(state, request))
  }

  /**
   * By an owner's device: the log with another key admitted, not kept. To hand to a node, which may refuse it, and then to
   * `learn`: what no node took would be told with whatever comes next.
   */
  async withDevice(request: AdmissionRequest): Promise<Uint8Array> {
    // What another tab kept meanwhile comes first.
    await this.#change(() => [])
    const state = this.#state
    return encodeLog(append(this.#crypto, state, this.#admission(state, request)).entries)
  }

  #admission(state: IdentityState, request: AdmissionRequest): readonly IdentityState['entries'][number][] {
    const { key, boxKey, role, possession, readsPrivate = false, probation = role === 'owner' } = request
    const known = state.devices.get(toHex(key))
    if (known !== undefined && known.revoked === undefined && known.role === role) return []
    const capabilities = request.capabilities ?? (role === 'owner' ? 'all' : [])
    const admission: Admission = { key, boxKey, role, capabilities, probation }
    return [addDevice(this.#crypto, state, this.device, admission, possession, { readsPrivate })]
  }

  /** Entries that other devices made. Refused as a whole when they break a rule. */
  async learn(log: Uint8Array): Promise<void> {
    await this.#change(() => decodeLog(this.#crypto, log))
  }

  /** What this device opens of what the identity's private data is sealed under. */
  get boxes(): BoxSecrets {
    if (this.#boxes?.of !== this.#state)
      this.#boxes = {
        of: this.#state,
        secrets: deviceBoxes(this.#crypto, this.#state, this.device),
      }
    return this.#boxes.secrets
  }

  /** What to seal under; undefined for a device that may not read private collections, or that was left out of the newest epoch. */
  box(): BoxSecret | undefined {
    return this.boxes.current()
  }

  /** Always from what is kept, so that two tabs extend one log and never fork it. */
  async #change(make: (state: IdentityState) => readonly IdentityState['entries'][number][]): Promise<void> {
    await this.#keys.lock(keyNames.identityLog, async () => {
      const kept = await this.#keys.get(keyNames.identityLog)
      const current =
        kept === undefined ? this.#state : append(this.#crypto, this.#state, decodeLog(this.#crypto, kept))
      const next = append(this.#crypto, current, make(current))
      await this.#keys.write(new Map([[keyNames.identityLog, encodeLog(next.entries)]]))
      this.#state = next
    })
  }
}
