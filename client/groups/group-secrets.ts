import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { BoxSecret } from '../../protocol/identity/box.ts'
import { memberBoxes, type BoxSecrets } from '../../protocol/identity/box-secrets.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Identities } from '../identity/identities.ts'
import type { Identity } from '../identity/identity.ts'

interface Opened {
  readonly self: IdentityState
  readonly boxes: BoxSecrets
}

/** What this person may open of groups, by the logs that are known here. Nothing for a group whose log is not. */
export class GroupSecrets {
  readonly #crypto: CryptoProvider
  readonly #identities: Identities
  readonly #identity: Identity | undefined
  readonly #opened = new WeakMap<IdentityState, Opened>()

  constructor(crypto: CryptoProvider, identities: Identities, identity: Identity | undefined) {
    this.#crypto = crypto
    this.#identities = identities
    this.#identity = identity
  }

  /** Undefined too where a newer epoch leaves this person out: nothing more is sealed under the one they had. */
  newest(group: IdentityId): BoxSecret | undefined {
    return this.boxes(group)?.current()
  }

  /** By the group's log, as far as it is known here. */
  isOutside(id: IdentityId): boolean {
    const group = this.#identities.known(id)
    if (group?.type !== 'group' || this.#identity === undefined) return false
    return !group.members.has(toHex(this.#identity.id))
  }

  ofEpoch(group: IdentityId, epoch: number): readonly BoxSecret[] {
    return this.boxes(group)?.ofEpoch(epoch) ?? []
  }

  boxes(id: IdentityId): BoxSecrets | undefined {
    const group = this.#identities.known(id)
    const identity = this.#identity
    if (group?.type !== 'group' || identity === undefined) return undefined
    const self = identity.state
    const known = this.#opened.get(group)
    if (known?.self === self) return known.boxes
    const boxes = memberBoxes(this.#crypto, group, identity.id, identity.boxes)
    this.#opened.set(group, { self, boxes })
    return boxes
  }
}
