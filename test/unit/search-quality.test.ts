import { readFileSync } from 'node:fs'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../protocol/bytes.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { sumStatistics } from '../../protocol/search/bm25.ts'
import type { SearchDocument } from '../../protocol/search/document.ts'
import { mergeRanked } from '../../protocol/search/merge.ts'
import { MemoryIndex } from '../../storage/search/memory-index.ts'
import { dataPath } from '../support/data.ts'

const filter = { app: 'example', collection: undefined, scope: '/topic' }

function load(folder: string) {
  const lines = (name: string): string[] =>
    readFileSync(dataPath(`${folder}/normalised/${name}`) as string, 'utf8')
      .trim()
      .split('\n')
  const documents = lines('corpus.jsonl').map((line): SearchDocument => {
    const { id, title, text } = JSON.parse(line) as { id: string; title: string; text: string }
    return {
      key: id,
      id: sha256(utf8(id)),
      app: 'example',
      collection: 'abstract',
      scope: '/topic/science',
      analyser: 'en',
      layers: [{ height: 0, text: `${title}\n${text}` }],
    }
  })
  const relevant = new Map<string, Set<string>>()
  for (const line of lines('qrels.tsv').slice(1)) {
    const [query, document, score] = line.split('\t') as [string, string, string]
    // Cranfield marks the one document that answers the question whole with -1: judged, and relevant.
    if (score !== '0') relevant.set(query, (relevant.get(query) ?? new Set()).add(document))
  }
  const queries = lines('queries.jsonl')
    .map((line) => JSON.parse(line) as { id: string; text: string })
    .filter(({ id }) => relevant.has(id))
  return { documents, relevant, queries }
}

function ndcg10(found: readonly string[], relevant: ReadonlySet<string>): number {
  const gain = (place: number): number => 1 / Math.log2(place + 2)
  const best = Array.from({ length: Math.min(10, relevant.size) }, (_, place) => gain(place))
  const got = found.slice(0, 10).map((id, place) => (relevant.has(id) ? gain(place) : 0))
  return got.reduce((a, z) => a + z, 0) / best.reduce((a, z) => a + z, 0)
}

describe.each([
  ['cranfield', 0.516],
  ['medline', 0.69],
])('search quality on %s', (folder, expected) => {
  // Skipped where the collections do not lie beside the repository (ONEHOP_DATA).
  it.skipIf(dataPath(`${folder}/normalised/corpus.jsonl`) === undefined)(
    `has the nDCG@10 of Lucene, ${expected}, and the same lists when merged from 8 parts`,
    () => {
      const { documents, relevant, queries } = load(folder)
      const whole = new MemoryIndex()
      const parts = Array.from({ length: 8 }, () => new MemoryIndex())
      for (const document of documents) {
        whole.put(document)
        // Skewed on purpose: half of all documents lie in one part.
        const byte = document.id[0] as number
        parts[byte < 128 ? 0 : byte % 8]?.put(document)
      }
      let sum = 0
      for (const { id, text } of queries) {
        const query = parseQuery(text, 'en')
        const { clauses } = query
        const statistics = sumStatistics(
          parts.map((part) => part.statistics(filter, clauses)),
          clauses.map(({ name }) => name),
        )
        expect(statistics).toEqual(whole.statistics(filter, clauses))
        const found = whole.search(query, statistics, filter, { limit: 100 })
        const lists = parts.map((part) => part.search(query, statistics, filter, { limit: 100 }))
        expect(mergeRanked(lists, 100)).toEqual(found)
        sum += ndcg10(
          found.hits.map(({ key }) => key),
          relevant.get(id) as Set<string>,
        )
      }
      expect(Math.abs(sum / queries.length - expected)).toBeLessThanOrEqual(0.005)
    },
  )
})
