import { fromHex, toHex } from '../protocol/bytes.ts'
import { nameOf } from '../protocol/id-name.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { decodeLog, encodeLog } from '../protocol/identity/entry.ts'
import { refreshed, replay } from '../protocol/identity/log.ts'
import type { IdentityState, People } from '../protocol/identity/types.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { Visitors } from './visitors.ts'

/** States kept replayed. A state is some kilobytes; the rest are replayed from the store in about 0.2 ms. */
const statesMax = 8_192
/** Logs of people who were only looked up: those of some thousand, each about 400 bytes to 3 KB. */
const visitorBytesMax = 8 * 2 ** 20

type ReadBy = ReadonlyMap<string, IdentityState | undefined>

/** What the logs say that are on the disk or were looked up, as far as it is in memory; the newest, whoever asks. */
export class KnownIdentities {
  readonly #crypto: CryptoProvider
  readonly #stored: (id: IdentityId) => Uint8Array | undefined
  readonly #kept = new Map<string, IdentityState>()
  readonly #visitors = new Visitors<IdentityState>(visitorBytesMax)
  /** Of a group in memory: the states of its authors by which it was read. */
  readonly #readBy = new Map<string, ReadBy>()

  constructor(crypto: CryptoProvider, stored: (id: IdentityId) => Uint8Array | undefined) {
    this.#crypto = crypto
    this.#stored = stored
  }

  get(id: IdentityId): IdentityState | undefined {
    const name = nameOf(id)
    const kept = this.#kept.get(name)
    const known = kept ?? this.#visitors.get(name)
    if (known !== undefined && !this.#isCurrent(name)) return this.#refresh(known)
    if (kept !== undefined) this.#remember(name, kept)
    if (known !== undefined) return known
    const log = this.#stored(id)
    if (log === undefined) return undefined
    return this.#read((people) => replay(this.#crypto, decodeLog(this.#crypto, log), people))
  }

  /** Somebody who was only looked up. */
  visitor(id: IdentityId): IdentityState | undefined {
    return this.#visitors.get(toHex(id))
  }

  /** It is on the disk now. True where they were only looked up before. */
  keep(state: IdentityState): boolean {
    const name = toHex(state.id)
    const wasVisitor = this.#visitors.has(name)
    this.#visitors.delete(name)
    this.#remember(name, state)
    if (state.type === 'group') this.#refresh(state)
    return wasVisitor
  }

  visit(state: IdentityState): void {
    this.#welcome(toHex(state.id), state)
    if (state.type === 'group') this.#refresh(state)
  }

  /** What a group's log says now that somebody's in it has grown: its own entries are as good as they were. */
  #refresh(state: IdentityState): IdentityState {
    const before = this.#readBy.get(toHex(state.id))
    return this.#read((people) => refreshed(state, people), before)
  }

  /** Remembers by whose logs a group's was read. `before`: of those who were forgotten since, what was known then. */
  #read(read: (people: People) => IdentityState, before?: ReadBy): IdentityState {
    const used = new Map<string, IdentityState | undefined>()
    const state = read((person) => {
      const name = toHex(person)
      const one = this.get(person) ?? before?.get(name)
      used.set(name, one)
      return one
    })
    const name = toHex(state.id)
    if (state.type === 'group') this.#readBy.set(name, used)
    if (this.#visitors.has(name)) this.#welcome(name, state)
    else this.#remember(name, state)
    return state
  }

  #isCurrent(name: string): boolean {
    const used = this.#readBy.get(name)
    if (used === undefined) return true
    for (const [person, state] of used) {
      const now = this.get(fromHex(person, 32) as IdentityId)
      if (now !== undefined && now !== state) return false
    }
    return true
  }

  #welcome(name: string, state: IdentityState): void {
    const gone = this.#visitors.set(name, state, encodeLog(state.entries).length)
    for (const one of gone) this.#readBy.delete(one)
  }

  #remember(name: string, state: IdentityState): void {
    this.#kept.delete(name)
    this.#kept.set(name, state)
    if (this.#kept.size > statesMax) {
      const [oldest] = this.#kept.keys()
      this.#kept.delete(oldest as string)
      this.#readBy.delete(oldest as string)
    }
  }
}
