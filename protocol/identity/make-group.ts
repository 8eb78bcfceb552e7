/** How an owner's device of a member founds a group and extends its log: each makes one entry. */
import { compareBytes, equalBytes, toHex } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { IdentityId } from '../record/types.ts'
import { makeBox, newBoxSecret, wrapSecret, type BoxSecret, type Recipient } from './box.ts'
import { signEntry } from './entry.ts'
import { replay } from './log.ts'
import type {
  BoxState,
  DeviceSecrets,
  EntryBody,
  IdentityState,
  Member,
  People,
  RemovedNumbers,
  SignedEntry,
} from './types.ts'

/** Who signs: a member, by one of their owner's devices. */
export interface GroupSigner {
  readonly person: IdentityState
  readonly device: DeviceSecrets
}

/**
 * A group, founded by the signer, who owns it. `isSealed` gives it a box secret, for sections that members alone read.
 * `people` knows everybody named. Throws UNKNOWN_IDENTITY where it does not.
 */
export function createGroup(
  crypto: CryptoProvider,
  signer: GroupSigner,
  members: readonly Member[],
  options: { readonly people: People; readonly isSealed: boolean },
): { readonly entry: SignedEntry; readonly state: IdentityState; readonly box: BoxSecret | undefined } {
  const founder: Member = { identity: signer.person.id, role: 'owner' }
  const all = [founder, ...members.filter(({ identity }) => !equalBytes(identity, signer.person.id))]
  const sorted = all.toSorted((a, b) => compareBytes(a.identity, b.identity))
  const box = options.isSealed ? newBoxSecret(crypto, 1) : undefined
  const recipients = sorted.map(({ identity }) => recipientOf(identity, options.people))
  const entry = signEntry(
    crypto,
    {
      identity: undefined,
      previous: [],
      author: signer.person.id,
      body: {
        kind: 'genesisGroup',
        nonce: crypto.random(16),
        authorHeads: headsOf(signer.person),
        members: sorted,
        box: box && makeBox(crypto, signer.device, recipients, box),
      },
    },
    signer.device,
  )
  return { entry, state: replay(crypto, [entry], options.people), box }
}

/** With `box`, the group's newest secret, the member is given it, and so reads what was sealed before. */
export function addMember(
  crypto: CryptoProvider,
  group: IdentityState,
  signer: GroupSigner,
  member: Member,
  options: { readonly people: People; readonly box?: BoxSecret | undefined },
): SignedEntry {
  const { box, people } = options
  const grants = box === undefined ? [] : [grantOf(crypto, signer, recipientOf(member.identity, people), box)]
  return extendGroup(crypto, group, signer, {
    kind: 'addMember',
    authorHeads: headsOf(signer.person),
    member,
    grants,
  })
}

export function changeMember(
  crypto: CryptoProvider,
  group: IdentityState,
  signer: GroupSigner,
  member: Member,
): SignedEntry {
  return extendGroup(crypto, group, signer, {
    kind: 'changeMember',
    authorHeads: headsOf(signer.person),
    member,
  })
}

/**
 * `numbers` says which records of the member count, by device. Where the group has a secret, `before` is its newest and those
 * that lost: what is written from now on is sealed under the next, which the member does not get.
 */
export function removeMember(
  crypto: CryptoProvider,
  group: IdentityState,
  signer: GroupSigner,
  identity: IdentityId,
  options: {
    readonly numbers: readonly RemovedNumbers[]
    readonly people: People
    readonly before?: readonly BoxSecret[] | undefined
  },
): { readonly entry: SignedEntry; readonly box: BoxSecret | undefined } {
  const { numbers, people, before } = options
  const last = group.boxes.at(-1)
  const next = before && last && newBoxSecret(crypto, last.epoch + 1)
  const staying = [...group.members.values()].filter((member) => !equalBytes(member.identity, identity))
  // Nobody stays because somebody's log is not to be had: who is left out is given the epoch after.
  const known = staying.filter((member) => people(member.identity) !== undefined)
  const recipients = known.map((member) => recipientOf(member.identity, people))
  const body: EntryBody = {
    kind: 'removeMember',
    authorHeads: headsOf(signer.person),
    identity,
    numbers: numbers.toSorted((a, b) => compareBytes(a.device, b.device)),
    box: next && makeBox(crypto, signer.device, recipients, next, before, last),
  }
  return { entry: extendGroup(crypto, group, signer, body), box: next }
}

