import type { ReplyOf } from '../protocol/api/operations.ts'
import type { DeviceKey, IdentityId } from '../protocol/record/types.ts'
import type { CallOptions, Transport } from './transport.ts'

export type NumberedRecord = ReplyOf<'record.numbers'>['numbers'][number]

/** What a device wrote in a shard, in order, as far as the node that is asked has heard. */
export async function recordNumbers(
  transport: Pick<Transport, 'call'>,
  of: { readonly owner: IdentityId; readonly device: DeviceKey; readonly after?: number | undefined },
  options: CallOptions = {},
): Promise<readonly NumberedRecord[]> {
  const { owner, device } = of
  const list: NumberedRecord[] = []
  for (let after = of.after ?? 0; ; ) {
    const { numbers, more } = await transport.call('record.numbers', { owner, device, after }, options)
    list.push(...numbers)
    const last = numbers.at(-1)?.number
    // A node that gives the same page for ever would be asked for ever.
    if (!more || last === undefined || last <= after) return list
    after = last
  }
}
