import { concatBytes, emptyBytes, fromHex, toHex } from '../protocol/bytes.ts'
import { decode, encode } from '../protocol/codec.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { decodeLog, encodeLog } from '../protocol/identity/entry.ts'
import { append, replay } from '../protocol/identity/log.ts'
import { heldBack, probationMs } from '../protocol/identity/probation.ts'
import type { IdentityState, People } from '../protocol/identity/types.ts'
import { limits } from '../protocol/limits.ts'
import { recoveryKeysIn } from '../protocol/identity/recovery.ts'
import type { Clock } from '../protocol/ports.ts'
import type { DeviceKey, IdentityId } from '../protocol/record/types.ts'
import type { Store, StoreBatch } from '../storage/types.ts'

const kind = 'identity'
/** By identity and device on probation: Unix milliseconds when it was first known here. */
const knownKind = 'device-known'
/** Empty documents by group. */
const groupKind = 'group'
/** Empty documents by person and group: whose logs a group's is read by. */
export const memberKind = 'group-member'
/** Empty documents by recovery key and identity: which logs name or named which recovery key. */
export const recoveryKind = 'recovery'

/** States kept replayed. A state is some kilobytes; the rest are replayed from the store in about 0.2 ms. */
const statesMax = 8_192

export interface AcceptOptions {
  /** A device brings its own entries, and nobody has accepted them yet. */
  readonly isFirst?: boolean
}

/** The identity logs that this node knows. They only grow: what was accepted once stays. */
export class Identities {
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #states = new Map<string, IdentityState>()
  /** Of a group that is kept: the states of its members by which it was read. */
  readonly #readBy = new Map<string, ReadonlyMap<string, IdentityState | undefined>>()
  readonly #listeners = new Set<(state: IdentityState) => void>()

  constructor(store: Store, crypto: CryptoProvider, clock: Pick<Clock, 'nowMs'>) {
    this.#store = store
    this.#crypto = crypto
    this.#clock = clock
  }

  get(id: IdentityId): IdentityState | undefined {
    const name = toHex(id)
    const known = this.#states.get(name)
    if (known !== undefined && this.#isCurrent(name)) {
      this.#remember(name, known)
      return known
    }
    const log = this.#store.documents.get(kind, id)
    if (log === undefined) return undefined
    return this.#read((people) => replay(this.#crypto, decodeLog(this.#crypto, log), people))
  }

  /** The log as it travels. */
  log(id: IdentityId): Uint8Array | undefined {
    return this.#store.documents.get(kind, id)
  }

