/**
 * The rules of one entry of a group's log. A group has no devices of its own: a member's device signs, and the entry
 * names the member and the heads of the member's own log by which that device may. So whether an entry is allowed
 * depends on its ancestors and on that part of the member's log alone.
 */
import { equalBytes, toHex } from '../bytes.ts'
import { limits } from '../limits.ts'
import { broken, nextBox, type BodyOf, type Facts } from './facts.ts'
import type { Box, BoxState, DeviceState, MemberState, SignedEntry } from './types.ts'

/** What a member's log says at the heads that an entry names. Throws UNKNOWN_IDENTITY when it is not at hand. */
export type AuthorAt = (entry: SignedEntry, author: Uint8Array, heads: readonly Uint8Array[]) => Facts

/** Where the author stands among those that may extend the log: owners by admission. */
export function rankOfMember(facts: Facts, author: Uint8Array | undefined): number | undefined {
  const member = author && facts.members.get(toHex(author))
  return member?.role === 'owner' ? member.rank : undefined
}

export function applyGroupGenesis(entry: SignedEntry, authorAt: AuthorAt): Facts {
  const { author, body } = entry
  if (body.kind !== 'genesisGroup') throw broken(entry, 'it begins no log of a group')
  const founder = body.members.find(({ identity }) => author !== undefined && equalBytes(identity, author))
  if (founder?.role !== 'owner') throw broken(entry, 'whoever founds a group is an owner of it')
  const device = signingDevice(entry, authorAt(entry, founder.identity, body.authorHeads))
  const inOrder = [founder, ...body.members.filter((member) => member !== founder)]
  const members = inOrder.map((member, i) => [toHex(member.identity), { ...member, rank: i + 1 }] as const)
  const facts: Facts = {
    id: entry.hash,
    type: 'group',
    recovery: undefined,
    devices: new Map(),
    members: new Map(members),
    formerMembers: new Map(),
    boxes: [],
  }
  return body.box === undefined ? facts : withBox(facts, entry, body.box, device)
}

/**
 * Whether an entry may stand in the log at all, by its ancestors and its author's log up to the heads that it names: it
 * is signed by an owner's device of somebody who was named as an owner of the group. Throws BAD_IDENTITY, or UNKNOWN_IDENTITY where
 * the author's log is not at hand.
 */
export function admitGroupEntry(
  entry: SignedEntry,
  ancestors: readonly SignedEntry[],
  authorAt: AuthorAt,
): void {
  const { author, body } = entry
  if (!('authorHeads' in body)) throw broken(entry, "it is of a person's log")
  // Before the author's log is looked at: a stranger's entry costs nothing.
  if (author === undefined || !ancestors.some((of) => makesOwner(of, author)))
    throw broken(entry, 'its author was never an owner of the group')
  signingDevice(entry, authorAt(entry, author, body.authorHeads))
}

/** Throws BAD_IDENTITY. */
export function applyGroupEntry(facts: Facts, entry: SignedEntry, authorAt: AuthorAt): Facts {
  const { author, body } = entry
  if (entry.identity === undefined || !equalBytes(entry.identity, facts.id)) {
    throw broken(entry, 'it belongs to another identity')
  }
  if (!('authorHeads' in body) || body.kind === 'genesisGroup') {
    throw broken(entry, 'nothing of its kind extends the log of a group')
  }
  if (author === undefined || rankOfMember(facts, author) === undefined)
    throw broken(entry, 'its author is no owner of the group')
  const device = signingDevice(entry, authorAt(entry, author, body.authorHeads))
  switch (body.kind) {
    case 'epoch':
      return withBox(facts, entry, body.box, device)
    case 'addMember':
      return addMember(facts, entry, body, device)
    case 'changeMember':
      return changeMember(facts, entry, body)
    case 'removeMember':
      return removeMember(facts, entry, body, device)
  }
}

