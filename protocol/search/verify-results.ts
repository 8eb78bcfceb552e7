import { toHex } from '../bytes.ts'
import { scopeContains, scopeDepth } from '../scope.ts'
import { type Clause, countClause, parseQuery } from './clauses.ts'
import { analysedLayers } from './document.ts'
import { idfOf, scoreOf, type Statistics } from './bm25.ts'
import { compareRanked } from './merge.ts'
import type { SearchQuery } from './query.ts'
import type { Layer } from './searchable.ts'

/** A hit whose record was verified: id and layers come from the record, score and scope from the answer. */
export interface CheckedHit {
  readonly id: Uint8Array
  readonly app: string
  readonly collection: string
  readonly layers: readonly Layer[]
  readonly score: number
  readonly scope: string
}

/**
 * What does not match when the ranking is computed again from the signed records and the statistics of the answer.
 * Empty when all is well. It shows altered, forged, reordered and irrelevant hits, not omitted ones: those are
 * hunted by asking a second aggregator.
 */
export function verifyRanking(
  query: Pick<SearchQuery, 'text' | 'analyser' | 'match' | 'limit' | 'app' | 'collection' | 'scope'>,
  answer: { readonly statistics: Statistics; readonly total: number; readonly hits: readonly CheckedHit[] },
): string[] {
  const { statistics, hits } = answer
  const { clauses, without } = parseQuery(query.text, query.analyser)
  const problems = statisticsProblems(
    statistics,
    clauses.map(({ name }) => name),
  )
  if (hits.length > query.limit) problems.push('more hits than asked for')
  if (answer.total < hits.length || answer.total > statistics.documents) problems.push('impossible total')
  const depth = scopeDepth(query.scope)
  const seen = new Set<string>()
  for (const [place, hit] of hits.entries()) {
    const complain = (what: string): void => {
      problems.push(`hit ${place + 1}: ${what}`)
    }
    const before = hits[place - 1]
    if (before !== undefined && compareRanked(before, hit) > 0) complain('out of order')
    if (seen.has(toHex(hit.id))) complain('shown twice')
    seen.add(toHex(hit.id))
    if (!scopeContains(query.scope, hit.scope)) complain('outside the scope')
    if (hit.app !== query.app || (query.collection !== undefined && hit.collection !== query.collection)) {
      complain('of another collection')
    }
    // Layer by layer, as the index does: terms past a layer's limit count nowhere.
    const texts = analysedLayers({ ...hit, analyser: query.analyser })
      .filter(({ height }) => height <= depth)
      .map(({ words }) => words)
    const countIn = (clause: Clause): number =>
      texts.reduce((sum, words) => sum + countClause(clause, words), 0)
    const frequencies = new Map(clauses.map(({ clause, name }) => [name, countIn(clause)]))
    const held = clauses.filter(({ name }) => frequencies.get(name) !== 0).length
    const isWanted = held >= (query.match === 'all' ? Math.max(1, clauses.length) : 1)
    if (!isWanted || without.some(({ clause }) => countIn(clause) > 0)) complain('does not match the query')
    const length = texts.reduce((sum, words) => sum + words.length, 0)
    const score = scoreOf(clauses, statistics, frequencies, length)
    if (score !== hit.score) complain(`scores ${score}, not ${hit.score}`)
  }
  return problems
}

function statisticsProblems(statistics: Statistics, terms: readonly string[]): string[] {
  const problems: string[] = []
  if (statistics.terms.map(({ term }) => term).join(' ') !== terms.join(' ')) {
    problems.push('statistics are of other terms')
  }
  for (const { term, documents, idf } of statistics.terms) {
    if (documents > statistics.documents) problems.push(`more documents hold "${term}" than there are`)
    // One unit either way: logarithms may differ in their last bit.
    else if (Math.abs(idf - idfOf(statistics.documents, documents)) > 1)
      problems.push(`wrong idf of "${term}"`)
  }
  return problems
}
