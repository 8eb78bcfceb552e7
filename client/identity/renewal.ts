/**
 * Another key for an install whose key used a number twice: it was cloned, or came back from a backup and wrote before
 * it reached a node. Nodes take nothing more of such a key from clients (EQUIVOCATION). What it wrote stays.
 */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import type { DeviceSecrets, DeviceState } from '../../protocol/identity/types.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { DraftSection, IdentityId, RecordId, SignedRecord } from '../../protocol/record/types.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { toldOf } from './changes.ts'
import type { Identity } from './identity.ts'
import { keyNames, type KeyStore } from '../key-store.ts'
import { outboxName } from '../outbox-entry.ts'
import { requireOwnKey } from './own-key.ts'
import type { Sealing } from '../sealing.ts'
import { readWriterState, writerState, type LastNumber } from '../writer-state.ts'

export interface RenewalParts {
  readonly keys: KeyStore
  readonly crypto: CryptoProvider
  readonly identity: Identity
  readonly sealing: Pick<Sealing, 'open'>
  /** Fetches a group's log, which says how to open what is sealed for it. */
  readonly learn: (group: IdentityId) => Promise<unknown>
  /** Records of the old key after this number that nodes have in the shard. */
  readonly heldAfter: (owner: IdentityId, number: number) => Promise<readonly RecordId[]>
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

/** What waits, in the order written. */
type Waiting = readonly { readonly name: string; readonly record: SignedRecord }[]

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
    changes.set(keyNames.deviceSeed, device.seed)
    changes.set(keyNames.nextSeed, undefined)
    changes.set(keyNames.identityLog, encodeLog(identity.state.entries))
    // What this device did itself is no news to it.
    changes.set(keyNames.told, toldOf(identity.state))
    await keys.write(changes)
    return { device: device.key, records, left }
  })
}

/** The same one after a crash: what was admitted then would be a key that nobody has. */
async function nextDevice({ keys, crypto, identity }: RenewalParts): Promise<DeviceSecrets> {
  const kept = await keys.get(keyNames.nextSeed)
  if (kept !== undefined) {
    const device = deviceFromSeed(crypto, kept)
    if (identity.state.devices.get(toHex(device.key))?.revoked === undefined) return device
  }
  const seed = crypto.random(32)
  await keys.write(new Map([[keyNames.nextSeed, seed]]))
  return deviceFromSeed(crypto, seed)
}

/** What waits, under the new key, and how far that has counted. In one step with the key: no number of it is used twice. */
async function resigned(
  parts: RenewalParts,
  device: DeviceSecrets,
  held: ReadonlySet<string>,
  { leaveSealed = false }: RenewalOptions,
): Promise<{
  readonly changes: Map<string, Uint8Array | undefined>
  readonly records: number
  readonly left: number
}> {
  const { keys, crypto, sealing } = parts
  const state = await readWriterState(keys)
  const numbers = new Map<string, LastNumber>()
  const changes = new Map<string, Uint8Array | undefined>()
  /** Edits and deletes of what waits name it by an id that changes with the key. */
  const ids = new Map<string, Uint8Array>()
  let left = 0
  for (const { name, record } of await waitingOf(parts)) {
    const { header } = record
    changes.set(name, undefined)
    if (held.has(toHex(record.id))) continue
    const sections = openedSections(record, sealing)
    if (sections === undefined) {
      if (!leaveSealed) throw sealedOff()
      left++
      continue
    }
    const owner = toHex(header.owner)
    const number = (numbers.get(owner)?.last ?? 0) + 1
    numbers.set(owner, { owner: header.owner, last: number })
    // Dated as it was: what another device wrote since is newer and stays so.
    const key = ids.get(toHex(header.key)) ?? header.key
    const next = signRecord(crypto, { ...header, key, number, sections }, device.seed)
    ids.set(toHex(record.id), next.id)
    changes.set(outboxName(next), encodeRecord(next))
  }
  changes.set(keyNames.writer, writerState(state.clock, numbers.values()))
  return { changes, records: ids.size, left }
}

async function waitingOf({ keys, crypto, identity }: RenewalParts): Promise<Waiting> {
  const waiting: { name: string; record: SignedRecord }[] = []
  for (const name of await keys.list(keyNames.outbox)) {
    const bytes = await keys.get(name)
    const record = bytes && decodeRecord(crypto, bytes)
    if (record !== undefined && equalBytes(record.header.device, identity.device.key))
      waiting.push({ name, record })
  }
  return waiting
}

async function learnGroups(parts: RenewalParts): Promise<void> {
  const groups = new Map<string, IdentityId>()
  for (const { record } of await waitingOf(parts))
    for (const { audience } of record.header.sections)
      if (typeof audience === 'object') groups.set(toHex(audience.group), audience.group)
  // Where nobody tells of it, what is sealed for it cannot be opened: that is said there.
  for (const group of groups.values()) await parts.learn(group).catch(onlyOnehopErrors)
}

/** Ids of what waits here and lies at nodes already. Those that do not answer now are as if they had nothing. */
async function heldOf(parts: RenewalParts): Promise<ReadonlySet<string>> {
  const firsts = new Map<string, { readonly owner: IdentityId; readonly number: number }>()
  for (const { record } of await waitingOf(parts)) {
    const { owner, number } = record.header
    const first = firsts.get(toHex(owner))
    if (first === undefined || first.number > number) firsts.set(toHex(owner), { owner, number })
  }
  const held = new Set<string>()
  for (const { owner, number } of firsts.values()) {
    const ids = await parts.heldAfter(owner, number - 1).catch(onlyOnehopErrors)
    for (const id of ids ?? []) held.add(toHex(id))
  }
  return held
}

/** A seal is bound to the key that signs: it is opened and made anew. Undefined where that cannot be done here. */
function openedSections(record: SignedRecord, sealing: Pick<Sealing, 'open'>): DraftSection[] | undefined {
  const { header } = record
  const opened: DraftSection[] = []
  for (const [index, { audience, heights, epoch }] of header.sections.entries()) {
    const found = sealing.open(record, index)
    if (found === undefined) return undefined
    const { fields, key } = found
    opened.push({ audience, heights, fields, ...(key && { sealing: { epoch, key } }) })
  }
  return opened
}

function sealedOff(): OnehopError {
  return new OnehopError(
    'FORBIDDEN',
    'something that waits for a node cannot be opened here now, to be sealed anew',
    {
      help: 'Try again while a node can be reached, or give it up: leaveSealed, onehop devices renew --leave-sealed.',
    },
  )
}

function onlyOnehopErrors(cause: unknown): undefined {
  if (!(cause instanceof OnehopError)) throw cause
}