  /** For a group, the logs of its members: without them its own says nothing. None for a person. */
  people(id: IdentityId): Uint8Array[] {
    // Asked for every shard that is told: a look-up, not a replay.
    if (this.#store.documents.get(groupKind, id) === undefined) return []
    const state = this.get(id) as IdentityState
    const ids = new Map(
      [...state.members.values()].map((member) => [toHex(member.identity), member.identity]),
    )
    for (const { author } of state.entries) if (author !== undefined) ids.set(toHex(author), author)
    return [...ids.values()].flatMap((person) => this.log(person) ?? []).slice(0, limits.identityPeopleMax)
  }

  /** A log that came with those of the people in it, which are taken in first. One that is faulty does not hinder. */
  async acceptAll(
    people: readonly Uint8Array[],
    id: IdentityId | undefined,
    encoded: Uint8Array,
    options: AcceptOptions = {},
  ): Promise<{ state: IdentityState; added: number }> {
    await Promise.allSettled(people.map((log) => this.accept(undefined, log)))
    return this.accept(id, encoded, options)
  }

  /** Of some group that is known here. */
  async isMember(person: IdentityId): Promise<boolean> {
    return (await this.#store.documents.list(memberKind, { prefix: person, limit: 1 })).length > 0
  }

  /**
   * Takes in a log or new entries of one. Throws what `append` throws, and then nothing changed. The whole
   * decision is made inside the batch, so that two phones that append at once both keep their entry. `isFirst`: a device
   * brings its own entries, and nobody has accepted them yet; FORBIDDEN where it is on probation, BAD_IDENTITY where a
   * group's log takes them in and they come to nothing.
   */
  async accept(
    id: IdentityId | undefined,
    encoded: Uint8Array,
    { isFirst = false }: AcceptOptions = {},
  ): Promise<{ state: IdentityState; added: number }> {
    const entries = decodeLog(this.#crypto, encoded)
    const genesis = entries.find((entry) => entry.identity === undefined)
    const owner = id ?? genesis?.hash ?? entries[0]?.identity
    if (owner === undefined) throw new OnehopError('BAD_IDENTITY', 'the log is empty')

    const known = this.get(owner)
    if (known !== undefined && append(this.#crypto, known, entries, (person) => this.get(person)) === known)
      return { state: known, added: 0 }

    const { after, added } = await this.#store.write((batch) => {
      const people: People = (person) => this.get(person)
      const stored = this.#store.documents.getIn(batch, kind, owner)
      const before = stored && replay(this.#crypto, decodeLog(this.#crypto, stored), people)
      const after = before
        ? append(this.#crypto, before, entries, people)
        : replay(this.#crypto, entries, people)
      if (toHex(after.id) !== toHex(owner)) {
        throw new OnehopError('BAD_IDENTITY', `the log is of ${toHex(after.id)}, not of ${toHex(owner)}`)
      }
      if (isFirst) {
        this.#checkProbation(batch, before, after)
        checkCounts(before, after)
      }
      this.#noteProbation(batch, before, after)
      this.#noteMembers(batch, after)
      this.#store.documents.putIn(batch, kind, owner, encodeLog(after.entries))
      for (const key of recoveryKeysIn(after)) {
        this.#store.documents.putIn(batch, recoveryKind, concatBytes(key, owner), emptyBytes)
      }
      return { after, added: after.entries.length - (before?.entries.length ?? 0) }
    })
    const state = after.type === 'group' ? this.#readAnew(owner) : after
    if (after.type === 'person') this.#remember(toHex(owner), after)
    if (added > 0) await this.#tell(state)
    return { state, added }
  }

  /** Calls back after every log that grew, and of every group that has its member's log grow; returns the way to stop. */
  onGrown(listener: (state: IdentityState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #tell(state: IdentityState): Promise<void> {
    for (const listener of this.#listeners) listener(state)
    if (state.type !== 'person') return
    const rows = await this.#store.documents.list(memberKind, { prefix: state.id })
    for (const { key } of rows) {
      const group = this.get(key.slice(32))
      if (group !== undefined) for (const listener of this.#listeners) listener(group)
    }
  }

  /** Remembers by whose logs a group's was read. */
  #read(read: (people: People) => IdentityState): IdentityState {
    const used = new Map<string, IdentityState | undefined>()
    const state = read((person) => {
      const one = this.get(person)
      used.set(toHex(person), one)
      return one
    })
    const name = toHex(state.id)
    if (state.type === 'group') this.#readBy.set(name, used)
    this.#remember(name, state)
    return state
  }

  #isCurrent(name: string): boolean {
    const used = this.#readBy.get(name)
    if (used === undefined) return true
    for (const [person, state] of used) {
      if (this.get(fromHex(person, 32) as IdentityId) !== state) return false
    }
    return true
  }

  #readAnew(group: IdentityId): IdentityState {
    this.#states.delete(toHex(group))
    this.#readBy.delete(toHex(group))
    return this.get(group) as IdentityState
  }

  /** In which groups somebody has a say, so that those are read anew when their log grows. */
  #noteMembers(batch: StoreBatch, { id, type, members, entries }: IdentityState): void {
    if (type !== 'group') return
    this.#store.documents.putIn(batch, groupKind, id, emptyBytes)
    const people = [...members.values()].map(({ identity }) => identity)
    for (const person of [...people, ...entries.flatMap(({ author }) => author ?? [])])
      this.#store.documents.putIn(batch, memberKind, concatBytes(person, id), emptyBytes)
  }

  #checkProbation(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
    const known = new Set(before?.entries.map(({ hash }) => toHex(hash)))
    const knownForMs = (device: DeviceKey): number => {
      if (before?.devices.has(toHex(device)) !== true) return 0
      const since = this.#store.documents.getIn(batch, knownKind, concatBytes(after.id, device))
      return since === undefined ? Infinity : this.#clock.nowMs() - (decode(since) as number)
    }
    for (const entry of after.entries) {
      const held = known.has(toHex(entry.hash)) ? undefined : heldBack(after, entry, knownForMs)
      if (held === undefined) continue
      const hours = Math.ceil((probationMs - knownForMs(held)) / 3_600_000)
      throw new OnehopError(
        'FORBIDDEN',
        `device ${toHex(held)} is new: for ${hours} h it adds and revokes nothing`,
        {
          help: 'Do it with an older device, or vouch for the new one there.',
        },
      )
    }
  }

  /** Since when a device on probation has been known here. */
  #noteProbation(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
    for (const [name, { key, probation }] of after.devices) {
      if (!probation || before?.devices.has(name) === true) continue
      const since = encode(Math.floor(this.#clock.nowMs()))
      this.#store.documents.putIn(batch, knownKind, concatBytes(after.id, key), since)
    }
  }

  #remember(name: string, state: IdentityState): void {
    this.#states.delete(name)
    this.#states.set(name, state)
    if (this.#states.size > statesMax) {
      const [oldest] = this.#states.keys()
      this.#states.delete(oldest as string)
      this.#readBy.delete(oldest as string)
    }
  }
}

/** What a device adds to a group's log is to be allowed now; later it may cease to be, and stays in the log. */
function checkCounts(before: IdentityState | undefined, after: IdentityState): void {
  if (after.type !== 'group') return
  const known = new Set(before?.entries.map(({ hash }) => toHex(hash)))
  const idle = after.entries.find(({ hash }) => !known.has(toHex(hash)) && after.dropped.has(toHex(hash)))
  if (idle !== undefined)
    throw new OnehopError('BAD_IDENTITY', `entry ${toHex(idle.hash)} (${idle.body.kind}) comes to nothing`, {
      help: 'Read the log of the group again: somebody changed it, or its author may not.',
    })
}
