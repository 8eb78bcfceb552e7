/** What a device wrote, and where: the part of its doing that goes on counting once it is revoked has to be named. */
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { numberListHash } from '../../protocol/identity/make.ts'
import type { RevokedNumbers } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { clockMs } from '../../protocol/record/clock.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import { askEach } from '../groups/ask-each.ts'
import type { Unrenewed } from '../groups/group-epochs.ts'
import type { OwnGroup } from '../groups/own-groups.ts'
import { recordNumbers, type NumberedRecord } from './record-numbers.ts'
import type { CallOptions, Transport } from '../transport.ts'

/** A device's doing in a group, by a node that holds it. */
export interface WrittenInGroup {
  readonly list: readonly NumberedRecord[]
  /** Of the group's log, signed by the device, the last that counts. */
  readonly lastEntry: Uint8Array | undefined
}

/** Those that a person is in, wherever they live. */
export interface GroupsOfPerson {
  /** Which the person founded or opened. */
  noted(options: CallOptions): Promise<readonly OwnGroup[]>
  /** Undefined where they are no member, or not any more. */
  writtenBy(group: IdentityId, device: DeviceKey, options: CallOptions): Promise<WrittenInGroup | undefined>
  renewAll(groups: readonly IdentityId[], options: CallOptions): Promise<readonly Unrenewed[]>
}

export interface NamedRequest {
  /** To a node that hosts the person, by the administrator or a session of an owner's device. */
  readonly transport: Pick<Transport, 'call'>
  readonly owner: IdentityId
  readonly device: DeviceKey
  readonly crypto: CryptoProvider
  /** Unix milliseconds. What the device dated later, and what it numbered after that, is not named: somebody else may have had it. */
  readonly since?: number | undefined
  readonly groups?: GroupsOfPerson | undefined
  readonly options?: CallOptions | undefined
}

export interface Unheld {
  readonly group: IdentityId
  readonly error: OnehopError
  /** Nobody has to agree to be put into a group: of those that the person never opened there is nothing to lose. */
  readonly isOwn: boolean
}

export interface Named {
  /** The person's own shard first, then groups in which the device wrote or whose log it signed. */
  readonly numbers: readonly RevokedNumbers[]
  /** How many records they are, and how many of the device's are left out. */
  readonly records: number
  readonly left: number
  /** Groups of which nobody who holds them could be asked: what the device wrote there will not count. */
  readonly unheld: readonly Unheld[]
  /** There are more groups than an entry can name. */
  readonly isCut: boolean
  /** Why it cannot be told which groups the person founded or opened, as when a stolen device left this one without the key. */
  readonly unread: OnehopError | undefined
}

/** As far as nodes have heard: what they have not seen yet will not count. */
export async function nameWritten({
  transport,
  owner,
  device,
  crypto,
  since = Infinity,
  groups,
  options = {},
}: NamedRequest): Promise<Named> {
  const { shards, more } = await transport.call('record.shards', { owner, device }, options)
  const heard = new Map(shards.map((shard) => [toHex(shard.owner), shard]))
  const own = await readNoted(groups, options)
  const noted = new Set(own.groups.map(({ group }) => toHex(group)))
  // An entry names so many: groups that a thief founds with the device come after those that were there before.
  const known = new Map([
    ...shards.slice(0, 1).map((shard) => [toHex(shard.owner), shard] as const),
    ...own.groups.map(({ group }) => {
      const name = toHex(group)
      return [name, heard.get(name) ?? { owner: group, held: false, lastEntry: null }] as const
    }),
    ...heard,
  ])
  const numbers: RevokedNumbers[] = []
  const unheld: Unheld[] = []
  let [records, left] = [0, 0]
  const isOwn = (group: IdentityId): boolean =>
    noted.has(toHex(group)) || known.get(toHex(group))?.lastEntry !== null
  const away = [...known.values()].flatMap(({ owner: group, held }) => (held ? [] : [group]))
  const asked = await askAll(groups, away, isOwn, device, options)
  for (const { owner: shard, held, lastEntry } of known.values()) {
    const written = held
      ? {
          list: await recordNumbers(transport, { owner: shard, device }, options),
          lastEntry: lastEntry ?? undefined,
        }
      : asked.get(toHex(shard))
    if (written === undefined) continue
    if (written instanceof OnehopError) {
      unheld.push({ group: shard, error: written, isOwn: isOwn(shard) })
      // What it signed there is known all the same.
      if (lastEntry === null) continue
    }
    const all = written instanceof OnehopError ? [] : written.list
    const last = written instanceof OnehopError ? (lastEntry ?? undefined) : written.lastEntry
    if (all.length === 0 && last === undefined && shard !== shards[0]?.owner) continue
    const list = until(all, since)
    records += list.length
    left += all.length - list.length
    numbers.push({
      owner: shard,
      lastNumber: list.at(-1)?.number ?? 0,
      listHash: numberListHash(crypto, shard, device, list),
      lastEntry: last,
    })
  }
  const fitting = numbers.slice(0, limits.identityRevokedListsMax)
  return {
    numbers: fitting,
    records,
    left,
    unheld,
    isCut: more || fitting.length < numbers.length,
    unread: own.error,
  }
}

/** What cannot be read is told, and does not keep anybody from shutting a thief out. */
export async function readNoted(
  groups: Pick<GroupsOfPerson, 'noted'> | undefined,
  options: CallOptions,
): Promise<{
  readonly groups: readonly OwnGroup[]
  readonly error: OnehopError | undefined
}> {
  try {
    return { groups: (await groups?.noted(options)) ?? [], error: undefined }
  } catch (cause) {
    if (!(cause instanceof OnehopError) || options.signal?.aborted === true) throw cause
    return { groups: [], error: cause }
  }
}

/** What is lost where it is not asked first, and by itself: anybody may have put the person into any number of others. */
async function askAll(
  groups: GroupsOfPerson | undefined,
  away: readonly IdentityId[],
  isOwn: (group: IdentityId) => boolean,
  device: DeviceKey,
  options: CallOptions,
): Promise<Map<string, WrittenInGroup | OnehopError | undefined>> {
  const ask = async (group: IdentityId): Promise<WrittenInGroup | undefined> => {
    if (groups === undefined) throw new OnehopError('NOT_HOSTED', 'the node knows it and does not hold it')
    return groups.writtenBy(group, device, options)
  }
  const own = await askEach(away.filter(isOwn), ask, options)
  const others = await askEach(
    away.filter((group) => !isOwn(group)),
    ask,
    options,
  )
  return new Map([...own, ...others])
}

/**
 * Up to the first that was dated then or later, or before the one that it follows, as no device dates its own: a thief can
 * date things back, and not number them below what was written before.
 */
function until(all: readonly NumberedRecord[], since: number): readonly NumberedRecord[] {
  if (since === Infinity) return all
  const first = all.findIndex(
    ({ clock }, i) => clockMs(clock) >= since || clock <= (all[i - 1]?.clock ?? -1n),
  )
  return first < 0 ? all : all.slice(0, first)
}
