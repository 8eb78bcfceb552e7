import { OnehopError } from '../../protocol/errors.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import {
  decodeManyAnswer,
  decodeManyAsk,
  differingGroups,
  encodeManyAnswer,
  encodeManyAsk,
  groupOf,
  groupsPower,
  groupSums,
  manyShardsMin,
  type ManyAsk,
  type ShardState,
} from '../../protocol/replication/many.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { Digests } from './digests.ts'
import type { Holders } from './holders.ts'

export interface ManyShardsParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly hosting: Pick<Hosting, 'has'>
  readonly replicaSets: Pick<ReplicaSets, 'get'>
  readonly holders: Pick<Holders, 'shared'>
  readonly digests: Digests
  /** Still waiting for records: equal to such a one proves nothing, so it is in no sum. */
  readonly isFilling: (owner: IdentityId) => boolean
}

/** Known to be the same at both. */
export interface Same {
  readonly owner: IdentityId
  /** Of the own arrival log, where nothing in it lies beyond the comparison. */
  readonly logHead: number | undefined
}

/** Tells the shards of two nodes that differ from the many that do not. */
export class ManyShards {
  readonly #parts: ManyShardsParts
  readonly #answering = new Set<NodeId>()

  constructor(parts: ManyShardsParts) {
    this.#parts = parts
    parts.rpc.handle('shard/compare-many', async ({ from, body }) =>
      encodeManyAnswer(await this.#answer(from, decodeManyAsk(body))),
    )
  }

  /** Those that are the same; the rest is to be compared one by one. */
  async same(
    node: NodeId,
    owners: readonly IdentityId[],
    until: bigint,
    signal: AbortSignal,
  ): Promise<readonly Same[]> {
    if (owners.length < manyShardsMin) return []
    const { crypto, rpc } = this.#parts
    const states = await this.#states(owners, until)
    const power = groupsPower(states.length)
    const body = encodeManyAsk({ until, power, sums: groupSums(crypto, states, power) })
    const answer = await rpc.request(node, 'shard/compare-many', body, { signal, timeoutMs: 60_000 })
    const differing = new Set(decodeManyAnswer(answer))
    return states.filter(({ owner }) => !differing.has(groupOf(owner, power)))
  }

  async #answer(from: NodeId, { until, power, sums }: ManyAsk): Promise<number[]> {
    if (this.#answering.has(from)) throw new OnehopError('BUSY', 'the last comparison of all is under way')
    this.#answering.add(from)
    try {
      const states = await this.#states(this.#parts.holders.shared(from), until)
      return differingGroups(sums, groupSums(this.#parts.crypto, states, power))
    } finally {
      this.#answering.delete(from)
    }
  }

  async #states(owners: readonly IdentityId[], until: bigint): Promise<(ShardState & Same)[]> {
    const { digests, hosting, isFilling, replicaSets } = this.#parts
    const states: (ShardState & Same)[] = []
    for (const owner of owners) {
      if (!hosting.has(owner) || isFilling(owner)) continue
      const { fingerprint, logHead } = await digests.of(owner, until)
      states.push({ owner, set: replicaSets.get(owner)?.newest.hash, fingerprint, logHead })
    }
    return states
  }
}
