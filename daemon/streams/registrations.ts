import { concatBytes, fromHex, fromUtf8, toHex, utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { array, decodeAs, struct, text, uint } from '../../protocol/shape.ts'
import type { Store, StoreBatch, Table } from '../../storage/types.ts'
import type { NodeId } from '../net/rpc.ts'
import { streamLimits } from './stream-limits.ts'

/** A serving node's wish to hear of an author, with how far it confirmed. Replaced by each new one. */
export interface Registration {
  readonly node: NodeId
  readonly app: string
  readonly author: IdentityId
  readonly collections: ReadonlySet<string>
  readonly epoch: number
  /** Up to here everything is on disk there. */
  acked: number
  /** Up to here nothing more needs to be sent; not durable, found again by reading. */
  scanned: number
}

const rowShape = struct({
  collections: array(text(limits.nameBytesMax, 1), limits.schemaCollectionsMax, 1),
  epoch: uint(),
  acked: uint(),
})

/** Who follows whom here: one entry per (author, serving node, app), in memory and on disk. */
export class Registrations {
  readonly #table: Table
  readonly #byAuthor = new Map<string, Map<string, Registration>>()
  readonly #byNode = new Map<NodeId, Set<Registration>>()
  #size = 0

  private constructor(store: Store) {
    this.#table = store.table('stream/followers')
  }

  static async open(store: Store): Promise<Registrations> {
    const registrations = new Registrations(store)
    let after: Uint8Array | undefined
    do {
      const page = await registrations.#table.range({ ...(after && { gt: after }), limit: 1_000 })
      for (const { key, value } of page) {
        const { collections, epoch, acked } = decodeAs(rowShape, value, 'registration')
        registrations.#keep({
          author: key.slice(0, 32),
          node: toHex(key.subarray(32, 64)),
          app: fromUtf8(key.subarray(64)),
          collections: new Set(collections),
          epoch,
          acked,
          scanned: acked,
        })
      }
      after = page.length < 1_000 ? undefined : page.at(-1)?.key
    } while (after !== undefined)
    return registrations
  }

  get size(): number {
    return this.#size
  }

  of(author: string): Iterable<Registration> {
    return this.#byAuthor.get(author)?.values() ?? []
  }

  /** Nodes that serve followers of the author in this app. */
  nodesOf(app: string, author: string): readonly NodeId[] {
    return [...this.of(author)].flatMap((one) => (one.app === app ? [one.node] : []))
  }

  find(node: NodeId, app: string, author: IdentityId): Registration | undefined {
    return this.#byAuthor.get(toHex(author))?.get(slot(node, app))
  }

  ofNode(node: NodeId): Iterable<Registration> {
    return this.#byNode.get(node) ?? []
  }

  nodes(): Iterable<NodeId> {
    return this.#byNode.keys()
  }

  /** Still the one that counts? */
  has(registration: Registration): boolean {
    return this.#byNode.get(registration.node)?.has(registration) === true
  }

  mayAdd(node: NodeId, author: IdentityId, app: string): boolean {
    if (this.#byAuthor.get(toHex(author))?.has(slot(node, app)) === true) return true
    const held = this.#byNode.get(node)?.size ?? 0
    return held < streamLimits.registrationsPerNodeMax && this.#size < streamLimits.registrationsMax
  }

  /** Call `keepIn` for each in one batch, then `keep`. */
  keepIn(batch: StoreBatch, registration: Registration): void {
    const { collections, epoch, acked } = registration
    this.#table.putIn(batch, keyOf(registration), encode([[...collections], epoch, acked]))
  }

  keep(registration: Registration): void {
    this.#keep(registration)
  }

  dropIn(batch: StoreBatch, registration: Pick<Registration, 'author' | 'node' | 'app'>): void {
    this.#table.deleteIn(batch, keyOf(registration))
  }

  drop({ author, node, app }: Pick<Registration, 'author' | 'node' | 'app'>): void {
    const name = toHex(author)
    const ofAuthor = this.#byAuthor.get(name)
    const before = ofAuthor?.get(slot(node, app))
    if (ofAuthor === undefined || before === undefined) return
    ofAuthor.delete(slot(node, app))
    if (ofAuthor.size === 0) this.#byAuthor.delete(name)
    const ofNode = this.#byNode.get(node)
    ofNode?.delete(before)
    if (ofNode?.size === 0) this.#byNode.delete(node)
    this.#size--
  }

  #keep(registration: Registration): void {
    this.drop(registration)
    const { node, app } = registration
    const name = toHex(registration.author)
    const ofAuthor = this.#byAuthor.get(name) ?? new Map<string, Registration>()
    this.#byAuthor.set(name, ofAuthor.set(slot(node, app), registration))
    const ofNode = this.#byNode.get(node) ?? new Set<Registration>()
    this.#byNode.set(node, ofNode.add(registration))
    this.#size++
  }
}

function slot(node: NodeId, app: string): string {
  return `${node} ${app}`
}

function keyOf({ author, node, app }: Pick<Registration, 'author' | 'node' | 'app'>): Uint8Array {
  return concatBytes(author, fromHex(node, 32) as Uint8Array, utf8(app))
}
