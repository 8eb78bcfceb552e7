/** Makes replica-set.json, as record.ts makes record.json: sets, and chains of them. */
import { writeFileSync } from 'node:fs'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { compareBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { packReplicaSet, type SignedReplicaSet } from '../../protocol/placement/replica-set.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { plain } from './record.ts'
import { refusedChains, standingChains } from './replica-set-chains.ts'
import { holders, packed } from './replica-set-holders.ts'
import { malformedChains, malformedSets } from './replica-set-malformed.ts'
import { invalidCases, type InvalidCase } from './wire.ts'

export interface ReplicaSetVectors {
  readonly about: string
  readonly owner: string
  /** The owner's devices that may place. */
  readonly devices: readonly string[]
  readonly sets: {
    readonly valid: readonly {
      readonly name: string
      readonly bytes: string
      readonly hash: string
      readonly signers: readonly string[]
      readonly value: unknown
    }[]
    readonly invalid: readonly InvalidCase[]
    /** Packed sets of one shard from the newest to the oldest. */
    readonly order: readonly string[]
  }
  readonly chains: {
    readonly valid: readonly {
      readonly name: string
      readonly bytes: string
      readonly hashes: readonly string[]
    }[]
    readonly refused: readonly { readonly name: string; readonly bytes: string; readonly problem: string }[]
    readonly invalid: readonly InvalidCase[]
  }
}

export function replicaSetVectors(): ReplicaSetVectors {
  // OpenSSL signs, faster than the portable provider, which judges in the test: the two are to agree.
  const random = createSeededRandom(0x5e7)
  const crypto = nodeCrypto((length) => random.bytes(length))
  const by = holders(crypto)
  const { owner, device, first, nodes, seat, sign, step } = by
  const root = sign(first, device)
  const smallest = { ...first, members: [seat(0, 'home')], standby: [], copies: 0 }
  const alone = sign(smallest, device)

  const sets: Record<string, [set: SignedReplicaSet, signers: readonly Uint8Array[]]> = {
    'four seats and two that stand by': [root, [device]],
    'a home alone': [alone, [device]],
    'a step that three members signed': [
      step(root, { members: [seat(0, 'home'), seat(1), seat(2), seat(4)], standby: [seat(5)] }, 0, 1, 2),
      nodes.slice(0, 3),
    ],
    'a guest, no addresses, a shard that is not the owner': [
      sign(
        {
          ...first,
          shard: crypto.sha256(nodes[6] as Uint8Array),
          members: [{ node: seat(6).node, role: 'guest', addresses: [], operator: '', region: '' }],
          standby: [],
        },
        device,
      ),
      [device],
    ],
    'the largest numbers': [
      sign(
        {
          ...smallest,
          epoch: Number.MAX_SAFE_INTEGER,
          step: Number.MAX_SAFE_INTEGER,
          previous: root.hash,
          copies: limits.replicaSetMembersMax,
          expiresMs: Number.MAX_SAFE_INTEGER,
        },
        device,
      ),
      [device],
    ],
    'signed by nobody yet': [sign({ ...smallest, epoch: 7 }), []],
  }
  const add = { members: [...first.members, seat(4)], standby: [seat(5)] }
  // Two steps after one set, both signed by enough: the lower hash is the newer.
  const twins = [step(root, add, 0, 1), step(root, { ...add, standby: [] }, 0, 1)]
  twins.sort((a, b) => compareBytes(a.hash, b.hash))
  const order = [sign({ ...first, epoch: 2, previous: twins[0]?.hash }, device), ...twins, root]

  return {
    about:
      'who holds a shard: sets as they travel and chains of them; bytes in hex, or a head, an item that ' +
      'follows it so many times, and a tail. Refused chains are well-formed, but do not stand: FORBIDDEN',
    owner: toHex(owner),
    devices: [toHex(crypto.signingPublicKey(device))],
    sets: {
      valid: Object.entries(sets).map(([name, [set, signers]]) => {
        const { hash, document, signatures, ...value } = set
        const bytes = toHex(packReplicaSet(document, signatures))
        return { name, bytes, hash: toHex(hash), signers: signers.map(toHex), value: plain(value) }
      }),
      invalid: invalidCases(malformedSets(crypto, by, alone)),
      order: order.map((set) => toHex(packed(set))),
    },
    chains: {
      valid: Object.entries(standingChains(crypto, by)).map(([name, chain]) => ({
        name,
        bytes: toHex(encode(chain.map(packed))),
        hashes: chain.map((set) => toHex(set.hash)),
      })),
      refused: Object.entries(refusedChains(crypto, by)).map(([name, [problem, chain]]) => ({
        name,
        bytes: toHex(encode(chain.map(packed))),
        problem,
      })),
      invalid: invalidCases(malformedChains(alone)),
    },
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(replicaSetVectors(), undefined, 1)}\n`
  writeFileSync(new URL('replica-set.json', import.meta.url), text)
}
