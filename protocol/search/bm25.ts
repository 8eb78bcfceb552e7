/**
 * BM25 (Robertson and others; the idf is Lucene's, never negative), computed so that every machine gets the same
 * number: idf travels as an integer of 2^-32, terms are summed in query order with nothing but IEEE + - * /, and
 * the sum is rounded to 2^-20.
 */
const k1 = 1.2
const b = 0.75
const idfUnit = 2 ** 32
const scoreUnit = 2 ** 20

/** Of all documents that one scope, collection and depth cover. */
export interface TermStatistics {
  readonly term: string
  /** How many of the documents hold the term. */
  readonly documents: number
  /** In units of 2^-32. */
  readonly idf: number
}

export interface Statistics {
  readonly documents: number
  /** Sum of the documents' lengths in terms. */
  readonly totalLength: number
  /** In query order. */
  readonly terms: readonly TermStatistics[]
}

/** ln(1 + (N - n + 0.5) / (n + 0.5)) in units of 2^-32. Logarithms may differ in the last bit between machines. */
export function idfOf(documents: number, holding: number): number {
  return Math.round(Math.log(1 + (documents - holding + 0.5) / (holding + 0.5)) * idfUnit)
}

/** The weight of a query's terms: idf times how often the query says the term. */
export function weightOf(idf: number, times: number): number {
  return (idf / idfUnit) * times
}

export function averageLength(statistics: Pick<Statistics, 'documents' | 'totalLength'>): number {
  return statistics.documents === 0 ? 1 : Math.max(statistics.totalLength, 1) / statistics.documents
}

/** What one term adds. Written out once, because another order of operations is another number. */
export function termScore(weight: number, frequency: number, length: number, average: number): number {
  return (weight * (frequency * (k1 + 1))) / (frequency + k1 * (1 - b + b * (length / average)))
}

/** A sum of term scores in units of 2^-20. */
export function roundScore(sum: number): number {
  return Math.round(sum * scoreUnit)
}

/** What a document scores, from its own counts: how a reader checks what an aggregator says. */
export function scoreOf(
  query: readonly { readonly name: string; readonly times: number }[],
  statistics: Statistics,
  frequencies: ReadonlyMap<string, number>,
  length: number,
): number {
  const idfs = new Map(statistics.terms.map(({ term, idf }) => [term, idf]))
  const average = averageLength(statistics)
  let sum = 0
  for (const { name, times } of query) {
    const frequency = frequencies.get(name) ?? 0
    if (frequency > 0) sum += termScore(weightOf(idfs.get(name) ?? 0, times), frequency, length, average)
  }
  return roundScore(sum)
}

/** Statistics of disjoint sets of documents are those of their union. `terms` gives the order. */
export function sumStatistics(parts: readonly Statistics[], terms: readonly string[]): Statistics {
  let documents = 0
  let totalLength = 0
  const holding = new Map(terms.map((term) => [term, 0]))
  for (const part of parts) {
    documents += part.documents
    totalLength += part.totalLength
    for (const { term, documents: n } of part.terms) {
      const before = holding.get(term)
      if (before !== undefined) holding.set(term, before + n)
    }
  }
  return {
    documents,
    totalLength,
    terms: terms.map((term) => {
      const n = holding.get(term) as number
      return { term, documents: n, idf: idfOf(documents, n) }
    }),
  }
}
