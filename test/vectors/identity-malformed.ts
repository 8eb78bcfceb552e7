/** Bodies that no release of ours writes, signed all the same: only the decoder stands against them. */
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'

const id = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const times = <T>(count: number, item: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => item(at))
const nonce = new Uint8Array(16)
const sealed = new Uint8Array(72)
const proof = new Uint8Array(64)
const recovery = [id(6), id(7)]
const capability: readonly unknown[] = ['notes', 'note', 1, null]
const app: readonly unknown[] = [id(6), id(7), 1, [capability], true]
const wrapTo = (byte: number): unknown[] => [id(byte), id(9), sealed]
const linkTo = (byte: number): unknown[] => [1, id(byte), sealed]
const firstBox: readonly unknown[] = [1, id(2), [wrapTo(1)], []]
const box: readonly unknown[] = [2, id(2), [wrapTo(1)], [linkTo(1)]]
const listOf = (byte: number): unknown[] => [id(byte), 3, id(9), null]
const removedOf = (byte: number): unknown[] => [id(byte), 3, id(9)]
const member = [id(8), 1]

/** A body of each kind that is read, and by its name what no body of that kind may be. */
const refusals: readonly {
  readonly kind: number
  readonly name: string
  readonly good: readonly unknown[]
  readonly bad: Readonly<Record<string, readonly unknown[]>>
}[] = [
  {
    kind: 0,
    name: 'genesis of a person',
    good: [nonce, app, recovery, firstBox],
    bad: {
      'a nonce of 15 bytes': [nonce.slice(1), app, recovery, firstBox],
      'a recovery key without its box key': [nonce, app, [id(6)], firstBox],
      'no box': [nonce, app, recovery, null],
      'a first box with a link': [nonce, app, recovery, firstBox.with(3, [linkTo(1)])],
    },
  },
  {
    kind: 1,
    name: 'genesis of a group',
    good: [nonce, [id(3)], [member], null],
    bad: {
      'no members': [nonce, [id(3)], [], null],
      'members out of order': [nonce, [id(3)], [[id(8), 0], [id(7), 1]], null],
      'a member twice': [nonce, [id(3)], [[id(8), 0], [id(8), 1]], null],
      '65 members': [nonce, [id(3)], times(65, (at) => [id(at), 1]), null],
      'a role 3': [nonce, [id(3)], [[id(8), 3]], null],
      'heads out of order': [nonce, [id(4), id(3)], [member], null],
      'a head twice': [nonce, [id(3), id(3)], [member], null],
      'nine heads': [nonce, times(9, id), [member], null],
    },
  },
  {
    kind: 2,
    name: 'addDevice',
    good: [app, [[1, sealed]]],
    bad: {
      'an owner with capabilities': [app.with(2, 0), []],
      'an app without capabilities': [app.with(3, null), []],
      'a role 4': [app.with(2, 4), []],
      '65 capabilities': [app.with(3, times(65, () => capability)), []],
      'leave for an app without a name': [app.with(3, [capability.with(0, '')]), []],
      'an access 2': [app.with(3, [capability.with(2, 2)]), []],
      'a probation that is a number': [app.with(4, 1), []],
      'a grant of epoch 0': [app, [[0, sealed]]],
      'a sealed secret of 71 bytes': [app, [[1, sealed.slice(1)]]],
      '65 grants': [app, times(65, () => [1, sealed])],
    },
  },
  { kind: 3, name: 'vouch', good: [id(6)], bad: { 'a key of 31 bytes': [id(6).slice(1)] } },
  {
    kind: 4,
    name: 'revokeDevice',
    good: [id(6), [listOf(1), listOf(2)], box],
    bad: {
      'owners out of order': [id(6), [listOf(2), listOf(1)], null],
      'an owner twice': [id(6), [listOf(1), listOf(1)], null],
      'a list without the place of its last entry': [id(6), [removedOf(1)], null],
      '65 lists': [id(6), times(65, listOf), null],
    },
  },
  {
    kind: 5,
    name: 'rotate',
    good: [recovery, box],
    bad: {
      'a recovery key without its box key': [[id(6)], box],
      'a box of epoch 0': [recovery, box.with(0, 0)],
      'a box of epoch 2 without a link': [recovery, box.with(3, [])],
      'a box of epoch 1 with a link': [recovery, box.with(0, 1)],
      'a link of 71 bytes': [recovery, box.with(3, [[1, id(1), sealed.slice(1)]])],
      'a link of epoch 0': [recovery, box.with(3, [[0, id(1), sealed]])],
      'links out of order': [recovery, box.with(3, [linkTo(2), linkTo(1)])],
      'a link twice': [recovery, box.with(3, [linkTo(1), linkTo(1)])],
      'nine links': [recovery, box.with(3, times(9, linkTo))],
      'a recipient by the number of an epoch': [recovery, box.with(2, [[id(1), 1, sealed]])],
      'recipients out of order': [recovery, box.with(2, [wrapTo(2), wrapTo(1)])],
      'a recipient twice': [recovery, box.with(2, [wrapTo(1), wrapTo(1)])],
      '65 recipients': [recovery, box.with(2, times(65, wrapTo))],
      'a box too many': [recovery, box, box],
    },
  },
  {
    kind: 6,
    name: 'epoch',
    good: [[], box],
    bad: {
      'no box': [[], null],
      'no place for heads': [box],
      'heads out of order': [[id(4), id(3)], box],
    },
  },
  {
    kind: 7,
    name: 'addMember',
    good: [[id(3)], member, [[1, wrapTo(8)]]],
    bad: {
      'a role 3': [[id(3)], [id(8), 3], []],
      'a grant that names nobody': [[id(3)], member, [[1, sealed]]],
      'a grant of epoch 0': [[id(3)], member, [[0, wrapTo(8)]]],
      '65 grants': [[id(3)], member, times(65, () => [1, wrapTo(8)])],
    },
  },
  {
    kind: 8,
    name: 'changeMember',
    good: [[id(3)], member],
    bad: { 'a role 3': [[id(3)], [id(8), 3]], 'no role': [[id(3)], [id(8)]], 'nine heads': [times(9, id), member] },
  },
  {
    kind: 9,
    name: 'removeMember',
    good: [[id(3)], id(8), [removedOf(1), removedOf(2)], box],
    bad: {
      'devices out of order': [[id(3)], id(8), [removedOf(2), removedOf(1)], null],
      'a device twice': [[id(3)], id(8), [removedOf(1), removedOf(1)], null],
      'a list with a last entry': [[id(3)], id(8), [listOf(1)], null],
      '65 lists': [[id(3)], id(8), times(65, removedOf), null],
    },
  },
]

export interface Malformed {
  readonly name: string
  readonly entry: Uint8Array
}

export function malformedBodies(
  crypto: CryptoProvider,
  signer: DeviceSecrets,
  state: IdentityState,
): { readonly good: readonly Malformed[]; readonly bad: readonly Malformed[] } {
  const signed = (kind: number, body: readonly unknown[]): Uint8Array => {
    const [identity, previous] = kind < 2 ? [null, []] : [state.id, state.heads]
    const bytes = encode([contexts.identity, 1, kind, identity, previous, signer.key, null, body])
    const possession = kind === 2 || kind === 5 ? proof : null
    return encode([bytes, crypto.sign(signedMessage(contexts.identity, bytes), signer.seed), possession])
  }
  return {
    good: refusals.map(({ kind, name, good }) => ({ name, entry: signed(kind, good) })),
    bad: refusals.flatMap(({ kind, name, bad }) =>
      Object.entries(bad).map(([what, body]) => ({ name: `${name}: ${what}`, entry: signed(kind, body) })),
    ),
  }
}