function addMember(facts: Facts, entry: SignedEntry, body: BodyOf<'addMember'>, device: DeviceState): Facts {
  const { identity } = body.member
  const name = toHex(identity)
  if (facts.members.has(name)) throw broken(entry, 'they are a member already')
  if (facts.members.size >= limits.identityWrapsMax)
    throw broken(entry, `more than ${facts.members.size} members`)
  let { boxes } = facts
  for (const { epoch, wrap } of body.grants) {
    if (!equalBytes(wrap.recipient, identity)) throw broken(entry, 'what is granted is for the new member')
    if (wrap.recipientBox === undefined) throw broken(entry, 'a member opens it by a box, which is named')
    if (!boxes.some((box) => box.epoch === epoch)) throw broken(entry, `no epoch ${epoch} to grant`)
    const { recipientBox, sealed } = wrap
    const granted = { recipientBox, sealed, senderBoxKey: device.boxKey }
    boxes = boxes.map((box) =>
      box.epoch === epoch ? { ...box, wraps: new Map(box.wraps).set(name, granted) } : box,
    )
  }
  const rank = Math.max(0, ...[...facts.members.values()].map((member) => member.rank)) + 1
  // Who was one before stays among the former members: what counted of theirs counts, even if they may only read now.
  return { ...facts, boxes, members: new Map(facts.members).set(name, { ...body.member, rank }) }
}

function changeMember(facts: Facts, entry: SignedEntry, body: BodyOf<'changeMember'>): Facts {
  const { identity, role } = body.member
  const member = memberOf(facts, entry, identity)
  if (member.role === role) throw broken(entry, 'the role is as it was')
  // Replicas must agree on which of their records count, and only a removal names them.
  if (role === 'reader') throw broken(entry, 'a writer is removed, then added again as a reader')
  const members = new Map(facts.members).set(toHex(identity), { ...member, role })
  keepsOwner(entry, members)
  return { ...facts, members }
}

function removeMember(
  facts: Facts,
  entry: SignedEntry,
  body: BodyOf<'removeMember'>,
  device: DeviceState,
): Facts {
  const name = toHex(body.identity)
  memberOf(facts, entry, body.identity)
  const members = new Map(facts.members)
  members.delete(name)
  keepsOwner(entry, members)
  const numbers = new Map(body.numbers.map((of) => [toHex(of.device), of]))
  const after = { ...facts, members, formerMembers: new Map(facts.formerMembers).set(name, numbers) }
  if (body.box !== undefined) return withBox(after, entry, body.box, device)
  if (facts.boxes.at(-1)?.wraps.has(name) !== true) return after
  throw broken(entry, 'a member that can read is shut out by a new epoch')
}

function withBox(facts: Facts, entry: SignedEntry, box: Box, device: DeviceState): Facts {
  for (const { recipient, recipientBox } of box.wraps) {
    if (!facts.members.has(toHex(recipient)))
      throw broken(entry, 'a box secret goes to members of the group alone')
    if (recipientBox === undefined) throw broken(entry, 'a member opens it by a box, which is named')
  }
  const next: BoxState = nextBox(facts, entry, box, device.boxKey)
  return { ...facts, boxes: [...facts.boxes, next] }
}

function makesOwner({ body }: SignedEntry, identity: Uint8Array): boolean {
  const named = body.kind === 'genesisGroup' ? body.members : 'member' in body ? [body.member] : []
  return named.some((member) => member.role === 'owner' && equalBytes(member.identity, identity))
}

/** An owner's device of the author, live by what the author's log says at the heads that the entry names. */
function signingDevice(entry: SignedEntry, author: Facts): DeviceState {
  const device = author.devices.get(toHex(entry.signer))
  if (device?.role !== 'owner' || device.revoked !== undefined)
    throw broken(entry, "its signer is no owner's device of its author")
  return device
}

function memberOf(facts: Facts, entry: SignedEntry, identity: Uint8Array): MemberState {
  const member = facts.members.get(toHex(identity))
  if (member === undefined) throw broken(entry, 'no such member')
  return member
}

/** Otherwise nobody could ever extend the log. */
function keepsOwner(entry: SignedEntry, members: ReadonlyMap<string, MemberState>): void {
  if (![...members.values()].some(({ role }) => role === 'owner'))
    throw broken(entry, 'the last owner stays until there is another')
}
