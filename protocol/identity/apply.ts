/**
 * The rules of one entry: given what the entries before it say, is it allowed, and what holds after it? Signatures
 * are checked elsewhere. Whether an entry is allowed depends on its own ancestors alone, so every machine agrees
 * on it, whatever else that machine has seen.
 */
import { equalBytes, toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Admission, Box, BoxState, DeviceState, EntryBody, IdentityState, SignedEntry } from './types.ts'

/** What a log says, without the log. */
export type Facts = Pick<IdentityState, 'id' | 'type' | 'recovery' | 'devices' | 'members' | 'boxes'>

type BodyOf<K extends EntryBody['kind']> = Extract<EntryBody, { kind: K }>

/** Where a key stands among those that may extend the log: recovery 0, then owners by admission. */
export function rankOf(facts: Facts, signer: Uint8Array): number | undefined {
  if (facts.recovery !== undefined && equalBytes(facts.recovery.key, signer)) return 0
  const device = facts.devices.get(toHex(signer))
  return device?.revoked === undefined ? device?.rank : undefined
}

export function applyGenesis(entry: SignedEntry): Facts {
  const { body } = entry
  if (body.kind !== 'genesisPerson') throw unsupported(entry)
  const { device, recovery } = body
  if (!equalBytes(device.key, entry.signer)) throw broken(entry, 'the first device signs its own admission')
  if (device.role !== 'owner' || device.probation) throw broken(entry, 'the first device is a full owner')
  if (entry.author !== undefined) throw broken(entry, "an author is named in a group's log alone")
  if (recovery !== undefined && equalBytes(recovery.key, device.key)) {
    throw broken(entry, 'the recovery key is kept apart from the device')
  }
  const facts: Facts = {
    id: entry.hash,
    type: 'person',
    recovery,
    devices: new Map([[toHex(device.key), admitted(device, entry.signer, 1)]]),
    members: new Map(),
    boxes: [],
  }
  return { ...facts, boxes: nextBox(facts, entry, body.box, device.boxKey) }
}

/** Throws BAD_IDENTITY, or UNSUPPORTED for kinds whose rules are not written yet. */
export function applyEntry(facts: Facts, entry: SignedEntry): Facts {
  const { body } = entry
  if (entry.identity === undefined || !equalBytes(entry.identity, facts.id)) {
    throw broken(entry, 'it belongs to another identity')
  }
  if (entry.author !== undefined) throw broken(entry, "an author is named in a group's log alone")
  const rank = rankOf(facts, entry.signer)
  if (rank === undefined) throw broken(entry, 'its signer may not extend the log')
  switch (body.kind) {
    case 'addDevice':
      return addDevice(facts, entry, body)
    case 'vouch':
      return vouch(facts, entry, body, rank)
    case 'revokeDevice':
      return revokeDevice(facts, entry, body)
    case 'epoch':
      if (body.authorHeads.length > 0) throw broken(entry, "an author is named in a group's log alone")
      return { ...facts, boxes: nextBox(facts, entry, body.box, senderBoxKey(facts, entry)) }
    default:
      throw unsupported(entry)
  }
}

function addDevice(facts: Facts, entry: SignedEntry, body: BodyOf<'addDevice'>): Facts {
  const { device } = body
  const name = toHex(device.key)
  if (
    facts.devices.has(name) ||
    (facts.recovery !== undefined && equalBytes(facts.recovery.key, device.key))
  ) {
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
    boxes = boxes.map((box) =>
      box.epoch === grant.epoch
        ? { ...box, wraps: new Map(box.wraps).set(name, { sealed: grant.sealed, senderBoxKey: sender }) }
        : box,
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
    [...devices.values()].every((of) => rankOf(after, of.key) === undefined)
  ) {
    throw broken(entry, 'the last owner stays until there is a recovery key')
  }
  if (body.box === undefined) {
    if (facts.boxes.at(-1)?.wraps.has(name) !== true) return after
    throw broken(entry, 'a device that can read is shut out by a new epoch')
  }
  return { ...after, boxes: nextBox(after, entry, body.box, senderBoxKey(facts, entry)) }
}

function nextBox(facts: Facts, entry: SignedEntry, box: Box, sender: Uint8Array): readonly BoxState[] {
  const epoch = (facts.boxes.at(-1)?.epoch ?? 0) + 1
  if (box.epoch !== epoch) throw broken(entry, `epoch ${epoch} expected`)
  const wraps = new Map<string, { sealed: Uint8Array; senderBoxKey: Uint8Array }>()
  const recoveryName = facts.recovery === undefined ? undefined : toHex(facts.recovery.key)
  for (const wrap of box.wraps) {
    const name = toHex(wrap.recipient)
    const device = facts.devices.get(name)
    if (name !== recoveryName && (device === undefined || device.revoked !== undefined)) {
      throw broken(entry, 'a box secret goes to devices of the identity alone')
    }
    if (wrap.recipientEpoch !== 0) throw broken(entry, 'the keys of devices have no epochs')
    wraps.set(name, { sealed: wrap.sealed, senderBoxKey: sender })
  }
  if (recoveryName !== undefined && !wraps.has(recoveryName)) {
    throw broken(entry, 'every box secret goes to the recovery key too')
  }
  return [...facts.boxes, { epoch, publicKey: box.publicKey, chain: box.chain, wraps }]
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

export function broken(entry: SignedEntry, message: string): OnehopError {
  return new OnehopError('BAD_IDENTITY', `entry ${toHex(entry.hash)} (${entry.body.kind}): ${message}`)
}

function unsupported(entry: SignedEntry): OnehopError {
  return new OnehopError('UNSUPPORTED', `entry ${toHex(entry.hash)}: ${entry.body.kind} is not supported yet`)
}
