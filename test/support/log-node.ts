import type { RequestOf } from '../../protocol/api/operations.ts'
import type { Transport } from '../../client/transport.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import type { IdentityState, People } from '../../protocol/identity/types.ts'

/** A node that knows logs and nothing else. `told` says whose travel with a group's; all of its members' unless changed. */
export class LogNode {
  readonly asked: string[] = []
  readonly appended: RequestOf<'identity.append'>[] = []
  told: (group: IdentityState) => readonly Uint8Array[] = ({ members }) =>
    [...members.values()].flatMap(({ identity }) => this.log(identity) ?? [])
  readonly call: Transport['call']
  readonly #states = new Map<string, IdentityState>()
  readonly #people: People = (id) => this.#states.get(toHex(id))

  constructor(crypto: CryptoProvider, states: readonly IdentityState[]) {
    for (const state of states) this.know(state)
    const answer = (operation: string, request: never): unknown => {
      if (operation === 'identity.get') return this.#get(request)
      if (operation === 'identity.groups') return { groups: this.#groups(request) }
      if (operation === 'identity.append') return this.#append(crypto, request)
      throw new OnehopError('UNSUPPORTED', operation)
    }
    this.call = async (operation, request) => answer(operation, request as never) as never
  }

  know(state: IdentityState): void {
    this.#states.set(toHex(state.id), state)
  }

  state(id: Uint8Array): IdentityState | undefined {
    return this.#states.get(toHex(id))
  }

  log(id: Uint8Array): Uint8Array | undefined {
    const state = this.state(id)
    return state && encodeLog(state.entries)
  }

  #get({ identity }: RequestOf<'identity.get'>) {
    this.asked.push(toHex(identity))
    const state = this.state(identity)
    if (state === undefined) throw new OnehopError('UNKNOWN_IDENTITY', 'nobody asked knows them')
    return { log: encodeLog(state.entries), people: state.type === 'group' ? this.told(state) : [] }
  }

  #groups({ owner }: RequestOf<'identity.groups'>) {
    return [...this.#states.values()].flatMap(({ id, members }) => {
      const member = members.get(toHex(owner))
      if (member === undefined) return []
      return [{ group: id, role: member.role, members: members.size, label: '', held: true }]
    })
  }

  #append(crypto: CryptoProvider, request: RequestOf<'identity.append'>) {
    this.appended.push(request)
    const state = this.state(request.identity)
    if (state === undefined) throw new OnehopError('NOT_HOSTED', 'not here')
    this.know(append(crypto, state, decodeLog(crypto, request.log), this.#people))
    return { added: 1 }
  }
}
