import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { decodeIds, encodeIds } from '../../protocol/placement/messages.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { decodeIdentityLogs, encodeIdentityLogs } from '../../protocol/search/exchange.ts'
import { decodeSearchQuery, encodeSearchAnswer, type SearchAnswer } from '../../protocol/search/query.ts'
import { decodeStatisticsRequest } from '../../protocol/search/statistics-message.ts'
import { decodeBytes } from '../../storage/stored-record.ts'
import type { Operations } from '../api/operations.ts'
import type { NodeId } from '../net/rpc.ts'
import { Aggregator } from './aggregator.ts'
import { Directory } from './directory.ts'
import { Leaf } from './leaf.ts'
import { searchNodeLimits } from './limits.ts'
import { OwnShards } from './own-shards.ts'
import type { SearchParts } from './parts.ts'
import { Queries } from './query.ts'
import type { Send } from './uplink.ts'

export type SearchOperations = Pick<Operations, 'search.query' | 'search.explain'>

/** Search as one node takes part in it: it tells what it holds, may index a scope, and answers or asks on. */
export class Search {
  readonly directory: Directory
  readonly leaf: Leaf
  readonly aggregator: Aggregator
  readonly operations: SearchOperations
  readonly #parts: SearchParts
  readonly #queries: Queries
  /** Who showed a record of this owner, by owner: there its identity log can be had. */
  readonly #witnesses = new Map<string, NodeId>()

  private constructor(parts: SearchParts) {
    this.#parts = parts
    const { rpc } = parts
    const send: Send = (to, method, body, options) =>
      to === rpc.self ? this.#self(method, body, options.signal) : rpc.request(to, method, body, options)
    this.directory = new Directory({ ...parts, own: () => this.aggregator.announcements() })
    this.aggregator = new Aggregator({ ...parts, send, directory: this.directory })
    this.leaf = new Leaf({
      ...parts,
      send,
      directory: this.directory,
      covers: (app) => this.aggregator.covers(app),
    })
    this.#queries = new Queries({
      ...parts,
      send,
      directory: this.directory,
      aggregator: this.aggregator,
      ownShards: new OwnShards({ ...parts, leaf: this.leaf }),
      witness: (node, answer) => this.#witness(node, answer),
    })
    rpc.handle('search/query', async ({ from, body, signal }) =>
      encodeSearchAnswer(await this.#queries.answer(decodeSearchQuery(body), from, signal)),
    )
    rpc.handle('search/statistics', async ({ body }) =>
      this.#queries.statistics(decodeStatisticsRequest(body)),
    )
    rpc.handle('search/identities', async ({ body }) =>
      encodeIdentityLogs(decodeIds(body).map((id) => parts.identities.log(id))),
    )
    const answer = async (bytes: Uint8Array, explain: boolean, signal: AbortSignal): Promise<Uint8Array> => {
      const query = decodeSearchQuery(bytes)
      return encodeSearchAnswer(await this.#queries.answer({ ...query, explain }, undefined, signal))
    }
    this.operations = {
      'search.query': async ({ query }, { signal }) => ({ answer: await answer(query, false, signal) }),
      'search.explain': async ({ query }, { signal }) => ({ answer: await answer(query, true, signal) }),
    }
  }

  /** Ready to answer: the index is built from what was kept. */
  static async open(parts: SearchParts): Promise<Search> {
    const search = new Search(parts)
    await search.aggregator.open()
    return search
  }

  /** Until the signal aborts; then everything that was started has ended. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.directory.run(this.#parts.config.registerEveryMs, signal),
      this.aggregator.run(signal),
      this.leaf.run(signal),
    ])
  }

  /**
   * The log of somebody whose record an answer showed, from whoever answered: a reader needs it to verify the hit,
   * and this node need not keep the logs of strangers. Undefined when nobody is known to have it.
   */
  async identityLog(id: IdentityId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const node = this.#witnesses.get(toHex(id))
    if (node === undefined || node === this.#parts.rpc.self) return this.#parts.identities.log(id)
    try {
      const options = { signal, timeoutMs: searchNodeLimits.askTimeoutMs }
      const [log] = decodeIdentityLogs(
        await this.#parts.rpc.request(node, 'search/identities', encodeIds([id]), options),
      )
      return log
    } catch (error) {
      signal.throwIfAborted()
      this.#parts.log.debug('search.identity-failed', { node, code: asOnehopError(error).code })
      return undefined
    }
  }

  #witness(node: NodeId, { hits, answeredBy }: SearchAnswer): void {
    for (const { record } of hits) {
      const owner = toHex(decodeBytes(record).header.owner)
      this.#witnesses.delete(owner)
      // A node in between forwards the answer but may not hold the logs.
      this.#witnesses.set(owner, toHex(answeredBy) === this.#parts.rpc.self ? node : toHex(answeredBy))
    }
    while (this.#witnesses.size > searchNodeLimits.witnessesMax) {
      this.#witnesses.delete(this.#witnesses.keys().next().value as string)
    }
  }

  async #self(method: Parameters<Send>[1], body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { rpc } = this.#parts
    switch (method) {
      case 'search/register':
        return this.aggregator.register(rpc.self, body)
      case 'search/append':
        return this.aggregator.append(rpc.self, body)
      case 'search/query':
        return encodeSearchAnswer(await this.#queries.answer(decodeSearchQuery(body), rpc.self, signal))
      case 'search/statistics':
        return this.#queries.statistics(decodeStatisticsRequest(body))
      case 'search/identities':
        throw new OnehopError('INTERNAL', 'own logs are read from the store')
    }
  }
}
