/** Whose shard the vectors of replica-set.json are about, and who may hold it. */
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import {
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
  type ReplicaSet,
  type Seat,
  type SignedReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { createPerson, writtenMs } from '../support/people.ts'

export interface Holders {
  readonly owner: Uint8Array
  /** The seed of the owner's only device. */
  readonly device: Uint8Array
  /** Seeds: 0 is the home, 1 to 3 are replicas, 4 and 5 stand by, 6 is a stranger. */
  readonly nodes: readonly Uint8Array[]
  seat(n: number, role?: Seat['role']): Seat
  /** The owner's own, signed by nobody yet. */
  readonly first: ReplicaSet
  sign(set: ReplicaSet, ...seeds: readonly Uint8Array[]): SignedReplicaSet
  /** A step after a set that members signed, by their numbers. */
  step(
    before: SignedReplicaSet,
    changes: Partial<ReplicaSet>,
    ...members: readonly number[]
  ): SignedReplicaSet
}

export function holders(crypto: CryptoProvider): Holders {
  const ada = createPerson(crypto)
  const nodes = Array.from({ length: 7 }, () => crypto.random(32))
  const keys = nodes.map((seed) => crypto.signingPublicKey(seed))
  const seat: Holders['seat'] = (n, role = 'replica') => ({
    node: keys[n] as Uint8Array,
    role,
    addresses: [`/ip4/192.0.2.${n}/tcp/1`],
    operator: `op ${n}`,
    region: n % 2 === 0 ? '/geo/ng' : '/geo/de',
  })
  const sign: Holders['sign'] = (set, ...seeds) => {
    const document = encodeReplicaSet(set)
    const signatures = seeds.map((seed) => signReplicaSet(crypto, document, seed))
    return unpackReplicaSet(crypto, packReplicaSet(document, signatures))
  }
  return {
    owner: ada.state.id,
    device: ada.device.seed,
    nodes,
    seat,
    first: {
      owner: ada.state.id,
      shard: ada.state.id,
      epoch: 1,
      step: 0,
      previous: undefined,
      members: [seat(0, 'home'), seat(1), seat(2), seat(3)],
      standby: [seat(4), seat(5)],
      copies: 3,
      expiresMs: writtenMs,
    },
    sign,
    step: (before, changes, ...members) => {
      const { hash: _, document: __, signatures: ___, ...set } = before
      const next = { ...set, step: before.step + 1, previous: before.hash, ...changes }
      return sign(next, ...members.map((n) => nodes[n] as Uint8Array))
    },
  }
}

export function packed({ document, signatures }: SignedReplicaSet): Uint8Array {
  return packReplicaSet(document, signatures)
}
