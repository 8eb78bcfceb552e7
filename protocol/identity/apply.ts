/**
 * The rules of one entry of a person's log: given what the entries before it say, is it allowed, and what holds after
 * it? Signatures are checked elsewhere. Whether an entry is allowed depends on its own ancestors alone, so every
 * machine agrees on it, whatever else that machine has seen. Groups have rules of their own, in apply-group.ts.
 */
import { equalBytes, toHex } from '../bytes.ts'
import { limits } from '../limits.ts'
import { broken, nextBox, withoutAuthor, type BodyOf, type Facts } from './facts.ts'
import type { Admission, DeviceState, SignedEntry } from './types.ts'

/** Where a key stands among those that may extend the log: recovery 0, then owners by admission. */
export function rankOfKey(facts: Facts, signer: Uint8Array): number | undefined {
  if (facts.recovery !== undefined && equalBytes(facts.recovery.key, signer)) return 0
  const device = facts.devices.get(toHex(signer))
  return device?.revoked === undefined ? device?.rank : undefined
}

export function applyGenesis(entry: SignedEntry): Facts {
  const { body } = entry
  if (body.kind !== 'genesisPerson') throw broken(entry, 'it begins no log of a person')
  const { device, recovery } = body
  if (!equalBytes(device.key, entry.signer)) throw broken(entry, 'the first device signs its own admission')
  if (device.role !== 'owner' || device.probation) throw broken(entry, 'the first device is a full owner')
  withoutAuthor(entry)
  if (recovery !== undefined && equalBytes(recovery.key, device.key)) {
    throw broken(entry, 'the recovery key is kept apart from the device')
  }
  const facts: Facts = {
    id: entry.hash,
    type: 'person',
    recovery,
    devices: new Map([[toHex(device.key), admitted(device, entry.signer, 1)]]),
    members: new Map(),
    formerMembers: new Map(),
    boxes: [],
  }
  return withBox(facts, entry, body.box, device.boxKey)
}

/** Throws BAD_IDENTITY. */
export function applyEntry(facts: Facts, entry: SignedEntry): Facts {
  const { body } = entry
  if (entry.identity === undefined || !equalBytes(entry.identity, facts.id)) {
    throw broken(entry, 'it belongs to another identity')
  }
  withoutAuthor(entry)
  const rank = rankOfKey(facts, entry.signer)
  if (rank === undefined) throw broken(entry, 'its signer may not extend the log')
  switch (body.kind) {
    case 'addDevice':
      return addDevice(facts, entry, body)
    case 'vouch':
      return vouch(facts, entry, body, rank)
    case 'revokeDevice':
      return revokeDevice(facts, entry, body)
    case 'rotate':
      return rotate(facts, entry, body)
    case 'epoch':
      return withBox(facts, entry, body.box, senderBoxKey(facts, entry))
    default:
      throw broken(entry, "it is of a group's log")
  }
}

function addDevice(facts: Facts, entry: SignedEntry, body: BodyOf<'addDevice'>): Facts {
  const { device } = body
  const name = toHex(device.key)
  if (isKnown(facts, device.key)) {
    throw broken(entry, 'a key is admitted once, and never again after its revocation')
  }
  const live = [...facts.devices.values()].filter((of) => of.revoked === undefined)
  if (live.length >= limits.identityDevicesMax) throw broken(entry, `more than ${live.length} devices`)
  const ranks = [...facts.devices.values()].map((of) => of.rank ?? 0)
  const rank = device.role === 'owner' ? Math.max(0, ...ranks) + 1 : undefined
  const sender = senderBoxKey(facts, entry)
  let { boxes } = facts
  for (const grant of body.grants) {
    if (!boxes.some((box) => box.epoch === grant.epoch))
      throw broken(entry, `no epoch ${grant.epoch} to grant`)
    const wrap = { recipientBox: undefined, sealed: grant.sealed, senderBoxKey: sender }
    boxes = boxes.map((box) =>
      box.epoch === grant.epoch ? { ...box, wraps: new Map(box.wraps).set(name, wrap) } : box,
    )
  }
  return { ...facts, boxes, devices: new Map(facts.devices).set(name, admitted(device, entry.signer, rank)) }
}

