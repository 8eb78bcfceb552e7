import { loadCrypto } from '../../../cli/crypto.ts'
import type { CryptoProvider } from '../../../protocol/crypto/provider.ts'
import { decodeRecord } from '../../../protocol/record/wire.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { scopeContains, scopeDepth } from '../../../protocol/scope.ts'
import { parseQuery } from '../../../protocol/search/clauses.ts'
import { searchDocumentOf } from '../../../protocol/search/record-document.ts'
import { MemoryIndex } from '../../../storage/search/memory-index.ts'

export const analyser = 'en'

/**
 * One index over everything that was written, by the same rules: what every answer of the neighbourhood must equal. A
 * field that may not climb to the level that answers is not there, so each level has an index of what reaches it.
 */
export class CentralIndex {
  readonly #crypto: CryptoProvider
  readonly #levels: readonly MemoryIndex[]
  /** Of each document: where it may be found, and how far up it may climb. */
  readonly #places = new Map<string, { readonly scope: string; readonly height: number }>()

  private constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
    this.#levels = Array.from({ length: townDepth + 1 }, () => new MemoryIndex())
  }

  static async open(): Promise<CentralIndex> {
    return new CentralIndex(await loadCrypto())
  }

  put(bytes: Uint8Array, scope: string): void {
    const record = decodeRecord(this.#crypto, bytes)
    const document = searchDocumentOf(this.#crypto.sha256, record, { scope, analyser })
    for (const [depth, index] of this.#levels.entries()) {
      const layers = document.layers.filter(({ height }) => height <= depth)
      if (layers.length > 0) index.put({ ...document, layers })
    }
    const height = Math.min(...document.layers.map((layer) => layer.height))
    if (document.layers.length > 0) this.#places.set(document.key, { scope, height })
  }

  /** How many an aggregator of this scope must have. */
  documentsWithin(scope: string): number {
    const depth = scopeDepth(scope)
    return [...this.#places.values()].filter(
      (place) => place.height <= depth && scopeContains(scope, place.scope),
    ).length
  }

  /** As the aggregator of `level` has to answer about `scope`. */
  search(
    query: { readonly app: string; readonly scope: string; readonly text: string; readonly limit: number },
    level: string,
  ): { hits: string[]; total: number } {
    const { text, limit } = query
    const filter = { app: query.app, collection: undefined, scope: query.scope }
    const parsed = parseQuery(text, analyser)
    const index = this.#levels[Math.min(scopeDepth(level), townDepth)] as MemoryIndex
    const statistics = index.statistics(filter, parsed.clauses)
    const { hits, total } = index.search(parsed, statistics, filter, { limit, match: 'any' })
    return { hits: hits.map(({ id, score }) => `${toHex(id)} ${score}`), total }
  }
}

/** World, continent, country, town. */
const townDepth = 3
