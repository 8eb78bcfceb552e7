/** Chains for replica-set.json: those that stand, and those that are well-formed but do not. */
import { contexts, signedMessage } from '../../protocol/context.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import {
  signReplicaSet,
  type ReplicaSet,
  type Seat,
  type SignedReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import type { Holders } from './replica-set-holders.ts'

type Chain = readonly SignedReplicaSet[]

export function standingChains(crypto: CryptoProvider, by: Holders): Readonly<Record<string, Chain>> {
  const { device, first, nodes, seat, sign, step } = by
  const root = sign(first, device)
  const home = seat(0, 'home')
  const added = step(root, { members: [...first.members, seat(4)], standby: [seat(5)] }, 2, 3)
  const removed = step(added, { members: [home, seat(1), seat(2), seat(4)] }, 0, 1, 4)
  const alone = sign({ ...first, members: [home] }, device)
  const second = sign(
    { ...first, epoch: 2, previous: removed.hash, members: [home, seat(2)], standby: [] },
    device,
  )
  return {
    'the first set': [root],
    'a first set that everybody signed': [sign(first, device, ...nodes)],
    'a standby in the place of a member, signed by three of four': [
      root,
      step(root, { members: [home, seat(1), seat(2), seat(4)], standby: [seat(5)] }, 0, 1, 2),
    ],
    'one more, signed by two of four': [root, added],
    'one more, then one less, which the newcomer signs too': [root, added, removed],
    'one alone adds another': [alone, step(alone, { members: [home, seat(4)], standby: [seat(5)] }, 0)],
    'a member that never stood by': [
      root,
      step(root, { members: first.members.slice(0, 3), standby: [] }, 0, 1, 2),
    ],
    'a signature of nobody concerned among enough others': [
      root,
      step(root, { members: [...first.members, seat(4)], standby: [] }, 2, 3, 6),
    ],
    'a later epoch, which needs nothing of the one before': [second],
    'of two, both let one go': [second, step(second, { members: [home] }, 0, 2)],
    'sixteen sets': sixteen(crypto, by),
  }
}

/** The longest chain: a home lets one in and out again, eight times. */
function sixteen(crypto: CryptoProvider, { device, first, nodes, seat, sign }: Holders): Chain {
  const home = seat(0, 'home')
  const seeds = Array.from({ length: limits.replicaSetStepsMax / 2 }, (_, n) =>
    new Uint8Array(32).fill(n + 1),
  )
  const others = seeds.map(
    (seed): Seat => ({ ...seat(1), node: crypto.signingPublicKey(seed), addresses: [], operator: '' }),
  )
  let set: ReplicaSet = { ...first, members: [home], standby: others }
  const chain = [sign(set, device)]
  for (let step = 1; step < limits.replicaSetStepsMax; step++) {
    const which = Math.floor((step - 1) / 2)
    const isIn = step % 2 === 1
    set = {
      ...set,
      step,
      previous: chain.at(-1)?.hash,
      members: isIn ? [home, others[which] as Seat] : [home],
      standby: others.slice(which + 1),
    }
    const signers = [nodes[0] as Uint8Array, ...(isIn ? [] : [seeds[which] as Uint8Array])]
    chain.push(sign(set, ...signers))
  }
  return chain
}

