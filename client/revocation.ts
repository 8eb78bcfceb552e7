/** Revoking a device: its records up to now count, by number and by hash; nothing that it signs later does. */
import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { encodeLog } from '../protocol/identity/entry.ts'
import { numberListHash, revokeDevice } from '../protocol/identity/make.ts'
import type { RevokedNumbers } from '../protocol/identity/types.ts'
import { clockMs } from '../protocol/record/clock.ts'
import type { DeviceKey, IdentityId } from '../protocol/record/types.ts'
import { renewGroups, type Unrenewed } from './group-epochs.ts'
import type { Identities } from './identities.ts'
import type { Identity } from './identity.ts'
import { recordNumbers, type NumberedRecord } from './record-numbers.ts'
import { renewSets } from './standing-sets.ts'
import type { Unsigned } from './standing-sets.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface NamedRequest {
  /** To a node that hosts the person, by the administrator or a session of an owner's device. */
  readonly transport: Pick<Transport, 'call'>
  readonly owner: IdentityId
  readonly device: DeviceKey
  readonly crypto: CryptoProvider
  /** Unix milliseconds. What the device dated later, and what it numbered after that, is not named: somebody else may have had it. */
  readonly since?: number | undefined
  readonly options?: CallOptions | undefined
}

export interface Named {
  /** The person's own shard first, then groups in which the device wrote or whose log it signed. */
  readonly numbers: readonly RevokedNumbers[]
  /** How many records they are, and how many of the device's are left out. */
  readonly records: number
  readonly left: number
  /** Groups that the node knows and does not hold: what the device wrote there will not count. */
  readonly unheld: readonly IdentityId[]
  /** There are more groups than an entry can name. */
  readonly isCut: boolean
}

/** As far as the node has heard: what it has not seen yet will not count, nor what stands in groups that it does not know. */
export async function nameWritten({
  transport,
  owner,
  device,
  crypto,
  since = Infinity,
  options = {},
}: NamedRequest): Promise<Named> {
  const { shards, more } = await transport.call('record.shards', { owner, device }, options)
  const numbers: RevokedNumbers[] = []
  let records = 0
  let left = 0
  for (const { owner: shard, held, lastEntry } of shards) {
    if (!held && lastEntry === null) continue
    const all = held ? await recordNumbers(transport, { owner: shard, device }, options) : []
    const list = until(all, since)
    records += list.length
    left += all.length - list.length
    numbers.push({
      owner: shard,
      lastNumber: list.at(-1)?.number ?? 0,
      listHash: numberListHash(crypto, shard, device, list),
      lastEntry: lastEntry ?? undefined,
    })
  }
  return {
    numbers,
    records,
    left,
    unheld: shards.flatMap(({ owner: shard, held }) => (held ? [] : [shard])),
    isCut: more,
  }
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

export interface RevocationOptions {
  /** To a node that hosts the person, by the administrator or a session of an owner's device. */
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  /** What is known of others already. */
  readonly identities?: Identities | undefined
  readonly device: Uint8Array
  readonly since?: NamedRequest['since']
  readonly signal?: AbortSignal | undefined
}

export interface Revoked {
  /** It was before: nothing of it changed but what could not be done then. */
  readonly wasRevoked: boolean
  /** Records of the device that go on counting, in all shards that are named; the highest number of one's own. */
  readonly records: number
  readonly lastNumber: number
  /** Records of the device that count no more. */
  readonly left: number
  /** In how many groups. */
  readonly groups: number
  readonly unheld: Named['unheld']
  readonly isCut: boolean
  /** Shards whose holders the device had named, and that could not be named anew: newcomers do not find them. */
  readonly unsigned: readonly Unsigned[]
  /** Groups whose secret the device still opens: what is sealed for them can be read by it. */
  readonly unrenewed: readonly Unrenewed[]
}

/**
 * In the name of the person, by an owner's device; the node that is asked says what the device wrote. Once more for one that
 * is revoked already tries again what could not be signed.
 */
export async function revoke(options: RevocationOptions): Promise<Revoked> {
  const { call, crypto, identity, device, since, signal } = options
  const known = identity.state.devices.get(toHex(device))
  if (known === undefined) throw new OnehopError('NOT_FOUND', 'your identity has no such device')
  if (equalBytes(device, identity.device.key)) {
    throw new OnehopError('BAD_REQUEST', 'this is the device that you are using', {
      help: 'Revoke it from another owner device.',
    })
  }
  if (known.revoked !== undefined) {
    const lastNumber = known.revoked.numbers.get(toHex(identity.id))?.lastNumber ?? 0
    const groups = Math.max(0, known.revoked.numbers.size - 1)
    const unrenewed = await renewGroups(options)
    const unsigned = await renewSets(options)
    const nothing = { left: 0, unheld: [], isCut: false }
    return { wasRevoked: true, records: lastNumber, lastNumber, groups, ...nothing, unsigned, unrenewed }
  }
  const named = await nameWritten({
    transport: { call },
    owner: identity.id,
    device,
    crypto,
    since,
    options: { signal },
  })
  const { numbers, records } = named
  const lastNumber = numbers[0]?.lastNumber ?? 0
  const { entry } = revokeDevice(crypto, identity.state, identity.device, device, numbers)
  const log = encodeLog([...identity.state.entries, entry])
  // Kept when a node took it: what was refused, as of a device on probation, is not to be told with what comes next.
  await call('identity.append', { identity: identity.id, log }, { signal })
  await identity.learn(log)
  const unrenewed = await renewGroups(options)
  const unsigned = await renewSets(options)
  const { left, unheld, isCut } = named
  const written = { records, lastNumber, left, groups: numbers.length - 1 }
  return { wasRevoked: false, ...written, unheld, isCut, unsigned, unrenewed }
}
