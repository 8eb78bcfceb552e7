/** How long a log may be, and what goes where it is longer: branches that lost, never what holds or what that follows. */
import { toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { IdentityState, SignedEntry } from './types.ts'

/**
 * The entries that a log keeps: all of them within the bounds, else those that hold, those that the next entry is to
 * follow, and what these follow. So whoever once had a rank fills no log by forks, as they lose and nothing follows
 * them. TOO_LARGE where what is needed alone is too much.
 */
export function fitting(state: IdentityState): readonly SignedEntry[] {
  const { type } = state
  if (areWithinBounds(type, state.entries)) return state.entries
  const needed = neededIn(state)
  const kept = state.entries.filter(({ hash }) => needed.has(toHex(hash)))
  if (areWithinBounds(type, kept)) return kept
  throw new OnehopError('TOO_LARGE', 'the identity log is longer than allowed')
}

/** In hex. */
function neededIn({ entries, dropped, next }: IdentityState): Set<string> {
  const needed = new Set(next.map(toHex))
  // Parents come first: from the end, each is known to be needed before it is looked at.
  for (const { hash, previous } of entries.toReversed()) {
    const name = toHex(hash)
    if (!dropped.has(name)) needed.add(name)
    if (needed.has(name)) for (const parent of previous) needed.add(toHex(parent))
  }
  return needed
}

function areWithinBounds(type: IdentityState['type'], entries: readonly SignedEntry[]): boolean {
  // On the wire, without the few bytes of heads.
  const bytes = entries.reduce(
    (sum, entry) => sum + entry.bytes.length + 64 + (entry.possession?.length ?? 0) + 9,
    3,
  )
  const bytesMax = type === 'person' ? limits.personLogBytesMax : limits.identityLogBytesMax
  return entries.length <= limits.identityEntriesMax && bytes <= bytesMax
}
