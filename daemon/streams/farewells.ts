import { limits } from '../../protocol/limits.ts'
import type { Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { encodeStop } from '../../protocol/stream/wire.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'

export interface FarewellParts {
  readonly rpc: Rpc
  readonly log: Log
  /** `stream/stop`: nobody here follows these authors any more. `stream/end`: they are not held here any more. */
  readonly method: 'stream/stop' | 'stream/end'
  /** Asked when the message goes out: it may have come otherwise meanwhile. */
  readonly stillSo: (app: string, author: IdentityId, node: NodeId) => boolean
}

interface Ended {
  readonly author: IdentityId
  readonly collections: ReadonlySet<string>
}

/**
 * Tells other nodes that a stream is over. Several that end in one turn go in one message. A lost one is found out later:
 * by the push that is answered with `stop`, or when the two meet again and the stream is asked for anew.
 */
export class Farewells {
  readonly #parts: FarewellParts
  readonly #due = new Map<NodeId, Map<string, Ended[]>>()

  constructor(parts: FarewellParts) {
    this.#parts = parts
  }

  /** Never rejects. */
  async say(node: NodeId, app: string, ended: Ended, signal: AbortSignal): Promise<void> {
    const ofNode = this.#due.get(node) ?? new Map<string, Ended[]>()
    this.#due.set(node, ofNode)
    ofNode.set(app, [...(ofNode.get(app) ?? []), ended])
    await Promise.resolve()
    if (this.#due.get(node) !== ofNode) return
    this.#due.delete(node)
    for (const [of, all] of ofNode) await this.#send(node, of, all, signal)
  }

  async #send(node: NodeId, app: string, all: readonly Ended[], signal: AbortSignal): Promise<void> {
    const { rpc, log, method, stillSo } = this.#parts
    const gone = all.filter(({ author }) => stillSo(app, author, node))
    for (let start = 0; start < gone.length; start += limits.streamAuthorsMax) {
      const part = gone.slice(start, start + limits.streamAuthorsMax)
      const [first] = part as [Ended]
      const authors = part.map(({ author }) => author)
      const body = encodeStop({ app, collections: [...first.collections], authors })
      await rpc.request(node, method, body, { signal }).catch((error: unknown) => {
        log.debug('stream.farewell-failed', { node, method, error: String(error) })
      })
    }
  }
}
