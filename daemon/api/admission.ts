import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { Admitted } from './sessions.ts'

export interface AdmissionParts {
  readonly hosting: Pick<Hosting, 'get' | 'has'>
  readonly identities: Pick<Identities, 'get' | 'isMember'>
}

export interface Admission {
  /** Whom a session is given. Throws NOT_HOSTED, FORBIDDEN or REVOKED. */
  admit(owner: IdentityId, device: DeviceKey): Admitted
  /** Who may let an app in: whoever lives here, by an owner's device. */
  admitOwner(owner: IdentityId, device: DeviceKey): void
}

/** Who may come in, by what their identity log says of the device now. */
export function createAdmission({ hosting, identities }: AdmissionParts): Admission {
  const deviceOf = (owner: IdentityId, device: DeviceKey) => {
    const known = identities.get(owner)?.devices.get(toHex(device))
    if (known === undefined) throw new OnehopError('FORBIDDEN', `device ${toHex(device)} was never admitted`)
    if (known.revoked !== undefined) throw new OnehopError('REVOKED', `device ${toHex(device)} was revoked`)
    return known
  }
  return {
    admit(owner, device) {
      // Members of a group that lives here come from everywhere.
      if (!hosting.has(owner) && !identities.isMember(owner)) throw stranger(owner)
      deviceOf(owner, device)
      return hosting.get(owner)?.person === true ? 'resident' : 'visitor'
    },
    admitOwner(owner, device) {
      if (!hosting.has(owner)) throw stranger(owner)
      if (deviceOf(owner, device).role === 'owner') return
      throw new OnehopError('FORBIDDEN', `device ${toHex(device)} is not one of the owner's`)
    },
  }
}

function stranger(owner: IdentityId): OnehopError {
  return new OnehopError('NOT_HOSTED', `the shard of ${toHex(owner)} is not held here`)
}
