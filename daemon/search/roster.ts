import { encode } from '../../protocol/codec.ts'
import { fromHex, fromUtf8, toHex, utf8 } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { scopeContains, scopeDepth, scopeHierarchy, scopeParent } from '../../protocol/scope.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import type { LogCursor, Registration, SourceKind } from '../../protocol/search/log.ts'
import { bytes, choice, decodeAs, struct, text, uint } from '../../protocol/shape.ts'
import type { Store, StoreBatch, Table } from '../../storage/types.ts'
import type { NodeId } from '../net/rpc.ts'
import type { Change, KeptDocument } from './documents.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts } from './parts.ts'

/** Somebody below who registered, and what came from there. */
export interface Child {
  readonly name: string
  readonly node: NodeId
  readonly kind: SourceKind
  readonly app: string
  readonly parent: string
  scope: string
  cursor: LogCursor
  /** Monotonic, and by the wall: when it was last heard. */
  heardMs: number
  heardAtMs: number
  documents: number
  bytes: number
  /** How many of its documents stand in each scope. */
  readonly scopes: Map<string, number>
}

/** Of one source's documents in one scope. */
const countShape = struct({ documents: uint(), bytes: uint() })
const pageSize = 1_000

const rowShape = struct({
  node: bytes(32),
  kind: choice('leaf', 'aggregator'),
  app: text(64, 1),
  parent: text(256, 1),
  scope: text(256, 1),
  epoch: uint(),
  position: uint(),
  heardAtMs: uint(),
})

/** The sources of this aggregator: who is registered, how far each was read, who is silent. */
export class Roster {
  readonly #parts: Pick<SearchParts, 'clock' | 'heartbeatMs'>
  readonly #table: Table
  readonly #counts: Table
  readonly #children = new Map<string, Child>()

  constructor(store: Store, parts: Pick<SearchParts, 'clock' | 'heartbeatMs'>) {
    this.#parts = parts
    this.#table = store.table('search/child')
    this.#counts = store.table('search/child-count')
  }

