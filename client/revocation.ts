/** Revoking a device: its records up to now count, by number and by hash; nothing that it signs later does. */
import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { encodeLog } from '../protocol/identity/entry.ts'
import { numberListHash, revokeDevice } from '../protocol/identity/make.ts'
import type { RevokedNumbers } from '../protocol/identity/types.ts'
import type { DeviceKey, IdentityId } from '../protocol/record/types.ts'
import { renewGroups, type Unrenewed } from './group-epochs.ts'
import type { Identity } from './identity.ts'
import { recordNumbers } from './record-numbers.ts'
import { renewSets } from './standing-sets.ts'
import type { Unsigned } from './standing-sets.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface NamedRequest {
  /** To a node that hosts the person, by the administrator or a session of an owner's device. */
  readonly transport: Pick<Transport, 'call'>
  readonly owner: IdentityId
  readonly device: DeviceKey
  readonly crypto: CryptoProvider
  readonly options?: CallOptions | undefined
}

export interface Named {
  /** The person's own shard first, then groups in which the device wrote or whose log it signed. */
  readonly numbers: readonly RevokedNumbers[]
  /** How many records they are. */
  readonly records: number
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
  options = {},
}: NamedRequest): Promise<Named> {
  const { shards, more } = await transport.call('record.shards', { owner, device }, options)
  const numbers: RevokedNumbers[] = []
  let records = 0
  for (const { owner: shard, held, lastEntry } of shards) {
    if (!held && lastEntry === null) continue
    const list = held ? await recordNumbers(transport, { owner: shard, device }, options) : []
    records += list.length
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
    unheld: shards.flatMap(({ owner: shard, held }) => (held ? [] : [shard])),
    isCut: more,
  }
}

export interface RevocationOptions {
  /** To a node that hosts the person, by the administrator or a session of an owner's device. */
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  readonly device: Uint8Array
  readonly signal?: AbortSignal | undefined
}

export interface Revoked {
  /** Records of the device that go on counting, in all shards that are named; the highest number of one's own. */
  readonly records: number
  readonly lastNumber: number
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
  const { call, crypto, identity, device, signal } = options
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
    return { records: lastNumber, lastNumber, groups, unheld: [], isCut: false, unsigned, unrenewed }
  }
  const named = await nameWritten({
    transport: { call },
    owner: identity.id,
    device,
    crypto,
    options: { signal },
  })
  const { numbers, records } = named
  const lastNumber = numbers[0]?.lastNumber ?? 0
  const { entry } = revokeDevice(crypto, identity.state, identity.device, device, numbers)
  await identity.learn(encodeLog([...identity.state.entries, entry]))
  await call('identity.append', { identity: identity.id, log: identity.log() }, { signal })
  const unrenewed = await renewGroups(options)
  const unsigned = await renewSets(options)
  const { unheld, isCut } = named
  return { records, lastNumber, groups: numbers.length - 1, unheld, isCut, unsigned, unrenewed }
}
