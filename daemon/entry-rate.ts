import { equalBytes, toHex } from '../protocol/bytes.ts'
import { decode, encode } from '../protocol/codec.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { IdentityState, SignedEntry } from '../protocol/identity/types.ts'
import { limits } from '../protocol/limits.ts'
import type { Clock } from '../protocol/ports.ts'
import type { Store, StoreBatch } from '../storage/types.ts'

/** By identity: [Unix milliseconds when the day began, entries counted here since]. */
const kind = 'entry-rate'
const dayMs = 24 * 3_600_000

/** What is counted of a log, and how it is told that it is too much. */
interface Rule {
  readonly perDayMax: number
  readonly counts: (before: IdentityState, entry: SignedEntry) => boolean
  readonly message: string
  /** Stands behind the time when it takes more. */
  readonly help: string
}

const rules: { readonly [T in IdentityState['type']]: Rule } = {
  person: {
    perDayMax: limits.identityEntriesPerDayMax,
    counts: (before, entry) => !isUrgent(before, entry),
    message: `this identity has changed ${limits.identityEntriesPerDayMax} times since a day began`,
    help: 'Revoking a device, and whatever the recovery words sign, is taken at once.',
  },
  group: {
    perDayMax: limits.groupEpochsPerDayMax,
    counts: (_, { body }) => body.kind === 'epoch',
    message: `the group was given ${limits.groupEpochsPerDayMax} other secrets since a day began, and keeps the one it has`,
    help: 'Then one of its owners who opens it gives it another. Members are let in and put out at once: put out one who shuts devices out again and again.',
  },
}

/**
 * How many entries of a log this node is the first to take in a day. The log has room for a few hundred: whoever got hold of a
 * person's device must not fill it before its owner looks, nor a member the group's, whose owners' devices give it another
 * secret after each device that a member shuts out. What shuts somebody out is never made to wait.
 */
export class EntryRate {
  readonly #store: Store
  readonly #clock: Pick<Clock, 'nowMs'>

  constructor(store: Store, clock: Pick<Clock, 'nowMs'>) {
    this.#store = store
    this.#clock = clock
  }

  /** Counts the new entries; throws BUSY where they are too many. A log that comes here whole is not counted. */
  count(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
    if (before === undefined) return
    const { perDayMax, counts, message, help } = rules[after.type]
    const known = new Set(before.entries.map(({ hash }) => toHex(hash)))
    const fresh = after.entries.filter(
      (entry) => !known.has(toHex(entry.hash)) && counts(before, entry),
    ).length
    if (fresh === 0) return
    const nowMs = Math.floor(this.#clock.nowMs())
    const stored = this.#store.documents.getIn(batch, kind, after.id)
    const [beganMs, taken] = stored === undefined ? [nowMs, 0] : (decode(stored) as [number, number])
    const isOver = nowMs - beganMs >= dayMs || nowMs < beganMs
    const [startMs, count] = isOver ? [nowMs, fresh] : [beganMs, taken + fresh]
    if (count > perDayMax) {
      const hours = Math.ceil((startMs + dayMs - nowMs) / 3_600_000)
      throw new OnehopError('BUSY', message, { help: `It takes more in ${hours} h. ${help}` })
    }
    this.#store.documents.putIn(batch, kind, after.id, encode([startMs, count]))
  }
}

function isUrgent({ recovery }: IdentityState, { body, signer }: SignedEntry): boolean {
  return body.kind === 'revokeDevice' || (recovery !== undefined && equalBytes(recovery.key, signer))
}