  async open(): Promise<void> {
    for (const { value } of await this.#table.range({ limit: searchNodeLimits.childrenMax })) {
      const { epoch, position, ...row } = decodeAs(rowShape, value, 'child')
      const node = toHex(row.node)
      const name = childName(node, row)
      this.#children.set(name, {
        ...row,
        name,
        node,
        cursor: { epoch, position },
        ...this.#unheard(row.heardAtMs),
      })
    }
    for (let gt: Uint8Array | undefined; ; ) {
      const rows = await this.#counts.range({ ...(gt && { gt }), limit: pageSize })
      for (const { key, value } of rows) this.#readCount(fromUtf8(key), value)
      gt = rows.at(-1)?.key
      if (rows.length < pageSize) return
    }
  }

  #readCount(key: string, value: Uint8Array): void {
    const [name = '', scope = ''] = key.split('\n')
    const child = this.#children.get(name)
    if (child === undefined) return
    const count = decodeAs(countShape, value, 'count')
    child.documents += count.documents
    child.bytes += count.bytes
    child.scopes.set(scope, count.documents)
  }

  get(name: string): Child | undefined {
    return this.#children.get(name)
  }

  list(): Iterable<Child> {
    return this.#children.values()
  }

  /** Not silent for longer than two and a half heartbeats. A restarted aggregator gives everybody as long again. */
  isCurrent(child: Child): boolean {
    return this.#parts.clock.monotonicMs() - child.heardMs <= this.#parts.heartbeatMs * 2.5
  }

  heard(child: Child): void {
    child.heardMs = this.#parts.clock.monotonicMs()
    child.heardAtMs = this.#parts.clock.nowMs()
  }

  /** A cursor of another epoch is worth nothing: the source begins anew. */
  async register(node: NodeId, { app, parent, scope, kind, head }: Registration): Promise<Child> {
    const name = childName(node, { kind, app, parent })
    let child = this.#children.get(name)
    if (child === undefined) {
      if (this.#children.size >= searchNodeLimits.childrenMax) this.#dropIdle()
      const cursor = { epoch: head.epoch, position: 0 }
      child = { name, node, kind, app, parent, scope, cursor, ...this.#unheard(0) }
      this.#children.set(name, child)
    }
    child.scope = scope
    if (child.cursor.epoch !== head.epoch) child.cursor = { epoch: head.epoch, position: 0 }
    this.heard(child)
    await this.#table.put(utf8(name), rowOf(child, child.cursor))
    return child
  }

  cursorIn(batch: StoreBatch, child: Child): LogCursor {
    const row = this.#table.getIn(batch, utf8(child.name))
    return row === undefined ? { epoch: 0, position: 0 } : decodeAs(rowShape, row, 'child')
  }

  setCursorIn(batch: StoreBatch, child: Child, cursor: LogCursor): void {
    this.#table.putIn(batch, utf8(child.name), rowOf(child, cursor))
  }

  /** Keeps the counts of both sources that a change concerns. */
  count({ before, after }: Pick<Change, 'before' | 'after'>): void {
    if (before?.record !== undefined) this.#add(before.child, before.scope, -1, before.record.length)
    if (after.record !== undefined) this.#add(after.child, after.scope, 1, after.record.length)
  }

  /** The same into the batch that changes the documents: a start reads the counts, not the documents. */
  countIn(batch: StoreBatch, changes: readonly Pick<Change, 'before' | 'after'>[]): void {
    const sums = new Map<string, { documents: number; bytes: number }>()
    const add = ({ child, scope, record }: KeptDocument, sign: 1 | -1): void => {
      if (record === undefined) return
      const key = `${child}\n${scope}`
      const { documents, bytes: size } = sums.get(key) ?? { documents: 0, bytes: 0 }
      sums.set(key, { documents: documents + sign, bytes: size + sign * record.length })
    }
    for (const { before, after } of changes) {
      if (before !== undefined) add(before, -1)
      add(after, 1)
    }
    for (const [name, { documents, bytes: size }] of sums) {
      const key = utf8(name)
      const row = this.#counts.getIn(batch, key)
      const known = row === undefined ? { documents: 0, bytes: 0 } : decodeAs(countShape, row, 'count')
      const now = [Math.max(0, known.documents + documents), Math.max(0, known.bytes + size)]
      if (now[0] === 0) this.#counts.deleteIn(batch, key)
      else this.#counts.putIn(batch, key, encode(now))
    }
  }

  /** Sources that concern a scope: they stand in it, cover it, or brought documents of it. */
  concerning(app: string, scope: string): Child[] {
    return [...this.#children.values()].filter((child) => {
      if (child.app !== app || scopeHierarchy(child.parent) !== scopeHierarchy(scope)) return false
      // Who fell silent and left nothing behind is not missed: another speaks for its shards.
      if (child.documents === 0 && !this.isCurrent(child)) return false
      if (scopeContains(scope, child.scope)) return true
      if (child.kind === 'aggregator' && scopeContains(child.scope, scope)) return true
      return [...child.scopes.keys()].some((place) => scopeContains(scope, place))
    })
  }

  /** What a silent source leaves uncovered within a scope. */
  missingOf(child: Child, scope: string): string[] {
    if (child.kind === 'aggregator') return [scopeContains(scope, child.scope) ? child.scope : scope]
    let places = [...child.scopes.keys()].filter((place) => scopeContains(scope, place))
    if (places.length === 0) places = [scopeContains(scope, child.scope) ? child.scope : scope]
    while (places.length > searchLimits.missingScopesMax) {
      const deepest = Math.max(...places.map(scopeDepth))
      places = [
        ...new Set(
          places.map((place) => (scopeDepth(place) === deepest ? (scopeParent(place) ?? place) : place)),
        ),
      ]
    }
    return places
  }

  #add(name: string, scope: string, sign: 1 | -1, size: number): void {
    const child = this.#children.get(name)
    if (child === undefined) return
    child.documents += sign
    child.bytes += sign * size
    const count = (child.scopes.get(scope) ?? 0) + sign
    if (count > 0) child.scopes.set(scope, count)
    else child.scopes.delete(scope)
  }

  #unheard(heardAtMs: number): Pick<Child, 'heardMs' | 'heardAtMs' | 'documents' | 'bytes' | 'scopes'> {
    return { heardMs: this.#parts.clock.monotonicMs(), heardAtMs, documents: 0, bytes: 0, scopes: new Map() }
  }

  #dropIdle(): void {
    for (const child of this.#children.values()) {
      if (child.documents > 0 || this.isCurrent(child)) continue
      this.#children.delete(child.name)
      return
    }
    throw new OnehopError('BUSY', 'too many sources are registered here')
  }
}

export function childName(
  node: NodeId,
  { kind, app, parent }: { readonly kind: SourceKind; readonly app: string; readonly parent: string },
): string {
  return `${node} ${kind} ${parent} ${app}`
}

function rowOf(
  { node, kind, app, parent, scope, heardAtMs }: Child,
  { epoch, position }: LogCursor,
): Uint8Array {
  const code = kind === 'leaf' ? 0 : 1
  return encode([fromHex(node, 32) as Uint8Array, code, app, parent, scope, epoch, position, heardAtMs])
}
