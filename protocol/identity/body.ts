/** The bodies of the ten kinds of entries, as they stand on the wire. The order of `kinds` is their number. */
import { compareBytes } from '../bytes.ts'
import { limits } from '../limits.ts'
import {
  array,
  boolean,
  bytes,
  choice,
  mapped,
  mismatch,
  nullable,
  parse,
  text,
  tuple,
  uint,
  type Shape,
} from '../shape.ts'
import { hashSet } from './hash-set.ts'
import type { Admission, Box, BoxLink, EntryBody, EntryKind, Member, RecoveryKeys, Wrap } from './types.ts'

export const kinds = [
  'genesisPerson',
  'genesisGroup',
  'addDevice',
  'vouch',
  'revokeDevice',
  'rotate',
  'epoch',
  'addMember',
  'changeMember',
  'removeMember',
] as const satisfies readonly EntryKind[]

/** Each once, in one order. */
function ascending<T>(of: Shape<readonly T[]>, keyOf: (item: T) => Uint8Array): Shape<readonly T[]> {
  return mapped(of, (items) => {
    for (let i = 1; i < items.length; i++) {
      if (compareBytes(keyOf(items[i - 1] as T), keyOf(items[i] as T)) >= 0)
        throw mismatch('ascending keys, each once')
    }
    return items
  })
}

const roles = ['owner', 'app', 'node', 'reader'] as const
const memberRoles = ['owner', 'writer', 'reader'] as const
const accesses = ['read', 'write'] as const

const id = bytes(32)
/** nonce 24 || tag 16 || secret 32 */
const sealed = bytes(72)
const nonce = bytes(16)
const name = text(limits.nameBytesMax, 1)
const epochNumber = uint(Number.MAX_SAFE_INTEGER, 1)
const heads = hashSet(limits.identityPreviousMax)

const capability = mapped(
  tuple(name, nullable(name), choice(...accesses), nullable(uint())),
  ([app, collection, access, expiresMs]) => ({ app, collection, access, expiresMs }),
)

/** Only an owner holds everything, and an owner holds nothing less: a thing said in one way cannot be misread. */
const admission = mapped(
  tuple(id, id, choice(...roles), nullable(array(capability, limits.identityCapabilitiesMax)), boolean),
  ([key, boxKey, role, capabilities, probation]): Admission => {
    if ((role === 'owner') !== (capabilities === undefined))
      throw mismatch('null capabilities for owners alone')
    return { key, boxKey, role, capabilities: capabilities ?? 'all', probation }
  },
)

const recovery = mapped(tuple(id, id), ([key, boxKey]): RecoveryKeys => ({ key, boxKey }))

const wrap = mapped(
  tuple(id, nullable(id), sealed),
  ([recipient, recipientBox, box]): Wrap => ({ recipient, recipientBox, sealed: box }),
)

const wraps = ascending(array(wrap, limits.identityWrapsMax), (item) => item.recipient)

const link = mapped(
  tuple(epochNumber, id, sealed),
  ([epoch, publicKey, secret]): BoxLink => ({ epoch, publicKey, sealed: secret }),
)

const links = ascending(array(link, limits.identityLinksMax), (item) => item.publicKey)

const box = mapped(tuple(epochNumber, id, wraps, links), ([epoch, publicKey, to, before]): Box => {
  if ((epoch === 1) !== (before.length === 0)) throw mismatch('a link to the epoch before, if there is one')
  return { epoch, publicKey, wraps: to, links: before }
})

const member = mapped(tuple(id, choice(...memberRoles)), ([identity, role]): Member => ({ identity, role }))

const grants = array(
  mapped(tuple(epochNumber, sealed), ([epoch, secret]) => ({ epoch, sealed: secret })),
  limits.identityWrapsMax,
)

const memberGrants = array(
  mapped(tuple(epochNumber, wrap), ([epoch, secret]) => ({ epoch, wrap: secret })),
  limits.identityWrapsMax,
)

const revokedNumbers = ascending(
  array(
    mapped(tuple(id, uint(), id, nullable(id)), ([owner, lastNumber, listHash, lastEntry]) => ({
      owner,
      lastNumber,
      listHash,
      lastEntry,
    })),
    limits.identityRevokedListsMax,
  ),
  (item) => item.owner,
)

const removedNumbers = ascending(
  array(
    mapped(tuple(id, uint(), id), ([device, lastNumber, listHash]) => ({ device, lastNumber, listHash })),
    limits.identityRevokedListsMax,
  ),
  (item) => item.device,
)

const members = ascending(array(member, limits.identityWrapsMax, 1), (item) => item.identity)

type BodyOf<K extends EntryKind> = Extract<EntryBody, { kind: K }>

