import { emptyBytes, fromHex, toHex } from '../protocol/bytes.ts'
import { apiLimits } from '../protocol/api/limits.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Store } from '../storage/types.ts'
import type { Network, NodeId } from './net/rpc.ts'

/** Empty documents by node. */
const kind = 'denied'

/**
 * Peers with which this node has nothing to do: those denied for good, as a stolen box is, a list of the operator's, and
 * devices that a person whose shard is here has revoked.
 */
export class DenyList {
  readonly #store: Pick<Store, 'documents' | 'write'>
  readonly #network: Pick<Network, 'deny'>
  readonly #kept: Set<NodeId>
  #listed: readonly NodeId[] = []
  /** By person. */
  readonly #revoked = new Map<NodeId, readonly NodeId[]>()

  private constructor(
    store: Pick<Store, 'documents' | 'write'>,
    network: Pick<Network, 'deny'>,
    kept: Set<NodeId>,
  ) {
    this.#store = store
    this.#network = network
    this.#kept = kept
  }

  static async open(
    store: Pick<Store, 'documents' | 'write'>,
    network: Pick<Network, 'deny'>,
  ): Promise<DenyList> {
    const rows = await store.documents.list(kind, { limit: apiLimits.denyMax })
    const list = new DenyList(store, network, new Set(rows.map(({ key }) => toHex(key))))
    await list.#apply()
    return list
  }

  /** Nodes that are denied for good. */
  get size(): number {
    return this.#kept.size
  }

  /** The same, ascending. */
  get kept(): readonly NodeId[] {
    return [...this.#kept].toSorted()
  }

  /** Replaces the operator's list, which a restart forgets. */
  async set(nodes: readonly NodeId[]): Promise<void> {
    this.#listed = nodes
    await this.#apply()
  }

  /** For good: it is on disk when this resolves. Throws NO_QUOTA. */
  async add(nodes: readonly NodeId[]): Promise<void> {
    const fresh = [...new Set(nodes)].filter((node) => !this.#kept.has(node))
    if (this.#kept.size + fresh.length > apiLimits.denyMax)
      throw new OnehopError('NO_QUOTA', `a node denies ${apiLimits.denyMax} others and no more`)
    await this.#store.write((batch) => {
      for (const node of fresh) this.#store.documents.putIn(batch, kind, keyOf(node), emptyBytes)
    })
    for (const node of fresh) this.#kept.add(node)
    await this.#apply()
  }

  /**
   * Replaces the devices of this person that are to come no more. Of a node that was revoked nothing is said here: it may
   * keep other people's shards, and `add` is for a box that was stolen.
   */
  async revoke({ id, devices }: Pick<IdentityState, 'id' | 'devices'>): Promise<void> {
    const keys = [...devices.values()]
      .filter(({ role, revoked }) => role !== 'node' && revoked !== undefined)
      .map(({ key }) => toHex(key))
    const before = this.#revoked.get(toHex(id)) ?? []
    if (keys.length === before.length && keys.every((key) => before.includes(key))) return
    this.#revoked.set(toHex(id), keys)
    await this.#apply()
  }

  /** This person's shard is here no more. */
  async forget(person: IdentityId): Promise<void> {
    if (this.#revoked.delete(toHex(person))) await this.#apply()
  }

  async remove(nodes: readonly NodeId[]): Promise<void> {
    await this.#store.write((batch) => {
      for (const node of nodes) this.#store.documents.deleteIn(batch, kind, keyOf(node))
    })
    for (const node of nodes) this.#kept.delete(node)
    await this.#apply()
  }

  async #apply(): Promise<void> {
    await this.#network.deny([
      ...new Set([...this.#kept, ...this.#listed, ...[...this.#revoked.values()].flat()]),
    ])
  }
}

function keyOf(node: NodeId): Uint8Array {
  return fromHex(node, 32) as Uint8Array
}
