/** What audits of one holder came to in one shard, and when that is enough to take its seat. */

/**
 * `behind`: it is not known to have all, and was not asked; `silent`: it is there, and answers no audit; `open`: what was asked
 * says nothing of it.
 */
export type Verdict = 'passed' | 'failed' | 'evaded' | 'behind' | 'silent' | 'open'

export interface Doubt {
  /** In a row. */
  readonly failures: number
  /** Told each time that it has another set than the one it is found equal by: that is one's right, but not for ever. */
  readonly evasions: number
  /** For how long it was there and did not have what was here before. */
  readonly behindMs: number
  /** For how long it was there and answered no audit. */
  readonly silentMs: number
}

const failuresToConvict = 3
const evasionsToConvict = 12

export const noDoubt: Doubt = { failures: 0, evasions: 0, behindMs: 0, silentMs: 0 }

/** `sinceMs`: since the last verdict, where that was the same, and as far as it was there. */
export function doubtAfter(doubt: Doubt, verdict: Verdict, sinceMs: number): Doubt {
  switch (verdict) {
    case 'passed':
      return noDoubt
    case 'failed':
      return { ...doubt, failures: doubt.failures + 1, behindMs: 0, silentMs: 0 }
    case 'evaded':
      return { ...doubt, evasions: doubt.evasions + 1, behindMs: 0, silentMs: 0 }
    case 'behind':
      return { ...doubt, behindMs: doubt.behindMs + sinceMs }
    case 'silent':
      return { ...doubt, behindMs: 0, silentMs: doubt.silentMs + sinceMs }
    case 'open':
      return { ...doubt, behindMs: 0 }
  }
}

/** Who is there and shows nothing is as good as away, for so long as a seat is kept. */
export function isConvicted(doubt: Doubt, replaceAfterMs: number): boolean {
  const { failures, evasions, behindMs, silentMs } = doubt
  const isLazy = Math.max(behindMs, silentMs) >= replaceAfterMs
  return failures >= failuresToConvict || evasions >= evasionsToConvict || isLazy
}
