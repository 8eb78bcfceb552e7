import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { deviceBoxes, type BoxSecrets } from '../../protocol/identity/box-secrets.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
} from '../../protocol/identity/make.ts'
import { createGroup, type GroupSigner } from '../../protocol/identity/make-group.ts'
import type { DeviceSecrets, IdentityState, People } from '../../protocol/identity/types.ts'

/** Somebody whose log may grow. */
export class Human {
  readonly #crypto: CryptoProvider
  readonly device: DeviceSecrets
  state: IdentityState

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
    this.device = deviceFromSeed(crypto, crypto.random(32))
    this.state = createIdentity(crypto, this.device).state
  }

  get id(): Uint8Array {
    return this.state.id
  }

  get signer(): GroupSigner {
    return { person: this.state, device: this.device }
  }

  /** Their own box secrets, by their first device. */
  get boxes(): BoxSecrets {
    return deviceBoxes(this.#crypto, this.state, this.device)
  }

  add(device: DeviceSecrets): void {
    const crypto = this.#crypto
    const possession = provePossession(crypto, this.id, device)
    const entry = addDevice(crypto, this.state, this.device, ownerAdmission(device, false), possession, {
      readsPrivate: true,
    })
    this.state = append(crypto, this.state, [entry])
  }
}

/** Ada, Bob and Cleo, who may only read, are a group that Ada founded; Dan is not in it yet. */
export function createCrowd(crypto: CryptoProvider, { isSealed = true } = {}) {
  const [ada, bob, cleo, dan] = [new Human(crypto), new Human(crypto), new Human(crypto), new Human(crypto)]
  const all = [ada, bob, cleo, dan]
  const people: People = (id) => all.find((one) => toHex(one.id) === toHex(id))?.state
  const founded = createGroup(
    crypto,
    ada.signer,
    [
      { identity: bob.id, role: 'owner' },
      { identity: cleo.id, role: 'reader' },
    ],
    { people, isSealed },
  )
  return { ada, bob, cleo, dan, people, ...founded }
}
