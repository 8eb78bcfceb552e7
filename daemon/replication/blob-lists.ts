import { concatBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import {
  blobListsMax,
  blobsListedMax,
  decodeBlobListAsks,
  decodeBlobLists,
  encodeBlobListAsks,
  encodeBlobLists,
} from '../../protocol/replication/blob-lists.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { BlobCopies } from './blob-copies.ts'
import type { Holders } from './holders.ts'

/** Records are compared so many times as often: files are few, and offered as they come. */
const comparedTimes = 24

export interface BlobListsParts {
  readonly rpc: Rpc
  readonly crypto: Pick<CryptoProvider, 'sha256'>
  readonly clock: Clock
  readonly log: Log
  readonly config: { readonly heartbeatMs: number; readonly reconcileEveryMs: number }
  readonly hosting: Hosting
  readonly holders: Holders
  readonly replicaSets: Pick<ReplicaSets, 'onChanged'>
  readonly copies: Pick<BlobCopies, 'wholeOf' | 'bring'>
}

/**
 * Files that a holder lacks: it was away when they came, or joined later. It asks each other holder which it has, when they meet, when
 * it joins, and once a day; where the lists differ it fetches what it lacks.
 */
export class BlobLists {
  readonly #parts: BlobListsParts
  /** What is to be asked, by node. */
  readonly #due = new Map<NodeId, Map<string, IdentityId>>()
  readonly #asking = new Map<NodeId, Promise<void>>()
  readonly #askedMs = new Map<NodeId, number>()

  constructor(parts: BlobListsParts) {
    this.#parts = parts
    parts.rpc.handle('shard/blobs', async ({ from, body }) =>
      encodeBlobLists(await this.#answer(from, decodeBlobListAsks(body))),
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, hosting, replicaSets, rpc } = this.#parts
    const stops = [
      hosting.onAdded((owner) => this.#changed(owner)),
      replicaSets.onChanged(({ newest }) => this.#changed(newest.owner)),
      rpc.onPeer((peer, state) => {
        if (state === 'disconnected') this.#askedMs.delete(peer)
      }),
    ]
    try {
      while (!signal.aborted) {
        await clock.sleep(config.heartbeatMs, signal)
        this.#look(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      for (const stop of stops) stop()
      await Promise.all(this.#asking.values())
    }
  }

  #changed(owner: IdentityId): void {
    for (const node of this.#parts.holders.others(owner)) this.#add(node, owner)
  }

  /** Something did not come: a line that broke, or nobody has it. */
  #again(node: NodeId): void {
    const { clock, config } = this.#parts
    const waitMs = config.reconcileEveryMs * (comparedTimes - 1)
    this.#askedMs.set(node, clock.monotonicMs() - waitMs)
  }

  #add(node: NodeId, owner: IdentityId): void {
    const owners = this.#due.get(node) ?? new Map<string, IdentityId>()
    this.#due.set(node, owners.set(toHex(owner), owner))
  }

  #look(signal: AbortSignal): void {
    const { clock, config, holders, rpc } = this.#parts
    const nowMs = clock.monotonicMs()
    const connected = new Set(rpc.connected())
    for (const node of holders.nodes()) {
      if (!connected.has(node)) continue
      if (nowMs - (this.#askedMs.get(node) ?? -Infinity) >= config.reconcileEveryMs * comparedTimes) {
        this.#askedMs.set(node, nowMs)
        for (const owner of holders.shared(node)) this.#add(node, owner)
      }
      const owners = this.#due.get(node)
      if (owners === undefined || this.#asking.has(node)) continue
      this.#due.delete(node)
      const asking = this.#ask(node, [...owners.values()], signal).finally(() => this.#asking.delete(node))
      this.#asking.set(node, asking)
    }
  }

  /** What a broken line leaves is asked for when they meet again. */
  async #ask(node: NodeId, owners: readonly IdentityId[], signal: AbortSignal): Promise<void> {
    const { copies, hosting, log, rpc } = this.#parts
    const held = owners.filter((owner) => hosting.has(owner))
    try {
      for (let start = 0; start < held.length; start += blobListsMax) {
        const part = held.slice(start, start + blobListsMax)
        const asks = await Promise.all(
          part.map(async (owner) => ({ owner, digest: this.#digestOf(await copies.wholeOf(owner)) })),
        )
        const body = encodeBlobListAsks(asks)
        const lists = decodeBlobLists(
          await rpc.request(node, 'shard/blobs', body, { signal, timeoutMs: 30_000 }),
        )
        for (const [i, owner] of part.entries()) {
          const here = new Set((await copies.wholeOf(owner)).map(toHex))
          for (const blob of lists[i] ?? [])
            if (!here.has(toHex(blob)) && !(await copies.bring(node, owner, blob))) this.#again(node)
        }
      }
    } catch (error) {
      if (!signal.aborted) log.debug('blobs.not-compared', { node, code: asOnehopError(error).code })
    }
  }

  async #answer(
    from: NodeId,
    asks: readonly { readonly owner: IdentityId; readonly digest: Uint8Array }[],
  ): Promise<(readonly Uint8Array[] | undefined)[]> {
    const { copies, holders, hosting } = this.#parts
    const lists: (readonly Uint8Array[] | undefined)[] = []
    let room = blobsListedMax
    for (const { owner, digest } of asks) {
      const mayAsk = hosting.has(owner) && holders.isHolder(owner, from)
      const whole = mayAsk ? await copies.wholeOf(owner) : []
      const isSame = !mayAsk || equalBytes(digest, this.#digestOf(whole))
      const list = isSame ? undefined : whole.slice(0, room)
      room -= list?.length ?? 0
      lists.push(list)
    }
    return lists
  }

  #digestOf(blobs: readonly Uint8Array[]): Uint8Array {
    return this.#parts.crypto.sha256(concatBytes(...blobs))
  }
}
