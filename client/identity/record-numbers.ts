import type { ReplyOf } from '../../protocol/api/operations.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import type { CallOptions, Transport } from '../transport.ts'

/** A million and more: a node could go on for ever. */
const numbersMax = 2 ** 20

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
    // A node that gave the same page for ever would be asked for ever, and what it repeats would be named twice.
    for (const { number } of numbers) {
      if (number <= after) throw disordered(`number ${number} after ${after}`)
      after = number
    }
    list.push(...numbers)
    if (list.length > numbersMax) throw disordered(`more than ${numbersMax} records`)
    if (!more) return list
    // Taken for the end, it would leave out what the person means to keep.
    if (numbers.length === 0) throw disordered('that there is more, and nothing of it')
  }
}

function disordered(said: string): OnehopError {
  return new OnehopError('BAD_MESSAGE', `the node lists what a device wrote out of order: ${said}`, {
    help: 'Ask another node that holds the shard; this one is broken, or lies.',
  })
}
