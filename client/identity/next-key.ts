/** A device goes on under another key: that key, drawn once, and what waited for a node, signed anew by it. */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { DraftSection, IdentityId, RecordId, SignedRecord } from '../../protocol/record/types.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import type { Identity } from './identity.ts'
import { keyNames, type KeyStore } from '../key-store.ts'
import { outboxName } from '../outbox-entry.ts'
import type { Sealing } from '../sealing.ts'
import { readWriterState, writerState, type LastNumber } from '../writer-state.ts'

export interface NextKeyParts {
  readonly keys: KeyStore
  readonly crypto: CryptoProvider
  /** By the key that is given up. */
  readonly identity: Pick<Identity, 'device' | 'state'>
  readonly sealing: Pick<Sealing, 'open'>
  /** Records of the old key after this number that nodes have in the shard. */
  readonly heldAfter: (owner: IdentityId, number: number) => Promise<readonly RecordId[]>
}

/** What waits, in the order written. */
type Waiting = readonly { readonly name: string; readonly record: SignedRecord }[]

/** The same one after a crash: what was admitted then would be a key that nobody has. */
export async function nextDevice({
  keys,
  crypto,
  identity,
}: Pick<NextKeyParts, 'keys' | 'crypto' | 'identity'>): Promise<DeviceSecrets> {
  const kept = await keys.get(keyNames.nextSeed)
  if (kept !== undefined) {
    const device = deviceFromSeed(crypto, kept)
    if (identity.state.devices.get(toHex(device.key))?.revoked === undefined) return device
  }
  const seed = crypto.random(32)
  await keys.write(new Map([[keyNames.nextSeed, seed]]))
  return deviceFromSeed(crypto, seed)
}

/** What to keep with the new key, in one step, so that no number of it is used twice: what waits, signed by it, and how far that has counted. */
export async function resigned(
  parts: NextKeyParts,
  device: DeviceSecrets,
  held: ReadonlySet<string>,
  { leaveSealed = false }: { readonly leaveSealed?: boolean | undefined },
): Promise<{
  readonly changes: Map<string, Uint8Array | undefined>
  readonly records: number
  readonly left: number
}> {
  const { keys, crypto, sealing } = parts
  const state = await readWriterState(keys)
  const numbers = new Map<string, LastNumber>()
  const changes = new Map<string, Uint8Array | undefined>([
    [keyNames.deviceSeed, device.seed],
    [keyNames.nextSeed, undefined],
  ])
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

export async function waitingOf({
  keys,
  crypto,
  identity,
}: Pick<NextKeyParts, 'keys' | 'crypto' | 'identity'>): Promise<Waiting> {
  const waiting: { name: string; record: SignedRecord }[] = []
  for (const name of await keys.list(keyNames.outbox)) {
    const bytes = await keys.get(name)
    const record = bytes && decodeRecord(crypto, bytes)
    if (record !== undefined && equalBytes(record.header.device, identity.device.key))
      waiting.push({ name, record })
  }
  return waiting
}

/** Ids of what waits here and lies at nodes already. Those that do not answer now are as if they had nothing. */
export async function heldOf(parts: Omit<NextKeyParts, 'sealing'>): Promise<ReadonlySet<string>> {
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

export function onlyOnehopErrors(cause: unknown): undefined {
  if (!(cause instanceof OnehopError)) throw cause
}