const bodyShapes: { readonly [K in EntryKind]: Shape<BodyOf<K>> } = {
  genesisPerson: mapped(
    tuple(nonce, admission, nullable(recovery), box),
    ([random, device, words, first]) => ({
      kind: 'genesisPerson',
      nonce: random,
      device,
      recovery: words,
      box: first,
    }),
  ),
  genesisGroup: mapped(tuple(nonce, heads, members, nullable(box)), ([random, authorHeads, first, key]) => ({
    kind: 'genesisGroup',
    nonce: random,
    authorHeads,
    members: first,
    box: key,
  })),
  addDevice: mapped(tuple(admission, grants), ([device, secrets]) => ({
    kind: 'addDevice',
    device,
    grants: secrets,
  })),
  vouch: mapped(tuple(id), ([device]) => ({ kind: 'vouch', device })),
  revokeDevice: mapped(tuple(id, revokedNumbers, nullable(box)), ([device, numbers, next]) => ({
    kind: 'revokeDevice',
    device,
    numbers,
    box: next,
  })),
  rotate: mapped(tuple(nullable(recovery), nullable(box)), ([words, next]) => ({
    kind: 'rotate',
    recovery: words,
    box: next,
  })),
  epoch: mapped(tuple(heads, box), ([authorHeads, next]) => ({ kind: 'epoch', authorHeads, box: next })),
  addMember: mapped(tuple(heads, member, memberGrants), ([authorHeads, added, secrets]) => ({
    kind: 'addMember',
    authorHeads,
    member: added,
    grants: secrets,
  })),
  changeMember: mapped(tuple(heads, member), ([authorHeads, changed]) => ({
    kind: 'changeMember',
    authorHeads,
    member: changed,
  })),
  removeMember: mapped(
    tuple(heads, id, removedNumbers, nullable(box)),
    ([authorHeads, identity, numbers, next]) => ({
      kind: 'removeMember',
      authorHeads,
      identity,
      numbers,
      box: next,
    }),
  ),
}

export function parseBody(kind: EntryKind, value: unknown): EntryBody {
  const shape: Shape<EntryBody> = bodyShapes[kind]
  return parse(shape, value, 'entry.body')
}

export function wireBody(body: EntryBody): unknown[] {
  switch (body.kind) {
    case 'genesisPerson':
      return [body.nonce, wireAdmission(body.device), wireRecovery(body.recovery), wireBox(body.box)]
    case 'genesisGroup':
      return [body.nonce, body.authorHeads, body.members.map(wireMember), wireBox(body.box)]
    case 'addDevice':
      return [wireAdmission(body.device), body.grants.map((grant) => [grant.epoch, grant.sealed])]
    case 'vouch':
      return [body.device]
    case 'revokeDevice':
      return [
        body.device,
        body.numbers.map((of) => [of.owner, of.lastNumber, of.listHash, of.lastEntry ?? null]),
        wireBox(body.box),
      ]
    case 'rotate':
      return [wireRecovery(body.recovery), wireBox(body.box)]
    case 'epoch':
      return [body.authorHeads, wireBox(body.box)]
    case 'addMember':
      return [
        body.authorHeads,
        wireMember(body.member),
        body.grants.map((grant) => [grant.epoch, wireWrap(grant.wrap)]),
      ]
    case 'changeMember':
      return [body.authorHeads, wireMember(body.member)]
    case 'removeMember':
      return [
        body.authorHeads,
        body.identity,
        body.numbers.map((of) => [of.device, of.lastNumber, of.listHash]),
        wireBox(body.box),
      ]
  }
}

function wireAdmission(device: Admission): unknown[] {
  const { key, boxKey, role, capabilities, probation } = device
  const list =
    capabilities === 'all'
      ? null
      : capabilities.map((leave) => [
          leave.app,
          leave.collection ?? null,
          accesses.indexOf(leave.access),
          leave.expiresMs ?? null,
        ])
  return [key, boxKey, roles.indexOf(role), list, probation]
}

function wireRecovery(keys: RecoveryKeys | undefined): unknown {
  return keys === undefined ? null : [keys.key, keys.boxKey]
}

function wireBox(of: Box | undefined): unknown {
  if (of === undefined) return null
  const links = of.links.map(({ epoch, publicKey, sealed: secret }) => [epoch, publicKey, secret])
  return [of.epoch, of.publicKey, of.wraps.map(wireWrap), links]
}

function wireWrap(of: Wrap): unknown[] {
  return [of.recipient, of.recipientBox ?? null, of.sealed]
}

function wireMember(of: Member): unknown[] {
  return [of.identity, memberRoles.indexOf(of.role)]
}
