import { fromHex, toHex } from '../../protocol/bytes.ts'
import type { VerifiedRecord } from '../../protocol/record/types.ts'
import { scopeHierarchy } from '../../protocol/scope.ts'
import type { ParsedQuery } from '../../protocol/search/clauses.ts'
import type { Statistics } from '../../protocol/search/bm25.ts'
import type { SearchHit, SearchQuery } from '../../protocol/search/query.ts'
import { searchDocumentOf } from '../../protocol/search/record-document.ts'
import { MemoryIndex } from '../../storage/search/memory-index.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import { recordFor } from './aggregator.ts'
import type { Leaf } from './leaf.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts } from './parts.ts'
import { leafAnalyser } from './shard-log.ts'

interface Built {
  readonly index: MemoryIndex
  readonly records: Map<string, { readonly record: VerifiedRecord; readonly scope: string }>
  readonly builtMs: number
}

/** The last resort where nobody aggregates anything: an index of the shards that this node speaks for, made when asked. */
export class OwnShards {
  readonly #parts: Pick<SearchParts, 'store' | 'schemas' | 'crypto' | 'clock'> & { readonly leaf: Leaf }
  readonly #built = new Map<string, Promise<Built>>()

  constructor(parts: Pick<SearchParts, 'store' | 'schemas' | 'crypto' | 'clock'> & { readonly leaf: Leaf }) {
    this.#parts = parts
  }

  /** Undefined when this node speaks for no shard of the app. */
  async search(
    query: SearchQuery,
    parsed: ParsedQuery,
  ): Promise<{ hits: SearchHit[]; total: number; statistics: Statistics } | undefined> {
    const { index, records } = await this.#index(query.app, scopeHierarchy(query.scope))
    if (index.size === 0) return undefined
    const statistics = query.statistics ?? index.statistics(query, parsed.clauses)
    const { hits, total } = index.search(parsed, statistics, query, query)
    return {
      total,
      statistics,
      hits: hits.flatMap(({ key, score }) => {
        const found = records.get(key)
        return found === undefined
          ? []
          : [{ record: recordFor(found.record, query.scope), score, scope: found.scope }]
      }),
    }
  }

  async #index(app: string, hierarchy: string): Promise<Built> {
    const name = `${app} ${hierarchy}`
    const known = await this.#built.get(name)?.catch(() => undefined)
    const nowMs = this.#parts.clock.monotonicMs()
    if (known !== undefined && nowMs - known.builtMs < searchNodeLimits.ownIndexMs) return known
    const building = this.#build(app, hierarchy)
    this.#built.clear()
    this.#built.set(name, building)
    return building
  }

  async #build(app: string, hierarchy: string): Promise<Built> {
    const { store, schemas, crypto, clock, leaf } = this.#parts
    const index = new MemoryIndex()
    const records: Built['records'] = new Map()
    const schema = await schemas.newest(app)
    for (const { owner, scope } of leaf.places(app, hierarchy)) {
      for (const { name, private: isPrivate } of schema?.collections.values() ?? []) {
        if (isPrivate || records.size >= searchNodeLimits.ownDocumentsMax) continue
        for (const stored of await store.records.latest(owner, app, name, { limit: 1_000 })) {
          const record = decodeStored(stored)
          const document = searchDocumentOf(crypto.sha256, record, { scope, analyser: leafAnalyser })
          if (document.layers.length === 0) continue
          index.put(document)
          records.set(toHex(fromHex(document.key) as Uint8Array), { record, scope })
        }
      }
    }
    return { index, records, builtMs: clock.monotonicMs() }
  }
}
