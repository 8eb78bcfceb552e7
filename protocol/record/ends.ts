/**
 * When a record is over, and what is kept of it then: its header and signature, without its sections. Pure functions of records
 * and of a cut, the start of a UTC day, that whoever sweeps takes from its own clock. What is kept has the name, the place and
 * the proof that the whole had, so that no comparison sees who has swept and who has not.
 */
import { clockMs } from './clock.ts'
import { compareVersions } from './merge.ts'
import type { RecordHeader, SignedRecord } from './types.ts'
import { withholdSections } from './wire.ts'

export const dayMs = 86_400_000

/** For so long what was overridden is kept whole: it comes back with the revocation of the device that overrode it. */
export const overriddenMs = 90 * dayMs

type Version = Pick<SignedRecord, 'header' | 'id'>

/** The time after which the next cut takes the sections of all that lies below this version of its item. */
export function coversMs({ clock }: Pick<RecordHeader, 'clock'>): number {
  return clockMs(clock) + overriddenMs
}

/** The latest start of a UTC day that a clock one day behind has passed as well: nobody finds gone what by theirs is not over. */
export function sweepCutMs(nowMs: number): number {
  return Math.floor((nowMs - dayMs) / dayMs) * dayMs
}

/** Its own time has passed: its sections go. */
export function hasExpired({ header: { expiresMs } }: Pick<Version, 'header'>, cutMs: number): boolean {
  return expiresMs !== undefined && expiresMs <= cutMs
}

/** Those versions of one item that are kept without their sections: by the rule, whenever a sweep gets there. */
export function sweptOf<V extends Version>(versions: readonly V[], cutMs: number): V[] {
  const covers = versions.filter(({ header }) => coversMs(header) <= cutMs)
  return versions.filter(
    (version) => hasExpired(version, cutMs) || covers.some((above) => compareVersions(version, above) < 0),
  )
}

export function isBare({ sections }: Pick<SignedRecord, 'sections'>): boolean {
  return sections.every((section) => section === undefined)
}

export function withoutSections<R extends SignedRecord>(record: R): R {
  return withholdSections(record, () => false)
}