/**
 * Members whose own secret is another one since the group's newest was wrapped for them: a device that they revoked, or
 * words that they replaced, still open it.
 */
export function membersBehind({ members, boxes }: IdentityState, people: People): readonly IdentityId[] {
  const wraps = boxes.at(-1)?.wraps
  return [...members].flatMap(([name, { identity }]) => {
    const wrapped = wraps?.get(name)?.recipientBox
    const person = people(identity)
    const newest = person?.boxes.at(-1)?.publicKey
    if (person === undefined || wrapped === undefined || newest === undefined) return []
    if (equalBytes(wrapped, newest)) return []
    // One that is not known is of a log that went on elsewhere.
    return hasBox(person, wrapped) ? [identity] : []
  })
}

/** Whom the group's newest secret was not wrapped to, as nobody had their logs then, or as a stolen device left them out. */
export function membersLeftOut({ members, boxes }: IdentityState, people: People): readonly IdentityId[] {
  const wraps = boxes.at(-1)?.wraps
  return [...members].flatMap(([name, { identity }]) =>
    wraps === undefined || wraps.has(name) || people(identity) === undefined ? [] : [identity],
  )
}

/**
 * Another secret for the members there are, each by what they can open now. `before` is the newest that the signer opens, and those that
 * lost. Throws STALE where the log of a member here is older than the one it was wrapped by: a device that they revoked since
 * would be given it.
 */
export function renewEpoch(
  crypto: CryptoProvider,
  group: IdentityState,
  signer: GroupSigner,
  options: { readonly people: People; readonly before: readonly [BoxSecret, ...BoxSecret[]] },
): SignedEntry {
  const { people, before } = options
  const last = group.boxes.at(-1) as BoxState
  const next = newBoxSecret(crypto, last.epoch + 1)
  const recipients = [...group.members.values()].map(({ identity }) => recipientOf(identity, people))
  const { wraps } = last
  const older = recipients.find(({ key, person }) => {
    const wrapped = wraps.get(toHex(key))?.recipientBox
    return wrapped !== undefined && !hasBox(person, wrapped)
  })
  if (older !== undefined)
    throw new OnehopError('STALE', `the log of ${toHex(older.key)} here is older than the group knows it`)
  const box = makeBox(crypto, signer.device, recipients, next, before, last)
  return extendGroup(crypto, group, signer, { kind: 'epoch', authorHeads: headsOf(signer.person), box })
}

function extendGroup(
  crypto: CryptoProvider,
  group: IdentityState,
  signer: GroupSigner,
  body: EntryBody,
): SignedEntry {
  const header = { identity: group.id, previous: group.next, author: signer.person.id, body }
  return signEntry(crypto, header, signer.device)
}

function headsOf(person: IdentityState): readonly Uint8Array[] {
  return person.holding.slice(0, limits.identityPreviousMax)
}

/** Also one that lost and has gone from the log since. */
function hasBox({ boxes, lostBoxes }: IdentityState, publicKey: Uint8Array): boolean {
  return [...boxes, ...lostBoxes]
    .flatMap((box) => [box, ...box.links])
    .some((box) => equalBytes(box.publicKey, publicKey))
}

interface MemberRecipient extends Recipient {
  readonly isMember: true
  readonly person: IdentityState
}

function recipientOf(identity: IdentityId, people: People): MemberRecipient {
  const person = people(identity)
  const newest = person?.boxes.at(-1)
  if (person === undefined || newest === undefined)
    throw new OnehopError('UNKNOWN_IDENTITY', `the log of ${toHex(identity)} is not here`)
  return { key: identity, boxKey: newest.publicKey, isMember: true, person }
}

function grantOf(crypto: CryptoProvider, signer: GroupSigner, to: Recipient, box: BoxSecret) {
  const sealed = wrapSecret(crypto, signer.device, to.boxKey, box.secret)
  return { epoch: box.epoch, wrap: { recipient: to.key, recipientBox: to.boxKey, sealed } }
}
