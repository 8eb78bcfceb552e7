import { concatBytes, emptyBytes, equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { decodeLog, encodeLog } from '../protocol/identity/entry.ts'
import { isLiveKey } from '../protocol/identity/live-key.ts'
import { append, replay } from '../protocol/identity/log.ts'
import type { BoxState, IdentityState, People, SignedEntry } from '../protocol/identity/types.ts'
import { recoveryKeysIn } from '../protocol/identity/recovery.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Store, StoreBatch } from '../storage/types.ts'
import { nextTurn } from './clock.ts'
import { EntryRate } from './entry-rate.ts'
import { KnownIdentities } from './known-identities.ts'
import { Memberships } from './memberships.ts'
import { authorsIn, namedIn } from './named-people.ts'
import { Probation } from './probation.ts'

export const identityKind = 'identity'
/** Empty documents by identity. */
const unsettledKind = 'unsettled'
/** Empty documents by group. */
const groupKind = 'group'
/** Empty documents by recovery key and identity: which logs name or named which recovery key. */
export const recoveryKind = 'recovery'

export interface AcceptOptions {
  /** Logs of people: a group's takes those that it names, each once; a person's takes none. One that is faulty is left out. */
  readonly people?: readonly Uint8Array[]
  /** A device brings its own entries, and nobody has accepted them yet. */
  readonly isFirst?: boolean
  /** Throws where a log that says this is not to be kept. */
  readonly allow?: (state: IdentityState) => void
}

/** A log as it would be with what came. */
interface Judged {
  readonly id: IdentityId
  readonly before: IdentityState | undefined
  readonly after: IdentityState
}

/** The identity logs that this node knows. They grow; branches that lost go where a log would grow too long. */
export class Identities {
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #probation: Probation
  readonly #rate: EntryRate
  readonly #known: KnownIdentities
  readonly #memberships: Memberships
  readonly #listeners = new Set<(state: IdentityState) => void>()
  readonly #keepers = new Set<(id: IdentityId) => Promise<void>>()

  constructor(store: Store, crypto: CryptoProvider, clock: Pick<Clock, 'nowMs'>) {
    this.#store = store
    this.#crypto = crypto
    this.#probation = new Probation(store, clock)
    this.#rate = new EntryRate(store, clock)
    this.#memberships = new Memberships(store)
    this.#known = new KnownIdentities(crypto, (id) => store.documents.get(identityKind, id))
  }

  /** Once, before anything is asked: what earlier runs of the node noted. */
  async load(): Promise<void> {
    await this.#memberships.load()
  }

  get(id: IdentityId): IdentityState | undefined {
    return this.#known.get(id)
  }

  /** The log as it travels. */
  log(id: IdentityId): Uint8Array | undefined {
    const stored = this.#store.documents.get(identityKind, id)
    const visitor = stored === undefined ? this.#known.visitor(id) : undefined
    return visitor === undefined ? stored : encodeLog(visitor.entries)
  }

  /** Whether it is on the disk; else it was looked up at most, and is forgotten in time. */
  isKept(id: IdentityId): boolean {
    return this.#store.documents.get(identityKind, id) !== undefined
  }

  /**
   * For a group, the logs of the people in it: first those without which its own cannot be read, so that a message that
   * has no room for all takes the first. None for a person.
   */
  people(id: IdentityId): Uint8Array[] {
    // Asked for every shard that is told: a look-up, not a replay.
    const isGroup =
      this.#store.documents.get(groupKind, id) !== undefined || this.#known.visitor(id)?.type === 'group'
    const state = isGroup ? this.get(id) : undefined
    return namedIn(state?.entries ?? []).flatMap((person) => this.log(person) ?? [])
  }

  /**
   * Identities whose logs shut a device or a member out, or let one in on a branch that lost: their records are looked at
   * when the node starts, as it may have ended between taking the log and dropping them.
   */
  async unsettled(): Promise<IdentityId[]> {
    const found: IdentityId[] = []
    let gt: Uint8Array | undefined
    do {
      const page = await this.#store.documents.list(unsettledKind, { ...(gt && { gt }), limit: 1_000 })
      found.push(...page.map(({ key }) => key))
      gt = page.length < 1_000 ? undefined : page.at(-1)?.key
    } while (gt !== undefined)
    return [...found, ...found.flatMap((person) => this.#groupsHere(person))]
  }

  /** Groups known here that name the person, now or once. */
  groupsNaming(person: IdentityId): IdentityId[] {
    return this.#memberships.groupsOf(person)
  }

  /** Named by a group whose shard is here, now or once. */
  isNamed(person: IdentityId): boolean {
    return this.#groupsHere(person).length > 0
  }

  /** In a group whose shard is here, by what its log says now. */
  isMember(person: IdentityId): boolean {
    return this.#groupsHere(person).some((group) => this.get(group)?.members.has(toHex(person)) === true)
  }

  /**
   * Takes in a log or new entries of one, and those of the people in a group. Throws what `append` throws, or `allow`, and
   * then nothing changed. What was judged is decided inside one batch, so that two phones that append at once both keep
   * their entry. `isFirst`: FORBIDDEN where the device is on probation, BUSY after too many in a day, TOO_LARGE where its entries
   * lost and there is no room for them, BAD_IDENTITY where a group's log takes them in and they come to nothing.
   */
  async accept(
    id: IdentityId | undefined,
    encoded: Uint8Array,
    { people: logs = [], isFirst = false, allow }: AcceptOptions = {},
  ): Promise<{ state: IdentityState; added: number }> {
    const { own, people } = await this.#judge(id, encoded, logs)
    allow?.(own.after)
    const owner = own.id
    if (own.before === own.after && people.length === 0 && this.#known.visitor(owner) === undefined)
      return { state: own.after, added: 0 }

    const { grown, before, after } = await this.#store.write((batch) => {
      const grown = people.map((person) => this.#keepIn(batch, person))
      const states = new Map(grown.map((state) => [toHex(state.id), state]))
      const find: People = (person) => states.get(toHex(person)) ?? this.get(person)
      const { before, after } = this.#decide(batch, own, find)
      if (isFirst) {
        checkSigners(before, after)
        this.#probation.check(batch, before, after)
        checkKept(decodeLog(this.#crypto, encoded), after)
        checkCounts(before, after)
        checkEpochs(before, after)
        // Last: of a secret that another owner has given already that is to be told, not that there were too many.
        this.#rate.count(batch, before, after)
      }
      this.#noteMembers(batch, after)
      this.#putIn(batch, before, after)
      return { grown, before, after }
    })
    // All at once, before anybody else's turn: or an older state could take the place of a newer one.
    const fresh = [...grown, after].filter((state) => this.#known.keep(state))
    for (const { id: one } of fresh) for (const keeper of this.#keepers) await keeper(one)
    const added = freshIn(before, after).length
    for (const person of grown) await this.#tell(person)
    const state = this.get(owner) as IdentityState
    if (added > 0) await this.#tell(state)
    return { state, added }
  }

  /**
   * Takes in what a search brought about somebody whom perhaps nobody here hosts or follows: it is judged as `accept`
   * does, and kept in memory for a while. It goes to the disk when `keep` or `accept` says so, or it is there already.
   */
  async visit(
    id: IdentityId | undefined,
    encoded: Uint8Array,
    logs: readonly Uint8Array[] = [],
  ): Promise<IdentityState> {
    const { own, people } = await this.#judge(id, encoded, logs)
    for (const person of people) await this.#receive(person)
    return this.#receive(own)
  }

  /** Whoever was looked up and is needed from now on. */
  async keep(id: IdentityId): Promise<void> {
    const visitor = this.#known.visitor(id)
    if (visitor !== undefined) await this.accept(id, encodeLog(visitor.entries))
  }

  /** Calls back, and waits, when somebody who was only looked up is kept from now on; returns the way to stop. */
  onKept(listener: (id: IdentityId) => Promise<void>): () => void {
    this.#keepers.add(listener)
    return () => this.#keepers.delete(listener)
  }

  /** Calls back after every log that grew, and of every group that has its member's log grow; returns the way to stop. */
  onGrown(listener: (state: IdentityState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #tell(state: IdentityState): Promise<void> {
    for (const listener of this.#listeners) listener(state)
    if (state.type !== 'person') return
    for (const id of this.#groupsHere(state.id)) {
      const group = this.get(id)
      if (group !== undefined) for (const listener of this.#listeners) listener(group)
      // A group may have hundreds of entries, and there may be many of them: others have their turn in between.
      await nextTurn()
    }
  }

  /** Groups that name the person and whose shard is here, whole or in part. No other concerns anybody here. */
  #groupsHere(person: IdentityId): IdentityId[] {
    return this.#memberships.groupsOf(person).filter((group) => this.#store.shards.get(group) !== undefined)
  }

  /**
   * The log with what came, and what is new of the people whom it names. Nothing is kept. Its authors are looked at first:
   * where those do not make it stand, the others cost nothing.
   */
  async #judge(
    id: IdentityId | undefined,
    encoded: Uint8Array,
    logs: readonly Uint8Array[],
  ): Promise<{ own: Judged; people: Judged[] }> {
    const entries = decodeLog(this.#crypto, encoded)
    const owner = id ?? idIn(entries)
    if (owner === undefined) throw new OnehopError('BAD_IDENTITY', 'the log is empty')
    const genesis = entries.find((entry) => entry.identity === undefined)
    const known = this.get(owner)
    const isGroup = known?.type === 'group' || genesis?.body.kind === 'genesisGroup'
    const brought = isGroup ? this.#decodeAll(logs) : new Map<string, SignedEntry[]>()
    const joined = new Map<string, Judged>()
    const join = async (people: readonly IdentityId[]): Promise<void> => {
      for (const person of people) {
        const name = toHex(person)
        if (joined.has(name)) continue
        const judged = this.#joinPerson(person, brought.get(name))
        if (judged === undefined) continue
        joined.set(name, judged)
        await nextTurn()
      }
    }
    if (isGroup) await join(authorsIn([...(known?.entries ?? []), ...entries]))
    const own = this.#join(owner, entries, (person) => joined.get(toHex(person))?.after ?? this.get(person))
    if (own.after.type === 'group') await join(namedIn(own.after.entries))
    return { own, people: [...joined.values()] }
  }

  /** By id in hex; of somebody who comes twice, the first. */
  #decodeAll(logs: readonly Uint8Array[]): Map<string, SignedEntry[]> {
    const brought = new Map<string, SignedEntry[]>()
    for (const log of logs) {
      try {
        const entries = decodeLog(this.#crypto, log)
        const id = idIn(entries)
        if (id !== undefined && !brought.has(toHex(id))) brought.set(toHex(id), entries)
      } catch (error) {
        if (!(error instanceof OnehopError)) throw error
      }
    }
    return brought
  }

  /** What is to be kept of somebody in a group: what came, if it is good and new, or what was only looked up. */
  #joinPerson(id: IdentityId, entries: readonly SignedEntry[] | undefined): Judged | undefined {
    const visitor = this.#known.visitor(id)
    try {
      const judged = entries && this.#join(id, entries, () => undefined)
      if (judged?.after.type === 'person' && judged.after !== judged.before) return judged
    } catch (error) {
      // One that is faulty does not hinder: without it the group's own stands, or is refused.
      if (!(error instanceof OnehopError)) throw error
    }
    return visitor?.type === 'person' ? { id, before: visitor, after: visitor } : undefined
  }

  #join(id: IdentityId, entries: readonly SignedEntry[], people: People): Judged {
    const before = this.get(id)
    const after =
      before === undefined
        ? replay(this.#crypto, entries, people)
        : append(this.#crypto, before, entries, people)
    if (toHex(after.id) !== toHex(id))
      throw new OnehopError('BAD_IDENTITY', `the log is of ${toHex(after.id)}, not of ${toHex(id)}`)
    return { id, before, after }
  }

  /** What was judged holds as long as the disk is as it was then; else it is joined with what came in between. */
  #decide(
    batch: StoreBatch,
    { id, before, after }: Judged,
    people: People,
  ): { before: IdentityState | undefined; after: IdentityState } {
    const stored = this.#store.documents.getIn(batch, identityKind, id)
    if (stored === undefined) return { before: undefined, after }
    if (before !== undefined && equalBytes(stored, encodeLog(before.entries))) return { before, after }
    const now = replay(this.#crypto, decodeLog(this.#crypto, stored), people)
    return { before: now, after: append(this.#crypto, now, after.entries, people) }
  }

  #keepIn(batch: StoreBatch, person: Judged): IdentityState {
    const { before, after } = this.#decide(batch, person, () => undefined)
    this.#putIn(batch, before, after)
    return after
  }

  #putIn(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
    this.#probation.note(batch, before, after)
    if (mayShutOut(after)) this.#store.documents.putIn(batch, unsettledKind, after.id, emptyBytes)
    this.#store.documents.putIn(batch, identityKind, after.id, encodeLog(after.entries))
    for (const key of recoveryKeysIn(after))
      this.#store.documents.putIn(batch, recoveryKind, concatBytes(key, after.id), emptyBytes)
  }

  async #receive({ id, before, after }: Judged): Promise<IdentityState> {
    if (this.isKept(id) || (after.type === 'person' && this.isNamed(id))) {
      if (before === after && this.isKept(id)) return after
      const { state } = await this.accept(id, encodeLog(after.entries))
      return state
    }
    this.#known.visit(after)
    return after
  }

  /** In which groups somebody has a say, so that those are read anew when their log grows. */
  #noteMembers(batch: StoreBatch, { id, type, entries }: IdentityState): void {
    if (type !== 'group') return
    this.#store.documents.putIn(batch, groupKind, id, emptyBytes)
    this.#memberships.noteIn(batch, namedIn(entries), id)
  }
}

/** Whose entries they are, by what they say. */
function idIn(entries: readonly SignedEntry[]): IdentityId | undefined {
  return entries.find((entry) => entry.identity === undefined)?.hash ?? entries[0]?.identity
}

function freshIn(before: IdentityState | undefined, after: IdentityState): SignedEntry[] {
  const known = new Set(before?.entries.map(({ hash }) => toHex(hash)))
  return after.entries.filter(({ hash }) => !known.has(toHex(hash)))
}

/** What lost, and has no room: its device is to hear of it. */
function checkKept(entries: readonly SignedEntry[], { entries: kept }: IdentityState): void {
  const names = new Set(kept.map(({ hash }) => toHex(hash)))
  if (entries.some(({ hash }) => names.has(toHex(hash)))) return
  throw new OnehopError(
    'TOO_LARGE',
    'the identity log is full, and this entry lost to another branch of it',
    {
      help: 'Read the log again and make the change anew on what holds now.',
    },
  )
}

/**
 * What a device that is shut out signed as if it had not been, or one that such a device let in, and nothing else: it comes to
 * nothing, and is not to be counted against the person, who has some changes a day. Others' copies of it come with what they bring
 * beside.
 */
function checkSigners(before: IdentityState | undefined, after: IdentityState): void {
  if (before === undefined || after.type !== 'person') return
  const fresh = freshIn(before, after)
  const isIdle = ({ hash, signer }: SignedEntry): boolean =>
    after.dropped.has(toHex(hash)) && !isLiveKey(after, toHex(signer))
  if (fresh.length > 0 && fresh.every(isIdle))
    throw new OnehopError('REVOKED', 'the device that signed this, or who let it in, was shut out')
}

/**
 * Of two secrets that owners give a group apart from each other one is lost, with what was sealed under it. Whoever comes second
 * here looks again, and finds that it is done. STALE.
 */
function checkEpochs(before: IdentityState | undefined, after: IdentityState): void {
  if (before?.type !== 'group' || !freshIn(before, after).some(({ body }) => body.kind === 'epoch')) return
  const isThere = ({ publicKey }: BoxState): boolean =>
    after.boxes.some((box) => equalBytes(box.publicKey, publicKey))
  if (before.boxes.every(isThere)) return
  throw new OnehopError('STALE', 'the group was given another secret meanwhile', {
    help: 'Ask for its log again: there may be nothing left to do.',
  })
}

/** What a device adds to a group's log is to be allowed now; later it may cease to be, and stays in the log. */
function checkCounts(before: IdentityState | undefined, after: IdentityState): void {
  if (after.type !== 'group') return
  const idle = freshIn(before, after).find(({ hash }) => after.dropped.has(toHex(hash)))
  if (idle !== undefined)
    throw new OnehopError('BAD_IDENTITY', `entry ${toHex(idle.hash)} (${idle.body.kind}) comes to nothing`, {
      help: 'Read the log of the group again: somebody changed it, or its author may not.',
    })
}

function mayShutOut({ devices, formerMembers, dropped }: IdentityState): boolean {
  return (
    formerMembers.size > 0 ||
    dropped.size > 0 ||
    [...devices.values()].some(({ revoked }) => revoked !== undefined)
  )
}
