/**
 * Another key for an install whose key used a number twice: it was cloned, or came back from a backup and wrote before
 * it reached a node. Nodes take nothing more of such a key from clients (EQUIVOCATION). What it wrote stays.
 */
import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { encodeLog } from '../protocol/identity/entry.ts'
import { deviceFromSeed, provePossession } from '../protocol/identity/make.ts'
import type { DeviceSecrets } from '../protocol/identity/types.ts'
import { openSection } from '../protocol/record/section.ts'
import { signRecord } from '../protocol/record/sign.ts'
import type { DraftSection, SignedRecord } from '../protocol/record/types.ts'
import { decodeRecord, encodeRecord } from '../protocol/record/wire.ts'
import { toldOf } from './changes.ts'
import type { Identity } from './identity.ts'
import { keyNames, type KeyStore } from './key-store.ts'
import { outboxName } from './outbox-entry.ts'
import type { Sealing } from './sealing.ts'
import { readWriterState, writerState } from './writer-state.ts'

export interface RenewalParts {
  readonly keys: KeyStore
  readonly crypto: CryptoProvider
  readonly identity: Identity
  readonly sealing: Pick<Sealing, 'keyFor'>
  /** Fetches a group's log, which says how to open what is sealed for it. */
  readonly learn: (group: Uint8Array) => Promise<unknown>
  /** Tells a node what the log says now. */
  readonly publish: () => Promise<void>
  /** Sends nothing more: from here on the old key signs no record. */
  readonly close: () => Promise<void>
}

export interface Renewed {
  readonly device: Uint8Array
  /** Records that waited for a node, signed anew. */
  readonly records: number
}

/** The old key admits the new one, which takes its place on this device; the old one is forgotten here. */
export async function renewDevice(parts: RenewalParts): Promise<Renewed> {
  const { keys, crypto, identity } = parts
  const known = identity.state.devices.get(toHex(identity.device.key))
  if (identity.role !== 'owner' || known === undefined)
    throw new OnehopError('FORBIDDEN', 'this device admits no other, not even in its own place', {
      help: "Pair it anew, or have an owner's device admit it under a new key.",
    })
  const device = deviceFromSeed(crypto, crypto.random(32))
  // Before anything is told: what waits has to be opened here, or it could not be signed anew.
  await learnGroups(parts)
  await resigned(parts, device)
  await identity.admit({
    key: device.key,
    boxKey: device.boxKey,
    role: 'owner',
    possession: provePossession(crypto, identity.id, device),
    readsPrivate: identity.box() !== undefined,
    probation: known.probation,
  })
  // First: a device that no node knows could write nothing. Should this end here, a key is admitted that nobody has.
  await parts.publish()
  await parts.close()
  return keys.lock(keyNames.writer, async () => {
    const changes = await resigned(parts, device)
    const records = changes.size
    changes.set(keyNames.deviceSeed, device.seed)
    changes.set(keyNames.identityLog, encodeLog(identity.state.entries))
    // What this device did itself is no news to it.
    changes.set(keyNames.told, toldOf(identity.state))
    await keys.write(changes)
    return { device: device.key, records: (records - 1) / 2 }
  })
}

/** What waits, under the new key, and how far that has counted. In one step with the key: no number of it is used twice. */
async function resigned(
  { keys, crypto, identity, sealing }: RenewalParts,
  device: DeviceSecrets,
): Promise<Map<string, Uint8Array | undefined>> {
  const state = await readWriterState(keys)
  const numbers = new Map<string, { readonly owner: Uint8Array; readonly last: number }>()
  const changes = new Map<string, Uint8Array | undefined>()
  /** Edits and deletes of what waits name it by an id that changes with the key. */
  const ids = new Map<string, Uint8Array>()
  for (const name of await keys.list(keyNames.outbox)) {
    const bytes = await keys.get(name)
    if (bytes === undefined) continue
    const record = decodeRecord(crypto, bytes)
    const { header } = record
    if (!equalBytes(header.device, identity.device.key)) continue
    const owner = toHex(header.owner)
    const number = (numbers.get(owner)?.last ?? 0) + 1
    numbers.set(owner, { owner: header.owner, last: number })
    // Dated as it was: what another device wrote since is newer and stays so.
    const next = signRecord(
      crypto,
      {
        ...header,
        key: ids.get(toHex(header.key)) ?? header.key,
        number,
        sections: header.sections.map((_, index) => openedSection(crypto, record, index, sealing)),
      },
      device.seed,
    )
    ids.set(toHex(record.id), next.id)
    changes.set(name, undefined)
    changes.set(outboxName(next), encodeRecord(next))
  }
  changes.set(keyNames.writer, writerState(state.clock, numbers.values()))
  return changes
}

async function learnGroups({ keys, crypto, learn }: RenewalParts): Promise<void> {
  for (const name of await keys.list(keyNames.outbox)) {
    const bytes = await keys.get(name)
    if (bytes === undefined) continue
    for (const { audience } of decodeRecord(crypto, bytes).header.sections)
      if (typeof audience === 'object') await learn(audience.group)
  }
}

/** A seal is bound to the key that signs: it is opened and made anew. */
function openedSection(
  crypto: CryptoProvider,
  record: SignedRecord,
  index: number,
  sealing: Pick<Sealing, 'keyFor'>,
): DraftSection {
  const { header } = record
  const { audience, heights, epoch } = header.sections[index] as (typeof header.sections)[number]
  const key = epoch === 0 ? undefined : sealing.keyFor(header, index)
  const fields = openSection(crypto, record, index, key)
  if (fields === undefined)
    throw new OnehopError('FORBIDDEN', 'what waits for a node cannot be opened here now, to be sealed anew', {
      help: 'Try again while a node can be reached.',
    })
  return key === undefined
    ? { audience, heights, fields }
    : { audience, heights, fields, sealing: { epoch, key } }
}
