import { toHex } from '../../../protocol/bytes.ts'
import type { Dataset } from '../data/dataset.ts'
import type { Person } from '../data/people.ts'
import { byNewest } from './order.ts'

/** A record that a node took, as the model remembers it. */
export interface Entry {
  readonly owner: number
  readonly collection: string
  readonly clock: bigint
  /** Hex. */
  readonly id: string
  readonly value: Readonly<Record<string, unknown>>
  /** As it travels. */
  readonly bytes: Uint8Array
}

/**
 * What must be true of the neighbourhood, kept in plain maps: who was told to exist, what each wrote, who follows whom
 * and who holds whose shard. Everything that nodes answer is compared with this.
 */
export class Ledger {
  readonly people: readonly Person[]
  /** By number: the identity in hex. */
  readonly ids: string[] = []
  /** By number: node ids in hex, the home first. */
  readonly members: string[][] = []
  readonly #numbers = new Map<string, number>()
  readonly #entries = new Map<number, Map<string, Entry>>()
  readonly #following = new Map<number, Set<number>>()
  #records = 0

  constructor(dataset: Dataset) {
    this.people = dataset.people
  }

  /** A person who was not in the data set has the next number. */
  addPerson(number: number, identity: Uint8Array): void {
    this.ids[number] = toHex(identity)
    this.#numbers.set(toHex(identity), number)
  }

  numberOf(identity: Uint8Array | string): number | undefined {
    return this.#numbers.get(typeof identity === 'string' ? identity : toHex(identity))
  }

  add(entry: Entry): void {
    const kept = this.#entries.get(entry.owner) ?? new Map<string, Entry>()
    if (!kept.has(entry.id)) this.#records++
    kept.set(entry.id, entry)
    this.#entries.set(entry.owner, kept)
    if (entry.collection !== 'follows') return
    const followed = this.numberOf(entry.value['user'] as Uint8Array)
    if (followed === undefined) return
    const following = this.#following.get(entry.owner) ?? new Set()
    this.#following.set(entry.owner, following.add(followed))
  }

  get records(): number {
    return this.#records
  }

  recordsOf(number: number): number {
    return this.#entries.get(number)?.size ?? 0
  }

  entriesOf(number: number, collection?: string): Entry[] {
    const all = [...(this.#entries.get(number)?.values() ?? [])]
    return collection === undefined ? all : all.filter((entry) => entry.collection === collection)
  }

  entries(): Entry[] {
    return [...this.#entries.values()].flatMap((of) => [...of.values()])
  }

  following(number: number): ReadonlySet<number> {
    return this.#following.get(number) ?? new Set()
  }

  /** The newest posts of those whom the person follows, newest first. */
  feedOf(number: number, limit: number): Entry[] {
    return [...this.following(number)]
      .flatMap((followed) => this.entriesOf(followed, 'posts'))
      .toSorted(byNewest)
      .slice(0, limit)
  }
}
