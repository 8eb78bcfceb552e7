import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { decodeLog } from '../protocol/identity/entry.ts'
import { append, replay } from '../protocol/identity/log.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { clientLimits } from './limits.ts'
import type { CallOptions, Transport } from './transport.ts'

/**
 * Identity logs of others, verified. Nodes are asked, and not believed: a log proves itself, and entries once seen
 * stay, so that a node cannot take a revocation back.
 */
export class Identities {
  readonly #crypto: CryptoProvider
  readonly #transport: () => Pick<Transport, 'call'>
  readonly #states = new Map<string, IdentityState>()
  readonly #fetching = new Map<string, Promise<IdentityState>>()

  constructor(crypto: CryptoProvider, transport: () => Pick<Transport, 'call'>) {
    this.#crypto = crypto
    this.#transport = transport
  }

  known(id: IdentityId): IdentityState | undefined {
    return this.#states.get(toHex(id))
  }

  /** From memory, else from the node. Throws UNKNOWN_IDENTITY or what is wrong with the log. */
  async get(id: IdentityId, options: CallOptions = {}): Promise<IdentityState> {
    return this.known(id) ?? this.refresh(id, options)
  }

  /** Asks the node again: a device may have been admitted since. */
  refresh(id: IdentityId, options: CallOptions = {}): Promise<IdentityState> {
    const name = toHex(id)
    const under = this.#fetching.get(name)
    if (under !== undefined) return under
    const fetched = this.#fetch(id, options).finally(() => this.#fetching.delete(name))
    this.#fetching.set(name, fetched)
    return fetched
  }

  /** Gets many at once; those that nobody has, or that are faulty, are missing in the answer. */
  async gather(ids: Iterable<IdentityId>, options: CallOptions = {}): Promise<Map<string, IdentityState>> {
    const wanted = new Map<string, IdentityId>()
    for (const id of ids) wanted.set(toHex(id), id)
    const found = new Map<string, IdentityState>()
    const queue = [...wanted]
    const worker = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const [name, id] = next
        try {
          found.set(name, await this.get(id, options))
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
    const name = toHex(state.id)
    const before = this.#states.get(name)
    const joined =
      before === undefined ? state : append(this.#crypto, before, state.entries, (id) => this.known(id))
    // Re-inserted at the end: the map's order is the order of use.
    this.#states.delete(name)
    this.#states.set(name, joined)
    if (this.#states.size > clientLimits.identitiesMax) {
      const [oldest] = this.#states.keys()
      if (oldest !== undefined) this.#states.delete(oldest)
    }
    return joined
  }

  async #fetch(id: IdentityId, options: CallOptions): Promise<IdentityState> {
    const { log, people } = await this.#transport().call('identity.get', { identity: id }, options)
    for (const person of people) this.learn(replay(this.#crypto, decodeLog(this.#crypto, person)))
    const state = replay(this.#crypto, decodeLog(this.#crypto, log), (person) => this.known(person))
    if (!equalBytes(state.id, id))
      throw new OnehopError('BAD_IDENTITY', 'the node sent the log of another identity')
    return this.learn(state)
  }
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
