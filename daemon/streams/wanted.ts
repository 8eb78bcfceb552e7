import { toHex } from '../../protocol/bytes.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Cursor } from '../../protocol/stream/messages.ts'
import type { NodeId } from '../net/rpc.ts'

/** Where the records of a wanted author come from. */
export type Place =
  /** Held here: they are in the feeds up to this position of the arrival log; undefined: not begun. */
  | { readonly state: 'local'; readonly position: number | undefined }
  /** Nobody is known, or those who are do not answer; looked for again at this (monotonic) time. */
  | { readonly state: 'seeking'; readonly retryMs: number }
  /** Registering with this node, or registered. */
  | { readonly state: 'asking' | 'following'; readonly node: NodeId }

/** An author whom somebody of this house follows in an app. */
export interface Wanted {
  readonly app: string
  readonly author: IdentityId
  /** In hex. */
  readonly name: string
  /** Owner in hex -> the streams followed. */
  readonly followers: Map<string, ReadonlySet<string>>
  place: Place
  /** Holders that were of no use since the last that was. */
  failures: number
  /** How far the stream came, at which source. Kept when the source changes: it says that there was one. */
  cursor: Cursor | undefined
  /** Records must be read as a list before the stream goes on. */
  mustList: boolean
}

export class WantedAuthors {
  readonly #byName = new Map<string, Map<string, Wanted>>()
  #size = 0

  get(app: string, name: string): Wanted | undefined {
    return this.#byName.get(name)?.get(app)
  }

  /** In any app. */
  ofAuthor(name: string): Iterable<Wanted> {
    return this.#byName.get(name)?.values() ?? []
  }

  add(app: string, author: IdentityId): Wanted {
    const name = toHex(author)
    const wanted: Wanted = {
      app,
      author,
      name,
      followers: new Map(),
      place: { state: 'seeking', retryMs: 0 },
      failures: 0,
      cursor: undefined,
      mustList: true,
    }
    const ofAuthor = this.#byName.get(name) ?? new Map<string, Wanted>()
    this.#byName.set(name, ofAuthor.set(app, wanted))
    this.#size++
    return wanted
  }

  has(wanted: Wanted): boolean {
    return this.get(wanted.app, wanted.name) === wanted
  }

  delete(wanted: Wanted): void {
    const ofAuthor = this.#byName.get(wanted.name)
    if (ofAuthor?.get(wanted.app) !== wanted) return
    ofAuthor.delete(wanted.app)
    if (ofAuthor.size === 0) this.#byName.delete(wanted.name)
    this.#size--
  }

  *all(): Iterable<Wanted> {
    for (const ofAuthor of this.#byName.values()) yield* ofAuthor.values()
  }

  get size(): number {
    return this.#size
  }
}