/** What is wrong, in the words of `checkChain`, and the chain. */
export function refusedChains(
  crypto: CryptoProvider,
  { device, first, nodes, seat, sign, step }: Holders,
): Readonly<Record<string, readonly [problem: string, chain: Chain]>> {
  const root = sign(first, device)
  const one = root.signatures[0] as SignedReplicaSet['signatures'][number]
  const withSignatures = (set: SignedReplicaSet, ...signatures: (typeof one)[]): SignedReplicaSet => ({
    ...set,
    signatures,
  })
  const add = { members: [...first.members, seat(4)], standby: [seat(5)] }
  const replace = { members: [seat(0, 'home'), seat(1), seat(2), seat(4)], standby: [seat(5)] }
  const remove = { members: first.members.slice(0, 3) }
  const added = step(root, add, 0, 1)
  const all = [0, 1, 2, 3] as const
  const after = (changes: Partial<ReplicaSet>, ...members: number[]): Chain => [
    root,
    step(root, changes, ...(members.length === 0 ? all : members)),
  ]
  const otherPurpose = crypto.sign(signedMessage(contexts.lease, root.document), device)
  const unverified = 'a signature does not verify'
  return {
    'the members signed the first set': [
      "step 0: no device of the owner's signed it",
      [sign(first, ...nodes)],
    ],
    'nobody signed the first set': ["step 0: no device of the owner's signed it", [sign(first)]],
    'a signature of zeros': [
      `step 0: ${unverified}`,
      [withSignatures(root, { ...one, signature: new Uint8Array(64) })],
    ],
    'the signature of another set': [
      `step 0: ${unverified}`,
      [withSignatures(sign({ ...first, copies: 2 }), one)],
    ],
    'a signature under another key': [
      `step 0: ${unverified}`,
      [
        withSignatures(root, signReplicaSet(crypto, root.document, nodes[0] as Uint8Array), {
          ...one,
          key: seat(1).node,
        }),
      ],
    ],
    'signed for another purpose': [
      `step 0: ${unverified}`,
      [withSignatures(root, { ...one, signature: otherPurpose })],
    ],
    'a bad signature among enough good ones': [
      `step 1: ${unverified}`,
      [root, withSignatures(added, ...added.signatures, { ...one, key: seat(2).node })],
    ],
    'it begins at the second set': ['a step is missing', [added]],
    'two sets in the other order': ['a step is missing', [added, root]],
    'one set twice': ['a step is missing', [root, root]],
    'a set left out': ['a step is missing', [root, step(added, { members: first.members }, ...all)]],
    'of another owner': ['it is of another owner', [sign({ ...first, owner: seat(6).node }, device)]],
    'a second set of another owner': ['it is of another owner', after({ ...add, owner: seat(6).node })],
    'a second set of another shard': ['step 1: another shard', after({ ...add, shard: seat(6).node })],
    'no hash of the set before': [
      'step 1: it names another predecessor',
      after({ ...add, previous: undefined }),
    ],
    'the hash of another set before': [
      'step 1: it names another predecessor',
      after({ ...add, previous: added.hash }),
    ],
    'members raise the epoch': ['step 1: it skips a step', after({ ...add, epoch: 2 })],
    'members ask for fewer copies': ['step 1: a step changes the policy', after({ ...add, copies: 2 })],
    'members put off the end': [
      'step 1: a step changes the policy',
      after({ ...add, expiresMs: first.expiresMs + 1 }),
    ],
    'nothing changes': ['step 1: nothing changes', after({})],
    'only an address changes': [
      'step 1: nothing changes',
      after({ members: first.members.map((member) => ({ ...member, addresses: [] })) }),
    ],
    'two come in': [
      'step 1: more than one seat changes in a step',
      after({ members: [...first.members, seat(4), seat(5)], standby: [] }),
    ],
    'two go out': [
      'step 1: more than one seat changes in a step',
      after({ members: first.members.slice(0, 2) }),
    ],
    'a stranger comes in': [
      'step 1: the added node is not on the standby list',
      after({ members: [...first.members, seat(6)] }),
    ],
    'a stranger stands by': [
      'step 1: a step widens the standby list',
      after({ ...add, standby: [seat(5), seat(6)] }),
    ],
    'who lost a seat stands by again': [
      'step 1: a step widens the standby list',
      after({ ...remove, standby: [...first.standby, seat(3)] }),
    ],
    'who comes is to be the home': [
      'step 1: the added node is not on the standby list',
      after({ ...add, members: [...first.members, seat(4, 'home')] }),
    ],
    'one who stands by gets another address': [
      'step 1: a step widens the standby list',
      after({ ...add, standby: [{ ...seat(5), addresses: [] }] }),
    ],
    'who stays gets another address': [
      'step 1: a step changes a seat that stays',
      after({ ...add, members: [...first.members.slice(0, 3), { ...seat(3), addresses: [] }, seat(4)] }),
    ],
    'the home becomes a guest': [
      'step 1: a step changes a seat that stays',
      after({ ...add, members: [seat(0, 'guest'), ...first.members.slice(1), seat(4)] }),
    ],
    'another comes before the home': [
      'step 1: a step changes a seat that stays',
      after({ ...add, members: [seat(1), seat(0, 'home'), seat(2), seat(3), seat(4)] }),
    ],
    'who comes is put first': [
      'step 1: a step changes a seat that stays',
      after({ ...add, members: [seat(4), ...first.members] }),
    ],
    'half of the members take a seat away': ['step 1: 3 members must sign, 2 did', after(remove, 0, 1)],
    'the newcomer makes up the majority': ['step 1: 3 members must sign, 2 did', after(replace, 0, 1, 4)],
    'a stranger makes up the majority': ['step 1: 3 members must sign, 2 did', after(remove, 0, 1, 6)],
    'one member signs twice': ['step 1: 3 members must sign, 2 did', after(remove, 0, 1, 1)],
    'one of four adds': ['step 1: 2 members must sign, 1 did', after(add, 2)],
    'nobody signed the second set': ['step 1: 2 members must sign, 0 did', [root, withSignatures(added)]],
    "the owner's device in the place of members": [
      'step 1: 2 members must sign, 0 did',
      [root, sign({ ...first, ...add, step: 1, previous: root.hash }, device)],
    ],
    'a good set behind a bad one': [
      'step 1: 2 members must sign, 1 did',
      (() => {
        const weak = step(root, add, 2)
        return [root, weak, step(weak, { members: first.members }, ...all)]
      })(),
    ],
  }
}
