import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { boxSecretOf, openGroupSecret } from '../protocol/identity/box.ts'
import type { BoxSecret } from '../protocol/identity/box.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Identities } from './identities.ts'
import type { Identity } from './identity.ts'

/** What this person may open of groups, by the logs that are known here. Nothing for a group whose log is not. */
export class GroupSecrets {
  readonly #crypto: CryptoProvider
  readonly #identities: Identities
  readonly #identity: Identity | undefined

  constructor(crypto: CryptoProvider, identities: Identities, identity: Identity | undefined) {
    this.#crypto = crypto
    this.#identities = identities
    this.#identity = identity
  }

  /** Undefined too where a newer epoch leaves this person out: nothing more is sealed under the one they had. */
  newest(group: IdentityId): BoxSecret | undefined {
    const held = this.#held(group)
    return held?.epoch === this.#identities.known(group)?.boxes.at(-1)?.epoch ? held : undefined
  }

  ofEpoch(group: IdentityId, epoch: number): BoxSecret | undefined {
    const state = this.#identities.known(group)
    const held = this.#held(group)
    const secret = state && held && boxSecretOf(this.#crypto, state, held, epoch)
    return secret && { epoch, secret }
  }

  #held(group: IdentityId): BoxSecret | undefined {
    const state = this.#identities.known(group)
    const identity = this.#identity
    if (state?.type !== 'group' || identity === undefined) return undefined
    return openGroupSecret(this.#crypto, state, identity.id, (epoch) => identity.boxOf(epoch)?.secret)
  }
}
