import { toHex } from '../../protocol/bytes.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { scopeContains, scopeDepth, scopeHierarchy } from '../../protocol/scope.ts'
import type { LogCursor, LogEntry } from '../../protocol/search/log.ts'
import { climbingRecord, mayRecordClimb } from '../../protocol/search/record-document.ts'
import { decodeBytes } from '../../storage/stored-record.ts'
import type { Documents, KeptDocument } from './documents.ts'
import { searchNodeLimits } from './limits.ts'
import type { Target } from './parts.ts'
import type { LogSource, Portion } from './uplink.ts'

/** What this aggregator accepted, as a log for the one above it, without what may not climb so high. */
export class ClimbedSource implements LogSource {
  readonly kind = 'aggregator'
  readonly #documents: Documents
  readonly #target: Target
  readonly #scopes: readonly string[]

  constructor(documents: Documents, target: Target, scopes: readonly string[]) {
    this.#documents = documents
    this.#target = target
    this.#scopes = scopes
  }

  scope(): string {
    const [only, ...others] = this.#scopes
    return only !== undefined && others.length === 0 ? only : this.#target.parent
  }

  head(): LogCursor {
    return this.#documents.head()
  }

  /** The one above keeps the cursor: it is the one that loses something when it loses it. */
  async resume(acknowledged: LogCursor): Promise<LogCursor> {
    const { epoch } = this.#documents.head()
    return acknowledged.epoch === epoch ? acknowledged : { epoch, position: 0 }
  }

  async gather(after: LogCursor): Promise<Portion | undefined> {
    const { app, parent } = this.#target
    const hierarchy = scopeHierarchy(parent)
    const read = await this.#documents.after(
      app,
      hierarchy,
      after.position,
      searchNodeLimits.appendEntriesMax,
    )
    const entries: LogEntry[] = []
    const identities = new Map<string, IdentityId>()
    let room: number = searchNodeLimits.appendBytesMax
    let through = after.position
    for (const { item, document } of read) {
      if (this.#scopes.some((scope) => scopeContains(scope, document.scope))) {
        const entry = this.#entryOf(item, document, hierarchy)
        room -= entry.operation === 'put' ? entry.record.length + 450 : 48
        if (room < 0 && entries.length > 0) break
        entries.push(entry)
        if (entry.operation === 'put') {
          const { owner, author } = decodeBytes(entry.record).header
          identities.set(toHex(owner), owner).set(toHex(author), author)
        }
      }
      through = document.position
    }
    if (entries.length === 0) return undefined
    return { entries, through, identities: [...identities.values()], commit: async () => {} }
  }

  #entryOf(
    item: Uint8Array,
    { record, position, scope, analyser }: KeptDocument,
    hierarchy: string,
  ): LogEntry {
    const signed = record && decodeBytes(record)
    const depth = scopeDepth(this.#target.parent)
    const climbs =
      signed !== undefined &&
      (signed.header.operation === 'delete' || mayRecordClimb(signed, hierarchy, depth))
    if (!climbs) return { operation: 'remove', position, item }
    const bytes = encodeRecord(climbingRecord(signed, hierarchy, depth))
    return { operation: 'put', position, record: bytes, scopes: { [hierarchy]: scope }, analyser }
  }
}
