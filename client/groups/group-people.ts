/** The logs of those who are in a group: asked for where they did not come with its own, and told with what is added to it. */
import type { RequestOf } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError, type OnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import type { IdentityState, People, SignedEntry } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Identities } from '../identity/identities.ts'
import type { CallOptions } from '../transport.ts'

/** Of a byte string. */
const headBytes = 5

/**
 * A node sends as many with the group's log as its answer has room for: the others are asked for one by one, also those that
 * were known before, who may have revoked a device since. `identities`: from a node that holds the group. Nobody has to be found; answers what
 * was in the way of asking, if something was.
 */
export async function meetMembers(
  identities: Identities,
  group: IdentityState,
  self: IdentityId,
  options: CallOptions,
): Promise<OnehopError | undefined> {
  const known = identities.broughtWith(group.id).add(toHex(self))
  const others = [...group.members].flatMap(([name, { identity }]) => (known.has(name) ? [] : [identity]))
  try {
    await identities.gather(others, options, 'again')
    return undefined
  } catch (cause) {
    if (options.signal?.aborted === true) throw cause
    return asOnehopError(cause)
  }
}

/** What proves who signed: the logs of the authors, and of other members as far as one message has room. */
export function toldWith(
  group: IdentityState,
  entries: readonly SignedEntry[],
  people: People,
): Pick<RequestOf<'identity.append'>, 'identity' | 'log'> & { readonly people: Uint8Array[] } {
  const log = encodeLog(entries)
  const ids = [
    ...entries.flatMap(({ author }) => author ?? []),
    ...[...group.members.values()].map(({ identity }) => identity),
  ]
  const logs = new Map<string, Uint8Array>()
  let room = limits.answerBytesMax - log.length
  for (const id of ids) {
    const name = toHex(id)
    const person = logs.has(name) ? undefined : people(id)
    const one = person && encodeLog(person.entries)
    if (one === undefined || one.length + headBytes > room) continue
    logs.set(name, one)
    room -= one.length + headBytes
  }
  return { identity: group.id, log, people: [...logs.values()] }
}
