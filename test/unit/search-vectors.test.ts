import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromHex } from '../../protocol/bytes.ts'
import { decodeIds } from '../../protocol/placement/messages.ts'
import { verifyAdvert } from '../../protocol/search/advert.ts'
import { decodeAnnouncements, decodeAppend, decodeIdentityLogs } from '../../protocol/search/exchange.ts'
import { decodeAcknowledgement, decodeLogBatch, decodeRegistration } from '../../protocol/search/log.ts'
import { decodeSearchAnswer, decodeSearchQuery } from '../../protocol/search/query.ts'
import { decodeStatistics, decodeStatisticsRequest } from '../../protocol/search/statistics-message.ts'
import { seededCrypto } from '../support/people.ts'
import { searchMessageVectors } from '../vectors/search-messages.ts'

interface Vectors {
  readonly valid: Readonly<Record<string, string>>
  readonly invalid: readonly { name: string; kind: string; message: string; code: string }[]
  readonly forgedAdverts: readonly { name: string; message: string }[]
}
const vectors = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../vectors/search-messages.json'), 'utf8'),
) as Vectors

const readers: Record<string, (bytes: Uint8Array) => unknown> = {
  query: decodeSearchQuery,
  queryWithStatistics: decodeSearchQuery,
  answer: decodeSearchAnswer,
  statisticsRequest: decodeStatisticsRequest,
  statistics: decodeStatistics,
  registration: decodeRegistration,
  acknowledgement: decodeAcknowledgement,
  batch: decodeLogBatch,
  advert: (bytes) => verifyAdvert(seededCrypto(1), bytes),
  announcements: decodeAnnouncements,
  append: decodeAppend,
  identities: decodeIds,
  identityLogs: decodeIdentityLogs,
}
const read = (kind: string, message: string): unknown => readers[kind]?.(fromHex(message) as Uint8Array)

describe('vectors of search messages', () => {
  it('are what this code makes', () => {
    expect(searchMessageVectors()).toEqual(vectors)
  })

  it.each(Object.entries(vectors.valid))('%s is read', (kind, message) => {
    expect(read(kind, message)).toBeDefined()
  })

  it.each(vectors.invalid)('$kind refused: $name', ({ kind, message, code }) => {
    expect(() => read(kind, message)).toThrow(expect.objectContaining({ code }))
  })

  it.each(vectors.forgedAdverts)('an advert of nobody: $name', ({ message }) => {
    expect(read('advert', message)).toBeUndefined()
  })

  it('have every kind, valid and invalid', () => {
    const kinds = Object.keys(readers)
    expect(Object.keys(vectors.valid)).toEqual(expect.arrayContaining(kinds))
    const refused = vectors.invalid.map(({ kind }) => kind)
    expect(kinds.filter((kind) => !refused.includes(kind))).toEqual(['queryWithStatistics'])
  })
})
