/**
 * The entries of a log as a graph, and what it says at any set of its points. A pure function of the set of
 * entries: the order in which they arrived leaves no trace.
 *
 * Where branches meet, two at a time in the order of their hashes:
 *  1. the branch with the highest-ranked signer since the fork wins (ranks as of the fork);
 *  2. the same signer on both sides: the one in which it revokes itself wins;
 *  3. only additions (addDevice, vouch, addMember) on both sides: both hold, applied in the order of their hashes;
 *  4. else the one that revokes something wins, else the lower hash.
 * What loses stays in the log as long as there is room, so that its owner can be shown what happened.
 */
import { toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
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

/** How heads fare against each other. Ascending. */
export interface Standing {
  /** What they say together holds. */
  readonly holding: readonly string[]
  /** What an entry is to follow so that no other turns what holds: not heads that lost to a higher rank. */
  readonly next: readonly string[]
}

export class History {
  readonly #rules: Rules
  /** Entries that stand as links, do nothing and weigh nothing: those said to be so, and those that are not allowed. */
  readonly #void: Set<string>
  readonly #nodes = new Map<string, Node>()
  readonly #outcomes = new Map<string, Outcome>()
  readonly #winnersOf = new Map<string, readonly string[]>()

  constructor(rules: Rules, isVoid: ReadonlySet<string> = new Set()) {
    this.#rules = rules
    this.#void = new Set(isVoid)
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
    const winners = this.#winners(sorted)
    const outcome =
      winners.length === 1 ? (this.#outcomes.get(winners[0] as string) as Outcome) : this.#merge(winners)
    this.#outcomes.set(name, outcome)
    return outcome
  }

  standing(heads: readonly string[]): Standing {
    const { applied } = this.outcome(heads)
    const settles = (names: readonly string[]): boolean => isEqual(this.outcome(names).applied, applied)
    const winners = this.#winners(heads.toSorted())
    const acting = this.#acting(winners, applied)
    const holding = settles(acting) ? acting : winners
    // An addition that another made impossible is one of the winners, and yet lost: what comes would meet it again.
    const won = new Set(winners.filter((head) => applied.has(head) || this.#void.has(head)))
    const lost = heads.filter((head) => !won.has(head))
    const open = lost.filter((head) => {
      const { ours, theirs } = this.#weigh(holding, head)
      return ours.rank >= theirs.rank
    })
    // One key on both sides may have decided by way of a head that lost to a higher one. Then that is followed too.
    const others = settles([...holding, ...open]) ? open : lost
    const next = [...holding, ...others].slice(0, limits.identityPreviousMax)
    // What holds may be what a head that does nothing follows; an entry names none beside one that follows it.
    return { holding: holding.toSorted(), next: this.headsOf(this.ancestry(next)) }
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
      if (admit === undefined || !isBroken(error)) throw error
      this.#void.add(name)
      return before
    }
  }

  /** In place of those that do nothing, what they follow. */
  #acting(heads: readonly string[], applied: ReadonlySet<string>): readonly string[] {
    if (heads.every((head) => applied.has(head))) return heads
    // A set grows while it is gone through, and takes nobody twice.
    const looked = new Set(heads)
    for (const name of looked)
      if (!applied.has(name)) for (const parent of this.#node(name).parents) looked.add(parent)
    return this.headsOf(this.ancestry([...looked].filter((name) => applied.has(name))))
  }

  #winners(sorted: readonly string[]): readonly string[] {
    const name = sorted.join()
    const known = this.#winnersOf.get(name)
    if (known !== undefined) return known
    let winners: string[] = []
    for (const head of sorted) winners = winners.length === 0 ? [head] : this.#meet(winners, head)
    this.#winnersOf.set(name, winners)
    return winners
  }

  #meet(winners: readonly string[], head: string): string[] {
    const { ours, theirs } = this.#weigh(winners, head)
    if (ours.rank !== theirs.rank) return ours.rank < theirs.rank ? [...winners] : [head]
    if (ours.revokesItself !== theirs.revokesItself) return ours.revokesItself ? [...winners] : [head]
    if (ours.onlyAdds && theirs.onlyAdds) return [...winners, head]
    if (ours.revokes !== theirs.revokes) return ours.revokes ? [...winners] : [head]
    // Heads come in ascending order: what stands already has the lower hash.
    return [...winners]
  }

  /** Each side since they parted, by the ranks as of there. */
  #weigh(winners: readonly string[], head: string): { ours: Weight; theirs: Weight } {
    const [our, their] = [this.ancestry(winners), this.ancestry([head])]
    const common = intersection(our, their)
    if (common.size === 0) throw new OnehopError('BAD_IDENTITY', 'two logs, not one')
    const { facts } = this.outcome(this.headsOf(common))
    const weightOf = (names: ReadonlySet<string>): Weight => {
      const counted = [...difference(names, common)].filter((name) => !this.#void.has(name))
      return weigh(
        counted.map((name) => this.#node(name).entry),
        (entry) => this.#rules.rankOf(facts, entry),
      )
    }
    return { ours: weightOf(our), theirs: weightOf(their) }
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

function isEqual(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one))
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
