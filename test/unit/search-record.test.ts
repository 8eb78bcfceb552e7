import { describe, expect, it } from 'vitest'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import type { DraftSection, SignedRecord } from '../../protocol/record/types.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { MemoryIndex } from '../../storage/search/memory-index.ts'
import { climbingRecord, mayRecordClimb, searchDocumentOf } from '../../protocol/search/record-document.ts'
import { verifyRanking } from '../../protocol/search/verify-results.ts'
import { createPerson, recordBy, seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(5)
const ada = createPerson(crypto)
const lagos = { scope: '/geo/africa/ng/lagos', analyser: 'en' } as const
const section = (text: string, heights: Record<string, number>): DraftSection => ({
  audience: 'public',
  heights,
  fields: { text },
})
const note = (number: number, ...sections: DraftSection[]): SignedRecord =>
  recordBy(crypto, ada, { number, key: Uint8Array.of(number), sections })

describe('a record in an index', () => {
  const world = section('jazz concert', { geo: 0 })
  const town = section('jazz at the corner house', { geo: 3 })
  const hidden = section('jazz nobody may search', {})
  const record = note(1, world, town, hidden)

  it('climbs without the sections that may not, and is the same record', () => {
    const climbed = climbingRecord(record, 'geo', 1)
    expect(climbed.sections.map((bytes) => bytes !== undefined)).toEqual([true, false, false])
    expect(decodeRecord(crypto, encodeRecord(climbed)).id).toEqual(record.id)
    expect(mayRecordClimb(note(2, town), 'geo', 2)).toBe(false)
    expect(mayRecordClimb(note(2, town), 'geo', 3)).toBe(true)
    expect(mayRecordClimb(record, 'topic', 8)).toBe(false)
  })

  it('has one name whatever its version, and layers by height', () => {
    const document = searchDocumentOf(crypto.sha256, record, lagos)
    expect(document.layers).toEqual([
      { height: 0, text: 'jazz concert' },
      { height: 3, text: 'jazz at the corner house' },
    ])
    const edited = searchDocumentOf(
      crypto.sha256,
      recordBy(crypto, ada, { number: 9, sections: [world] }),
      lagos,
    )
    expect(edited.key).toBe(document.key)
    expect(edited.id).not.toEqual(document.id)
    expect(searchDocumentOf(crypto.sha256, note(2, world), lagos).key).not.toBe(document.key)
  })

  it.each(['/geo', '/geo/africa', '/geo/africa/ng/lagos'])(
    'is found at %s and its score is what a reader computes',
    (scope) => {
      const index = new MemoryIndex()
      const records = [
        record,
        note(2, world),
        note(3, town),
        note(4, hidden),
        note(5, section('rain', { geo: 0 })),
      ]
      for (const each of records) index.put(searchDocumentOf(crypto.sha256, each, lagos))
      const query = {
        app: 'notes',
        collection: 'note',
        scope,
        text: 'jazz corner',
        analyser: 'en',
        match: 'any',
        limit: 10,
      } as const
      const parsed = parseQuery(query.text, query.analyser)
      const statistics = index.statistics(query, parsed.clauses)
      const { hits, total } = index.search(parsed, statistics, query, query)
      expect(total).toBe(scope === lagos.scope ? 3 : 2)
      const depth = scope.split('/').length - 2
      const checked = hits.map((hit) => {
        const found = records.find(({ id }) => id === hit.id) as SignedRecord
        // What the reader gets is what came over the wire, without what may not be searched here.
        const received = decodeRecord(crypto, encodeRecord(climbingRecord(found, 'geo', depth)))
        return { ...searchDocumentOf(crypto.sha256, received, lagos), score: hit.score }
      })
      expect(verifyRanking(query, { statistics, total, hits: checked })).toEqual([])
    },
  )
})
