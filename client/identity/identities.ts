import type { ReplyOf } from '../../protocol/api/operations.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { decodeLog } from '../../protocol/identity/entry.ts'
import { append, refreshed, replay } from '../../protocol/identity/log.ts'
import type { IdentityState, People, SignedEntry } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { AppParts } from '../app-parts.ts'
import { clientLimits } from '../limits.ts'
import type { CallOptions, Transport } from '../transport.ts'

const nobody: People = () => undefined

/**
 * Identity logs of others, verified. Nodes are asked, and not believed: a log proves itself, and entries once seen
 * stay, so that a node cannot take a revocation back. They are not verified again, whoever sends them.
 */
export class Identities {
  readonly #crypto: CryptoProvider
  readonly #transport: () => Pick<Transport, 'call'>
  readonly #about: AppParts['callAbout'] | undefined
  readonly #states: Map<string, IdentityState>
  readonly #fetching = new Map<string, Promise<IdentityState>>()
  /** By group, whose logs came with its own. */
  readonly #brought: Map<string, readonly string[]>

  /** `about`: asks those who hold a shard. `like`: what those know is known here, and the other way round. */
  constructor(
    crypto: CryptoProvider,
    transport: () => Pick<Transport, 'call'>,
    about?: AppParts['callAbout'],
    like?: Identities,
  ) {
    this.#crypto = crypto
    this.#transport = transport
    this.#about = about
    this.#states = like === undefined ? new Map<string, IdentityState>() : like.#states
    this.#brought = like === undefined ? new Map<string, readonly string[]>() : like.#brought
  }

  /** The same people, asked of one node alone. */
  from(node: Pick<Transport, 'call'>): Identities {
    return new Identities(this.#crypto, () => node, undefined, this)
  }

  known(id: IdentityId): IdentityState | undefined {
    return this.#states.get(toHex(id))
  }

  /** Groups whose logs were asked for and name this person. */
  groupsOf(person: IdentityId): readonly IdentityId[] {
    const name = toHex(person)
    return [...this.#states.values()].flatMap(({ id, members }) => (members.has(name) ? [id] : []))
  }

  /** In hex, whose logs came with this group's when it was last asked for. */
  broughtWith(group: IdentityId): Set<string> {
    return new Set(this.#brought.get(toHex(group)))
  }

  /** From memory, else from the node. Throws UNKNOWN_IDENTITY or what is wrong with the log. */
  async get(id: IdentityId, options: CallOptions = {}): Promise<IdentityState> {
    return this.known(id) ?? this.#once(`get ${toHex(id)}`, () => this.#fetch(id, options))
  }

  /** Asks again, and whoever holds the shard: the near node may know a stranger as they were. */
  refresh(id: IdentityId, options: CallOptions = {}): Promise<IdentityState> {
    return this.#once(`refresh ${toHex(id)}`, async () => {
      try {
        const newest = await this.#about?.(id, 'identity.get', { identity: id, held: true }, options)
        if (newest !== undefined) return this.#take(id, newest)
      } catch (error) {
        if (!(error instanceof OnehopError)) throw error
      }
      return this.#fetch(id, options)
    })
  }

  /**
   * Gets many at once; those that nobody has, or that are faulty, are missing in the answer. `again`: asks for those that are
   * known, too.
   */
  async gather(
    ids: Iterable<IdentityId>,
    options: CallOptions = {},
    how: 'known' | 'again' = 'known',
  ): Promise<Map<string, IdentityState>> {
    const wanted = new Map<string, IdentityId>()
    for (const id of ids) wanted.set(toHex(id), id)
    const found = new Map<string, IdentityState>()
    const queue = [...wanted]
    const worker = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const [name, id] = next
        try {
          found.set(name, await (how === 'again' ? this.refresh(id, options) : this.get(id, options)))
        } catch (error) {
          // One author without a log must not take the page with it; a node that is gone must.
          if (!(error instanceof OnehopError) || !isAboutLog(error)) throw error
        }
      }
    }
    await Promise.all(Array.from({ length: clientLimits.identityFetchesMax }, worker))
    return found
  }

  learn(state: IdentityState): IdentityState {
    const before = this.known(state.id)
    if (before === undefined) return this.#keep(state)
    return this.#keep(append(this.#crypto, before, state.entries, (id) => this.known(id)))
  }

  #keep(state: IdentityState): IdentityState {
    const name = toHex(state.id)
    // Re-inserted at the end: the map's order is the order of use.
    this.#states.delete(name)
    this.#states.set(name, state)
    if (this.#states.size > clientLimits.identitiesMax) {
      const [oldest] = this.#states.keys()
      if (oldest !== undefined) this.#forget(oldest)
    }
    return state
  }

  #forget(name: string): void {
    this.#states.delete(name)
    this.#brought.delete(name)
  }

  #once(name: string, fetch: () => Promise<IdentityState>): Promise<IdentityState> {
    const under = this.#fetching.get(name)
    if (under !== undefined) return under
    const fetched = fetch().finally(() => this.#fetching.delete(name))
    this.#fetching.set(name, fetched)
    return fetched
  }

  async #fetch(id: IdentityId, options: CallOptions): Promise<IdentityState> {
    return this.#take(id, await this.#transport().call('identity.get', { identity: id }, options))
  }

  #take(id: IdentityId, { log, people }: ReplyOf<'identity.get'>): IdentityState {
    const entries = decodeLog(this.#crypto, log)
    // Before anything is taken in: an identity's id is the hash of its genesis.
    if (!equalBytes(genesisOf(entries).hash, id))
      throw new OnehopError('BAD_IDENTITY', 'the node sent the log of another identity')
    const brought = people.flatMap((person) => this.#takePerson(person) ?? [])
    const state = this.#join(entries, (person) => this.known(person))
    if (state.type === 'group') this.#brought.set(toHex(id), brought)
    return state
  }

  /** One that is faulty does not hinder: without it the group's own log stands, or is refused. */
  #takePerson(log: Uint8Array): string | undefined {
    try {
      const entries = decodeLog(this.#crypto, log)
      if (genesisOf(entries).body.kind !== 'genesisPerson') return undefined
      return toHex(this.#join(entries, nobody).id)
    } catch (error) {
      if (!(error instanceof OnehopError) || !isAboutLog(error)) throw error
      return undefined
    }
  }

  /** With what is known already, by which entries are told apart: no signature is looked at twice. */
  #join(entries: readonly SignedEntry[], people: People): IdentityState {
    const before = this.known(genesisOf(entries).hash)
    if (before === undefined) return this.#keep(replay(this.#crypto, entries, people))
    const after = append(this.#crypto, before, entries, people)
    // What a group's log says may be another thing once a member's has grown.
    return this.#keep(after === before ? refreshed(before, people) : after)
  }
}

function genesisOf(entries: readonly SignedEntry[]): SignedEntry {
  const genesis = entries.find((entry) => entry.identity === undefined)
  if (genesis === undefined) throw new OnehopError('BAD_IDENTITY', 'a log begins with a genesis')
  return genesis
}

function isAboutLog({ code }: OnehopError): boolean {
  return [
    'UNKNOWN_IDENTITY',
    'NOT_FOUND',
    'BAD_IDENTITY',
    'BAD_MESSAGE',
    'BAD_SIGNATURE',
    'UNSUPPORTED',
    'TOO_LARGE',
  ].includes(code)
}
