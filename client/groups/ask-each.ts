/** Something about each of a person's groups, of nodes that may have to be looked for. */
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { CallOptions } from '../transport.ts'

const atOnce = 8
const failuresMax = 32

/**
 * The answers by group in hex, or why there is none. A stolen device may have noted any number of groups that nobody has, and each
 * takes seconds to be looked for: after so many that failed no more are asked, or whoever shuts it out would wait for hours.
 */
export async function askEach<T>(
  groups: readonly IdentityId[],
  ask: (group: IdentityId) => Promise<T>,
  { signal }: Pick<CallOptions, 'signal'> = {},
): Promise<Map<string, T | OnehopError>> {
  const found = new Map<string, T | OnehopError>()
  const queue = [...groups]
  let failures = 0
  const worker = async (): Promise<void> => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      if (failures >= failuresMax) {
        found.set(
          toHex(group),
          new OnehopError('TIMEOUT', `it was not asked for, as ${failures} others failed`),
        )
        continue
      }
      try {
        found.set(toHex(group), await ask(group))
      } catch (cause) {
        if (!(cause instanceof OnehopError) || signal?.aborted === true) throw cause
        failures++
        found.set(toHex(group), cause)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return found
}