function vouch(facts: Facts, entry: SignedEntry, body: BodyOf<'vouch'>, rank: number): Facts {
  const device = liveDevice(facts, entry, body.device)
  if (!device.probation) throw broken(entry, 'the device is not on probation')
  if (rank >= (device.rank ?? Number.MAX_SAFE_INTEGER)) throw broken(entry, 'only an older key vouches')
  return { ...facts, devices: new Map(facts.devices).set(toHex(device.key), { ...device, probation: false }) }
}

function revokeDevice(facts: Facts, entry: SignedEntry, body: BodyOf<'revokeDevice'>): Facts {
  const device = liveDevice(facts, entry, body.device)
  const name = toHex(device.key)
  const numbers = new Map(body.numbers.map((of) => [toHex(of.owner), of]))
  const devices = new Map(facts.devices).set(name, { ...device, revoked: { by: entry.signer, numbers } })
  const after = { ...facts, devices }
  // Otherwise nobody could ever extend the log, not even to revoke the next key.
  if (
    facts.recovery === undefined &&
    [...devices.values()].every((of) => rankOfKey(after, of.key) === undefined)
  ) {
    throw broken(entry, 'the last owner stays until there is a recovery key')
  }
  if (body.box === undefined) {
    if (facts.boxes.at(-1)?.wraps.has(name) !== true) return after
    throw broken(entry, 'a device that can read is shut out by a new epoch')
  }
  // Who revokes itself wraps the next secret all the same, with the key that it had.
  return withBox(after, entry, body.box, senderBoxKey(facts, entry))
}

/**
 * New recovery words. Any key with a rank may name them; whoever holds the former words can still take that back, by a
 * branch from before it that outranks all others, unless the rotation is signed by those words themselves.
 */
function rotate(facts: Facts, entry: SignedEntry, body: BodyOf<'rotate'>): Facts {
  const { recovery, box } = body
  if (recovery === undefined) throw broken(entry, 'it names no recovery key; a new epoch alone is an epoch')
  if (isKnown(facts, recovery.key)) throw broken(entry, 'a recovery key is new, and no device')
  if (box === undefined) throw broken(entry, 'a new recovery key comes with an epoch that it can open')
  return withBox({ ...facts, recovery }, entry, box, senderBoxKey(facts, entry))
}

function withBox(facts: Facts, entry: SignedEntry, box: BodyOf<'epoch'>['box'], sender: Uint8Array): Facts {
  const recoveryName = facts.recovery === undefined ? undefined : toHex(facts.recovery.key)
  for (const { recipient, recipientBox } of box.wraps) {
    const name = toHex(recipient)
    const device = facts.devices.get(name)
    if (name !== recoveryName && (device === undefined || device.revoked !== undefined)) {
      throw broken(entry, 'a box secret goes to devices of the identity alone')
    }
    if (recipientBox !== undefined) throw broken(entry, 'a device opens it by its own key')
  }
  const next = nextBox(facts, entry, box, sender)
  if (recoveryName !== undefined && !next.wraps.has(recoveryName)) {
    throw broken(entry, 'every box secret goes to the recovery key too')
  }
  return { ...facts, boxes: [...facts.boxes, next] }
}

function isKnown(facts: Facts, key: Uint8Array): boolean {
  return (
    facts.devices.has(toHex(key)) || (facts.recovery !== undefined && equalBytes(facts.recovery.key, key))
  )
}

function senderBoxKey(facts: Facts, entry: SignedEntry): Uint8Array {
  const { recovery } = facts
  if (recovery !== undefined && equalBytes(recovery.key, entry.signer)) return recovery.boxKey
  return liveDevice(facts, entry, entry.signer).boxKey
}

function liveDevice(facts: Facts, entry: SignedEntry, key: Uint8Array): DeviceState {
  const device = facts.devices.get(toHex(key))
  if (device === undefined) throw broken(entry, 'no such device')
  if (device.revoked !== undefined) throw broken(entry, 'the device is revoked already')
  return device
}

function admitted(device: Admission, addedBy: Uint8Array, rank: number | undefined): DeviceState {
  return { ...device, addedBy, rank, revoked: undefined }
}
