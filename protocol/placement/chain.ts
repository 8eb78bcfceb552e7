import { equalBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { array, bytes, decodeAs } from '../shape.ts'
import {
  checkReplicaSet,
  packReplicaSet,
  unpackReplicaSet,
  type IsOwnerDevice,
  type SignedReplicaSet,
} from './replica-set.ts'

/**
 * A replica set as it travels: the owner's set that began the epoch and every step since, so that whoever holds
 * the owner's identity log can check the newest without asking anybody.
 */
export interface ReplicaSetChain {
  /** From step 0 to the newest. */
  readonly sets: readonly SignedReplicaSet[]
  readonly newest: SignedReplicaSet
  readonly bytes: Uint8Array
}

const shape = array(bytes(1, limits.replicaSetBytesMax * 2), limits.replicaSetStepsMax, 1)
const bounds = { bytesMax: limits.frameBytesMax, depthMax: 2, itemsMax: limits.replicaSetStepsMax + 1 }

export function makeChain(sets: readonly SignedReplicaSet[]): ReplicaSetChain {
  const newest = sets.at(-1)
  if (newest === undefined) throw new OnehopError('INTERNAL', 'a chain has at least one set')
  const packed = sets.map(({ document, signatures }) => packReplicaSet(document, signatures))
  return { sets, newest, bytes: encode(packed, bounds) }
}

/** Well-formed; {@link checkChain} says whether it stands. */
export function unpackChain(crypto: CryptoProvider, packed: Uint8Array): ReplicaSetChain {
  const sets = decodeAs(shape, packed, 'chain', bounds).map((set) => unpackReplicaSet(crypto, set))
  return { sets, newest: sets.at(-1) as SignedReplicaSet, bytes: packed }
}

/** Undefined when every set of the chain stands, else what is wrong. */
export function checkChain(
  crypto: CryptoProvider,
  chain: ReplicaSetChain,
  owner: Uint8Array,
  isOwnerDevice: IsOwnerDevice,
): string | undefined {
  let previous: SignedReplicaSet | undefined
  for (const [step, set] of chain.sets.entries()) {
    if (set.step !== step) return 'a step is missing'
    if (!equalBytes(set.owner, owner)) return 'it is of another owner'
    const problem = checkReplicaSet(crypto, set, isOwnerDevice, previous)
    if (problem !== undefined) return `step ${step}: ${problem}`
    previous = set
  }
  return undefined
}
