/** What of a device goes on counting when it is revoked: in the shard of an owner that is not named nothing does. */
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { numberListHash } from '../protocol/identity/make.ts'
import type { RevokedNumbers } from '../protocol/identity/types.ts'
import type { DeviceKey, IdentityId, RecordId } from '../protocol/record/types.ts'
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
    const list = held ? await listNumbers(transport, shard, device, options) : []
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

async function listNumbers(
  transport: Pick<Transport, 'call'>,
  owner: IdentityId,
  device: DeviceKey,
  options: CallOptions,
): Promise<readonly { readonly number: number; readonly id: RecordId }[]> {
  const list: { readonly number: number; readonly id: RecordId }[] = []
  for (let more = true; more; ) {
    const after = list.at(-1)?.number ?? 0
    const page = await transport.call('record.numbers', { owner, device, after }, options)
    list.push(...page.numbers)
    more = page.more && page.numbers.length > 0
  }
  return list
}
