/**
 * Another key for an install whose key used a number twice: it was cloned, or came back from a backup and wrote before
 * it reached a node. Nodes take nothing more of such a key from clients (EQUIVOCATION). What it wrote stays.
 */
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { provePossession } from '../../protocol/identity/make.ts'
import type { DeviceState } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { toldOf } from './changes.ts'
import type { Identity } from './identity.ts'
import { keyNames } from '../key-store.ts'
import { heldOf, nextDevice, onlyOnehopErrors, resigned, waitingOf, type NextKeyParts } from './next-key.ts'
import { requireOwnKey } from './own-key.ts'

export interface RenewalParts extends NextKeyParts {
  readonly identity: Identity
  /** Fetches a group's log, which says how to open what is sealed for it. */
  readonly learn: (group: IdentityId) => Promise<unknown>
  /** Tells a node what the log says now. */
  readonly publish: () => Promise<void>
  /** Sends no record any more. */
  readonly stop: () => Promise<void>
}

export interface RenewalOptions {
  /** Nodes take what the key signs, and it is to be another all the same. */
  readonly force?: boolean | undefined
  /** Gives up what waits and cannot be opened here, as it was sealed for a group that this person was put out of. */
  readonly leaveSealed?: boolean | undefined
}

export interface Renewed {
  readonly device: Uint8Array
  /** Records that waited for a node, signed anew. */
  readonly records: number
  /** Records that waited and were given up. */
  readonly left: number
}

/** The old key admits the new one, which takes its place on this device; the old one is forgotten here. */
export async function renewDevice(parts: RenewalParts, options: RenewalOptions = {}): Promise<Renewed> {
  const { keys, identity } = parts
  const known = identity.state.devices.get(toHex(identity.device.key))
  if (identity.role !== 'owner' || known === undefined)
    throw new OnehopError('FORBIDDEN', 'this device admits no other, not even in its own place', {
      help: "Pair it anew, or have an owner's device admit it under a new key.",
    })
  // In one tab after the other: the second finds it done.
  return keys.lock(keyNames.nextSeed, async () => {
    await requireOwnKey(keys, identity.device.seed)
    return replaceKey(parts, known, options)
  })
}

async function replaceKey(
  parts: RenewalParts,
  known: DeviceState,
  options: RenewalOptions,
): Promise<Renewed> {
  const { keys, crypto, identity } = parts
  // A node may have what it was just sent, and not have said so: that is not signed a second time.
  await parts.stop()
  await learnGroups(parts)
  const held = await heldOf(parts)
  const device = await nextDevice(parts)
  // Before anything is told: what waits has to be opened here, or it could not be signed anew.
  await resigned(parts, device, held, options)
  if (!identity.state.devices.has(toHex(device.key)))
    await identity.admit({
      key: device.key,
      boxKey: device.boxKey,
      role: 'owner',
      possession: provePossession(crypto, identity.id, device),
      readsPrivate: identity.box() !== undefined,
      probation: known.probation,
    })
  // First: a device that no node knows could write nothing.
  await parts.publish()
  return keys.lock(keyNames.writer, async () => {
    const { changes, records, left } = await resigned(parts, device, held, options)
    changes.set(keyNames.identityLog, encodeLog(identity.state.entries))
    // What this device did itself is no news to it.
    changes.set(keyNames.told, toldOf(identity.state))
    await keys.write(changes)
    return { device: device.key, records, left }
  })
}

async function learnGroups(parts: RenewalParts): Promise<void> {
  const groups = new Map<string, IdentityId>()
  for (const { record } of await waitingOf(parts))
    for (const { audience } of record.header.sections)
      if (typeof audience === 'object') groups.set(toHex(audience.group), audience.group)
  // Where nobody tells of it, what is sealed for it cannot be opened: that is said there.
  for (const group of groups.values()) await parts.learn(group).catch(onlyOnehopErrors)
}
