/**
 * The entries of a log as a graph, and what it says at any set of its points. A pure function of the set of
 * entries: the order in which they arrived leaves no trace.
 *
 * Where branches meet, two at a time in the order of their hashes:
 *  1. the branch with the highest-ranked signer since the fork wins (ranks as of the fork);
 *  2. the same signer on both sides: the one in which it revokes itself wins;
 *  3. only additions (addDevice, vouch, addMember) on both sides: both hold, applied in the order of their hashes;
 *  4. else the one that revokes something wins, else the lower hash.
 * What loses stays in the log, so that its owner can be shown what happened.
 */
import { toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { broken, type Facts } from './facts.ts'
import { weigh, type Weight } from './weight.ts'
import type { SignedEntry } from './types.ts'

/** What an entry does, in a person's or in a group's log. */
export interface Rules {
  readonly genesis: (entry: SignedEntry) => Facts
  /** Throws BAD_IDENTITY where the entry is not allowed. */
  readonly apply: (facts: Facts, entry: SignedEntry) => Facts
  readonly rankOf: (facts: Facts, entry: SignedEntry) => number | undefined
  /**
   * Where the log stands on others' logs, as a group's does, what is allowed changes when those grow. Then an entry that
   * passes this stays, allowed or not, and what is not allowed does nothing: or nodes would hold different logs.
   */
  readonly admit?: (entry: SignedEntry, ancestors: readonly SignedEntry[]) => void
}

interface Node {
  readonly name: string
  readonly entry: SignedEntry
  readonly parents: readonly string[]
  /** With the node itself. */
  readonly ancestry: ReadonlySet<string>
}

export interface Outcome {
  readonly facts: Facts
  /** Entries that took effect; the others lost. */
  readonly applied: ReadonlySet<string>
}

export class History {
  readonly #rules: Rules
  /** Entries that stand as links and do nothing. */
  readonly #void: ReadonlySet<string>
  readonly #nodes = new Map<string, Node>()
  readonly #outcomes = new Map<string, Outcome>()

  constructor(rules: Rules, isVoid: ReadonlySet<string> = new Set()) {
    this.#rules = rules
    this.#void = isVoid
  }

  /** Once, after its parents. Throws as the rules do, and is as before, when the entry is not allowed. */
  add(entry: SignedEntry): void {
    const name = toHex(entry.hash)
    const parents = entry.previous.map(toHex)
    const ancestry = new Set([name])
    for (const parent of parents) for (const ancestor of this.#node(parent).ancestry) ancestry.add(ancestor)
    if (
      parents.some((parent) =>
        parents.some((other) => other !== parent && this.#node(other).ancestry.has(parent)),
      )
    ) {
      throw broken(entry, 'it names an entry and also one that follows it')
    }
    const before = parents.length === 0 ? undefined : this.outcome(parents)
    const outcome = this.#after(before, name, entry, ancestry)
    this.#nodes.set(name, { name, entry, parents, ancestry })
    this.#outcomes.set(name, outcome)
  }

  /** What holds at these heads, none of which follows another. */
  outcome(heads: readonly string[]): Outcome {
    const sorted = heads.toSorted()
    const name = sorted.join()
    const known = this.#outcomes.get(name)
    if (known !== undefined) return known
    let winners: string[] = []
    for (const head of sorted) winners = winners.length === 0 ? [head] : this.#meet(winners, head)
    const outcome =
      winners.length === 1 ? (this.#outcomes.get(winners[0] as string) as Outcome) : this.#merge(winners)
    this.#outcomes.set(name, outcome)
    return outcome
  }

  /** The heads of a set that holds with each entry all its ancestors, ascending. Looks at each link once. */
  headsOf(closed: ReadonlySet<string>): string[] {
    const followed = new Set<string>()
    for (const name of closed) for (const parent of this.#node(name).parents) followed.add(parent)
    return [...difference(closed, followed)].toSorted()
  }

  has(name: string): boolean {
    return this.#nodes.has(name)
  }

  names(): Set<string> {
    return new Set(this.#nodes.keys())
  }

  /** With the entries themselves. */
  ancestry(names: readonly string[]): ReadonlySet<string> {
    if (names.length === 1) return this.#node(names[0] as string).ancestry
    const all = new Set<string>()
    for (const name of names) for (const ancestor of this.#node(name).ancestry) all.add(ancestor)
    return all
  }

  /** Parents first, then by hash. */
  inOrder(names: Iterable<string> = this.#nodes.keys()): SignedEntry[] {
    const nodes = [...names].map((name) => this.#node(name))
    // An entry has a larger ancestry than any of its ancestors.
    nodes.sort((a, b) => a.ancestry.size - b.ancestry.size || (a.name < b.name ? -1 : 1))
    return nodes.map((node) => node.entry)
  }

  #after(before: Outcome | undefined, name: string, entry: SignedEntry, ancestry: Set<string>): Outcome {
    if (before === undefined) return { facts: this.#rules.genesis(entry), applied: new Set([name]) }
    const { admit, apply } = this.#rules
    admit?.(
      entry,
      [...ancestry].filter((of) => of !== name).map((of) => this.#node(of).entry),
    )
    if (this.#void.has(name)) return before
    try {
      return { facts: apply(before.facts, entry), applied: new Set(before.applied).add(name) }
    } catch (error) {
      if (admit !== undefined && isBroken(error)) return before
      throw error
    }
  }

  #meet(winners: readonly string[], head: string): string[] {
    const [ours, theirs] = [this.ancestry(winners), this.ancestry([head])]
    const common = intersection(ours, theirs)
    if (common.size === 0) throw new OnehopError('BAD_IDENTITY', 'two logs, not one')
    const { facts } = this.outcome(this.headsOf(common))
    const [our, their] = [difference(ours, common), difference(theirs, common)].map((names) => {
      const entries = [...names].filter((name) => !this.#void.has(name)).map((name) => this.#node(name).entry)
      return weigh(entries, (entry) => this.#rules.rankOf(facts, entry))
    }) as [Weight, Weight]
    if (our.rank !== their.rank) return our.rank < their.rank ? [...winners] : [head]
    if (our.revokesItself !== their.revokesItself) return our.revokesItself ? [...winners] : [head]
    if (our.onlyAdds && their.onlyAdds) return [...winners, head]
    if (our.revokes !== their.revokes) return our.revokes ? [...winners] : [head]
    // Heads come in ascending order: what stands already has the lower hash.
    return [...winners]
  }

  /** All additions since the fork, on what held there. One that another made impossible is left out. */
  #merge(heads: readonly string[]): Outcome {
    const [first, ...others] = heads.map((head) => this.ancestry([head])) as [ReadonlySet<string>]
    const common = others.reduce((sum: ReadonlySet<string>, names) => intersection(sum, names), first)
    const before = this.outcome(this.headsOf(common))
    let { facts } = before
    const applied = new Set(before.applied)
    for (const entry of this.inOrder(difference(this.ancestry(heads), common))) {
      const name = toHex(entry.hash)
      if (this.#void.has(name)) continue
      try {
        facts = this.#rules.apply(facts, entry)
        applied.add(name)
      } catch (error) {
        if (!isBroken(error)) throw error
      }
    }
    return { facts, applied }
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new OnehopError('INTERNAL', `no entry ${name}`)
    return node
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof OnehopError && error.code === 'BAD_IDENTITY'
}

function intersection(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  return new Set([...a].filter((name) => b.has(name)))
}

function difference(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  return new Set([...a].filter((name) => !b.has(name)))
}
