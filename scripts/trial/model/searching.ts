import { microblog } from '../../../client/microblog.ts'
import type { Transport } from '../../../client/transport.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { CryptoProvider } from '../../../protocol/crypto/provider.ts'
import { decodeRecord } from '../../../protocol/record/wire.ts'
import { decodeSearchAnswer, encodeSearchQuery, type SearchAnswer } from '../../../protocol/search/query.ts'
import { searchLimits } from '../../../protocol/search/limits.ts'
import { analyser } from './central.ts'

export const hitsWanted = 20

export async function searchAt(
  node: Pick<Transport, 'call'>,
  scope: string,
  text: string,
  signal: AbortSignal,
): Promise<SearchAnswer> {
  const query = encodeSearchQuery({
    app: microblog.id,
    collection: undefined,
    scope,
    text,
    analyser,
    match: 'any',
    limit: hitsWanted,
    hops: searchLimits.hopsMax,
    explain: false,
    statistics: undefined,
  })
  const { answer } = await node.call('search.query', { query }, { signal })
  return decodeSearchAnswer(answer)
}

/** Each hit's id and score, best first, in the form of the central index. */
export function hitsOf({ hits }: SearchAnswer, crypto: CryptoProvider): string[] {
  return hits.map(({ record, score }) => `${toHex(decodeRecord(crypto, record).id)} ${score}`)
}
