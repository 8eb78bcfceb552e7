import { compareBytes } from '../bytes.ts'

export interface Ranked {
  readonly id: Uint8Array
  /** In units of 2^-20. */
  readonly score: number
}

export interface RankedList<H extends Ranked> {
  /** Best first. */
  readonly hits: readonly H[]
  /** How many documents match, shown or not. */
  readonly total: number
}

/** Higher scores first, then lower ids. */
export function compareRanked(a: Ranked, z: Ranked): number {
  return z.score - a.score || compareBytes(a.id, z.id)
}

/**
 * The list that one index over all the documents would give, when the parts were scored with the same statistics
 * and each gave at least `limit` hits where it has them. Parts must be disjoint for the total to be exact; a hit
 * that comes twice (a leaf that is moving between parents) is shown once and taken off the total.
 */
export function mergeRanked<H extends Ranked>(parts: readonly RankedList<H>[], limit: number): RankedList<H> {
  const all = parts.flatMap(({ hits }) => hits).sort(compareRanked)
  const seen = new Set<string>()
  const hits = all.filter(({ id }) => {
    const key = String.fromCharCode(...id)
    return !seen.has(key) && seen.add(key)
  })
  const total = parts.reduce((sum, part) => sum + part.total, 0) - (all.length - hits.length)
  return { hits: hits.slice(0, limit), total }
}
