import type { Identity } from './identity/identity.ts'
import { clientLimits } from './limits.ts'
import type { CallOptions, Transport } from './transport.ts'
import type { Writer } from './writer.ts'

/**
 * Asks the node which numbers this device has used in its person's shard, so that an install that was restored from a
 * backup does not use them again. A node may lie: what it can do by that is leave numbers out, within bounds.
 */
export async function catchUp(
  transport: Pick<Transport, 'call'>,
  { id: owner, device: { key: device } }: Identity,
  writer: Writer,
  options: CallOptions = {},
): Promise<void> {
  const known = await writer.lastNumber(owner)
  let last = known
  for (let pages = 0; pages < clientLimits.catchUpPagesMax; pages++) {
    const { numbers, more } = await transport.call('record.numbers', { owner, device, after: last }, options)
    const next = numbers.at(-1)?.number
    if (next === undefined || next <= last) break
    last = next
    if (!more) break
  }
  if (last > known && last - known <= clientLimits.catchUpMax) await writer.goOnAfter(owner, last)
}
