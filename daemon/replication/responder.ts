import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { IdentityId, RecordId, RecordRef } from '../../protocol/record/types.ts'
import { takeUp } from '../../protocol/reconcile/machine.ts'
import { decodeFetch, decodeReconcile, encodeFetched } from '../../protocol/replication/messages.ts'
import type { Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc, RpcRequest } from '../net/rpc.ts'
import { byTurns, type ByTurnsParts } from './by-turns.ts'
import type { Holders } from './holders.ts'
import { Listed } from './listed.ts'

export const messageBytesMax = limits.frameBytesMax - 16_384

export interface ResponderParts extends ByTurnsParts {
  readonly rpc: Rpc
  readonly store: Store
  readonly hosting: Pick<Hosting, 'has'>
  readonly holders: Pick<Holders, 'isHolder'>
  /** Place in its shard's arrival log of a record that came lately. */
  readonly positionOf: (id: RecordId) => number | undefined
}

/** Tells another holder what is here of a shard, and gives it what it lacks. */
export class Responder {
  readonly #parts: ResponderParts
  readonly #listed = new Listed()
  readonly #lines = new Map<NodeId, Promise<unknown>>()

  constructor(parts: ResponderParts) {
    this.#parts = parts
  }

  serve(): void {
    const { rpc } = this.#parts
    rpc.handle('shard/reconcile', async (request) => this.#respond(request))
    rpc.handle('shard/fetch', async ({ from, body }) => this.#fetch(from, body))
  }

  async #respond({ from, body, signal }: RpcRequest): Promise<Uint8Array> {
    const { owner, until, message } = decodeReconcile(body)
    this.#authorise(owner, from)
    const onListed = (ref: RecordRef): void => this.#listed.note(from, ref)
    const taking = takeUp(message, { messageBytes: messageBytesMax, onListed })
    return this.#inLine(from, async () => {
      try {
        return await byTurns(this.#parts, { owner, until }, taking, signal)
      } finally {
        this.#listed.trim()
      }
    })
  }

  /** One message of a node after the other: whoever sends many has no more of each turn than one who waits for the answer. */
  #inLine<T>(from: NodeId, work: () => Promise<T>): Promise<T> {
    const before = this.#lines.get(from) ?? Promise.resolve()
    const line = before.then(work, work)
    this.#lines.set(from, line)
    const clear = (): void => {
      if (this.#lines.get(from) === line) this.#lines.delete(from)
    }
    line.then(clear, clear)
    return line
  }

  async #fetch(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { owner, ids } = decodeFetch(body)
    this.#authorise(owner, from)
    let room = messageBytesMax
    const refs = await Promise.all(ids.map((id) => this.#refOf(from, owner, id)))
    const found = await this.#parts.store.records.getMany(
      owner,
      refs.filter((ref) => ref !== undefined),
    )
    const bytesOf = new Map(
      found.flatMap((one) => (one === undefined ? [] : [[toHex(one.ref.id), one.bytes] as const])),
    )
    return encodeFetched(
      ids.map((id) => {
        const bytes = bytesOf.get(toHex(id))
        if (bytes === undefined || bytes.length + 5 > room) return undefined
        room -= bytes.length + 5
        return bytes
      }),
    )
  }

  /** What is asked for was listed a moment ago, or came lately. For the rest a shard would have to be gone through: it is listed again. */
  async #refOf(from: NodeId, owner: IdentityId, id: RecordId): Promise<RecordRef | undefined> {
    const { positionOf, store } = this.#parts
    const listed = this.#listed.find(from, id)
    if (listed !== undefined) return listed
    const position = positionOf(id)
    if (position === undefined) return undefined
    const [entry] = await store.records.log(owner, position - 1, 1)
    return entry !== undefined && equalBytes(entry.ref.id, id) ? entry.ref : undefined
  }

  #authorise(owner: IdentityId, from: NodeId): void {
    if (!this.#parts.hosting.has(owner)) {
      throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(owner)}`)
    }
    if (!this.#parts.holders.isHolder(owner, from)) {
      throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
    }
  }
}
