import { toHex } from '../../protocol/bytes.ts'
import { openSection } from '../../protocol/record/section.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { IdentityId, SignedRecord } from '../../protocol/record/types.ts'
import type { Collection } from '../../protocol/schema/schema.ts'

/** What one follow record says: its owner follows this author's streams. */
export interface Edge {
  readonly app: string
  readonly author: IdentityId
  /** In hex. */
  readonly name: string
  readonly streams: readonly string[]
}

/** The author whom a follow record names; undefined when it is not readable here or names nobody. */
export function followedAuthor(
  crypto: CryptoProvider,
  collection: Collection,
  record: SignedRecord,
): IdentityId | undefined {
  const { follows } = collection
  if (follows === undefined) return undefined
  for (let i = 0; i < record.sections.length; i++) {
    if (record.header.sections[i]?.epoch !== 0) continue
    try {
      const author = openSection(crypto, record, i)?.[follows.field]
      if (author instanceof Uint8Array && author.length === 32) return author
    } catch {
      // Its own app wrote nonsense there: such a record follows nobody.
      return undefined
    }
  }
  return undefined
}

/** Whom the people of this house follow, by the item that says so. */
export class Follows {
  readonly #edges = new Map<string, Map<string, Edge>>()

  /** Replaces what the item said; undefined when it says nothing any more. Answers what it said before. */
  set(owner: string, item: string, edge: Edge | undefined): Edge | undefined {
    const edges = this.#edges.get(owner) ?? new Map<string, Edge>()
    const before = edges.get(item)
    if (edge !== undefined) {
      edges.set(item, edge)
      this.#edges.set(owner, edges)
    } else if (edges.delete(item) && edges.size === 0) {
      this.#edges.delete(owner)
    }
    return before
  }

  of(owner: string): Iterable<Edge> {
    return this.#edges.get(owner)?.values() ?? []
  }

  /** Of all items together; empty when the owner does not follow the author. */
  streams(owner: string, app: string, author: string): ReadonlySet<string> {
    const streams = new Set<string>()
    for (const edge of this.of(owner)) {
      if (edge.name === author && edge.app === app) for (const stream of edge.streams) streams.add(stream)
    }
    return streams
  }

  /** The items that say so. */
  items(owner: string): readonly string[] {
    return [...(this.#edges.get(owner)?.keys() ?? [])]
  }
}

export function itemOf(app: string, collection: string, key: Uint8Array): string {
  return `${app} ${collection} ${toHex(key)}`
}
