import type { ReplyOf, RequestOf, UnaryName } from '../../protocol/api/operations.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { readReply } from '../../protocol/api/operations.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { concatBytes, toHex, utf8 } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { MemoryBlobFolder } from '../../storage/blobs-memory.ts'
import { openBlobs } from '../../storage/blobs.ts'
import type { Kv, KvEntry, KvRange, KvWrite } from '../../storage/kv.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore, type Store } from '../../storage/store.ts'
import type { Caller } from '../../daemon/api/operations.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { defaultConfig, type Config } from '../../daemon/config.ts'
import type { RpcBudgets } from '../../daemon/net/rpc-endpoint.ts'
import {
  createMemoryNetwork,
  type LinkSettings,
  type MemoryNetwork,
  type MemoryNode,
} from '../../daemon/net/rpc-memory.ts'
import type { NodeId, Rpc } from '../../daemon/net/rpc.ts'
import { createNode, type Node } from '../../daemon/node.ts'
import { createSeededRandom, type SeededRandom } from './seeded-random.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

/** Changes to one node's configuration. */
export type MeshConfig = {
  readonly [K in keyof Config]?: Config[K] extends readonly unknown[] | string
    ? Config[K]
    : Partial<Config[K]>
}

export interface MeshOptions {
  readonly seed?: number
  readonly link?: Partial<LinkSettings>
  /** Where the i-th node logs to. */
  readonly log?: (index: number) => Log
  /** Sees a node's place in the network before the node does. */
  readonly onJoin?: (network: MemoryNode, index: number) => void
  /** Sees every request that a node makes. */
  readonly onRequest?: (from: NodeId, to: NodeId, method: string) => void
  /** Sees that it was answered, or failed. */
  readonly onRequestEnd?: (from: NodeId) => void
  /** The i-th node's settings. */
  readonly config?: (index: number) => MeshConfig
  /** What one peer may cost each node. */
  readonly budgets?: Partial<RpcBudgets>
  readonly freeBytes?: () => number
  /** How long a write takes to get to the disk; 0 is at once. */
  readonly diskMs?: () => number
  /** What the nodes compute with, for one that watches or spares them work. */
  readonly wrapCrypto?: (crypto: CryptoProvider) => CryptoProvider
}

/** What a node answers instead of the truth; undefined: it says the truth. */
export type Lie = (method: string, body: Uint8Array) => Uint8Array | undefined

export type HoldBack = (from: NodeId, to: NodeId, method: string) => boolean

export interface MeshNode {
  readonly index: number
  readonly id: NodeId
  readonly node: Node
  readonly store: Store
  /** Calls an operation as its transports would, as the administrator unless told otherwise. */
  call<N extends UnaryName>(operation: N, request: RequestOf<N>, caller?: Caller): Promise<ReplyOf<N>>
}

export interface Mesh extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly crypto: CryptoProvider
  readonly network: MemoryNetwork
  readonly nodes: readonly MeshNode[]
  /** Opens one more node, or a closed one again with what its disk held. */
  open(index: number): Promise<MeshNode>
  /** Closes a node; its disk stays. Crashed, nothing of what it still tries to write gets there. */
  close(index: number, how?: 'closed' | 'crashed'): Promise<void>
  /** Requests of which this is true fail as if nobody answered; undefined: none do. */
  holdBack(rule: HoldBack | undefined): void
  /** What the node answers from now on to what it is asked; undefined: it is honest again. */
  lie(index: number, lie: Lie | undefined): void
  /** Every write of the node meets this from now on; undefined: its disk is well again. */
  breakDisk(index: number, fault: OnehopError | undefined): void
  /** Nothing can be read either, as while a database is opened anew. */
  breakReads(index: number, fault: OnehopError | undefined): void
  /** The disk of a node that is closed. */
  disk(index: number): Kv
  /** Every key, value and piece of a file that lies on the node's disk. */
  onDisk(index: number): Promise<readonly Uint8Array[]>
  /** Everything that lies on the node's disk, in hex, by its key. */
  contents(index: number): Promise<ReadonlyMap<string, string>>
  /** Sets one node's Unix time off against everybody's; 0 puts it right. */
  skew(index: number, ms: number): void
  /** Passes virtual time until the condition holds. Rejects after `limitMs` of it. */
  until(condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>
  /** Passes virtual time while a promise is under way, as a caller would wait. */
  wait<T>(promise: Promise<T>): Promise<T>
}

interface Disk {
  readonly kv: KeptKv
  readonly blobs: MemoryBlobFolder
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Short times, so that a story of days is one of seconds. */
function meshConfig(index: number, changes: MeshConfig): Config {
  const base = defaultConfig({ XDG_STATE_HOME: '/nowhere' })
  const places = [
    'africa/ng/lagos',
    'africa/ng/abuja',
    'africa/gh/accra',
    'europe/de/berlin',
    'europe/de/hamburg',
  ]
  const config: Config = {
    ...base,
    operator: `operator-${index}`,
    region: `/geo/${places[index % places.length]}`,
    store: 'memory',
    hosting: {
      ...base.hosting,
      offerTo: 'anyone',
      heartbeatMs: 1_000,
      suspectAfterMs: 4_000,
      replaceAfterMs: 10_000,
      reconcileEveryMs: 20_000,
      // With the heartbeat: who slows that down to play months means all of it.
      auditEveryMs: 48 * (changes.hosting?.heartbeatMs ?? 1_000),
    },
    network: { ...base.network, providesPerS: 100 },
  }
  const merged: Record<string, unknown> = { ...config }
  for (const [key, value] of Object.entries(changes)) {
    const inner = merged[key]
    merged[key] =
      typeof inner === 'object' && !Array.isArray(inner) ? { ...inner, ...(value as object) } : value
  }
  return merged as Config
}

/**
 * Nodes of the real parts in one process, under virtual time: only the network, the disk and the clock are played.
 * Everybody is connected to everybody, as in a small neighbourhood.
 */
export async function createMesh(count: number, options: MeshOptions = {}): Promise<Mesh> {
  const random = createSeededRandom(options.seed ?? 1)
  const clock = createVirtualClock()
  const plain = await loadCrypto({ random })
  const crypto = options.wrapCrypto?.(plain) ?? plain
  const network = createMemoryNetwork({ clock, random, link: { delayMs: 5, ...options.link } })
  const nodes: MeshNode[] = []
  const disks = new Map<number, Disk>()
  const mounts = new Map<number, MountedKv>()
  const skews = new Map<number, number>()
  const lies = new Map<number, Lie>()
  const open = new Set<number>()
  let rule: HoldBack | undefined
  const meeting = new AbortController().signal

  const openNode = async (index: number): Promise<MeshNode> => {
    const disk = disks.get(index) ?? { kv: new KeptKv(), blobs: new MemoryBlobFolder() }
    disks.set(index, disk)
    const seed = meshNodeSeed(crypto, index)
    const place = network.join(toHex(crypto.signingPublicKey(seed)), {
      ...(options.budgets && { budgets: options.budgets }),
    })
    options.onJoin?.(place, index)
    const config = meshConfig(index, options.config?.(index) ?? {})
    const mount = new MountedKv(disk.kv, clock, options.diskMs ?? (() => 0))
    mounts.set(index, mount)
    const ownClock: Clock = { ...clock, nowMs: () => clock.nowMs() + (skews.get(index) ?? 0) }
    const store = await openStore(mount, { clock: ownClock })
    const node = await createNode({
      config,
      version: 'test',
      seed,
      clock: ownClock,
      random,
      log: options.log?.(index) ?? silent,
      crypto,
      store,
      blobs: openBlobs(disk.blobs),
      network: {
        ...place,
        rpc: heldBack(
          place.rpc,
          (to, method) => {
            options.onRequest?.(place.rpc.self, to, method)
            return rule?.(place.rpc.self, to, method) === true
          },
          (method, body) => lies.get(index)?.(method, body),
          () => options.onRequestEnd?.(place.rpc.self),
        ),
      },
      ...(options.freeBytes === undefined ? {} : { freeBytes: async () => options.freeBytes?.() }),
      providerValidityMs: 48 * 3_600_000,
    })
    // A memory node has no address; one like it keeps the failure-domain rules at work.
    node.announceHttp([`/ip4/127.0.${index}.1/tcp/4180/http`], `http://127.0.${index}.1:4180/phone/`)
    const meshNode: MeshNode = {
      index,
      id: node.id,
      node,
      store,
      call: (operation, request, caller) => callNode(node, operation, request, caller),
    }
    nodes[index] = meshNode
    for (const other of nodes) {
      if (other.index === index || !open.has(other.index)) continue
      // Any request connects; that nobody serves this one does not matter.
      place.rpc.request(other.id, 'shard/meet', new Uint8Array(0), { signal: meeting }).catch(() => {})
    }
    open.add(index)
    return meshNode
  }

  const mesh: Mesh = {
    clock,
    random,
    crypto,
    network,
    nodes,
    open: openNode,
    async close(index, how = 'closed') {
      open.delete(index)
      if (how === 'crashed') mounts.get(index)?.crash()
      await mesh.wait((nodes[index] as MeshNode).node.close())
    },
    holdBack(next) {
      rule = next
    },
    lie(index, lie) {
      if (lie === undefined) lies.delete(index)
      else lies.set(index, lie)
    },
    breakDisk(index, fault) {
      ;(mounts.get(index) as MountedKv).fault = fault
    },
    breakReads(index, fault) {
      const mount = mounts.get(index) as MountedKv
      mount.fault = mount.readFault = fault
    },
    disk(index) {
      if (open.has(index)) throw new Error('only the disk of a closed node may be touched')
      return (disks.get(index) as Disk).kv
    },
    async onDisk(index) {
      const { kv, blobs } = disks.get(index) as Disk
      const found: Uint8Array[] = [...blobs.contents()]
      for (let page = await kv.range({}), last = page.at(-1); last !== undefined; last = page.at(-1)) {
        found.push(...page.flatMap(({ key, value }) => [key, value]))
        page = await kv.range({ gt: last.key })
      }
      return found
    },
    async contents(index) {
      const entries = await (disks.get(index)?.kv.range({ limit: 100_000 }) ?? [])
      return new Map(entries.map(({ key, value }) => [toHex(key), toHex(value)]))
    },
    skew(index, ms) {
      skews.set(index, ms)
    },
    async until(condition, limitMs = 120_000) {
      const startMs = clock.monotonicMs()
      while (!(await mesh.wait(Promise.resolve(condition())))) {
        if (clock.monotonicMs() - startMs > limitMs) {
          throw new Error(`not within ${limitMs} virtual ms: ${condition.toString().slice(0, 200)}`)
        }
        await clock.advance(100)
      }
    },
    async wait(promise) {
      let done = false
      const mark = (): void => {
        done = true
      }
      promise.then(mark, mark)
      await clock.settle()
      for (let turns = 0; !done; turns++) {
        if (turns > 6_000) throw new Error('nothing comes of it, however long one waits')
        await clock.advance(10)
      }
      return promise
    },
    async [Symbol.asyncDispose]() {
      for (const index of open) await mesh.close(index)
    },
  }
  for (let index = 0; index < count; index++) await openNode(index)
  return mesh
}

/** What a thief of the i-th box of any mesh has. */
export function meshNodeSeed(crypto: Pick<CryptoProvider, 'sha256'>, index: number): Uint8Array {
  return crypto.sha256(concatBytes(utf8('mesh'), Uint8Array.of(index)))
}

/** The id that the i-th node of every mesh has, for configurations that name each other. */
export function meshNodeId(
  crypto: Pick<CryptoProvider, 'sha256' | 'signingPublicKey'>,
  index: number,
): NodeId {
  return toHex(crypto.signingPublicKey(meshNodeSeed(crypto, index)))
}

async function callNode<N extends UnaryName>(
  node: Node,
  operation: N,
  request: RequestOf<N>,
  caller: Caller = { kind: 'admin' },
): Promise<ReplyOf<N>> {
  const call = { caller, signal: new AbortController().signal, token: undefined, bind: () => {} }
  const { reply } = await node.dispatch.call(operation, decode(encode(request)), 'cbor', call)
  return readReply(operation, decode(reply.bytes), 'cbor')
}

function heldBack(
  rpc: Rpc,
  isHeld: (to: NodeId, method: string) => boolean,
  lie: Lie,
  onEnd: () => void,
): Rpc {
  return {
    self: rpc.self,
    handle: (method, handler) =>
      rpc.handle(method, async (request) => lie(method, request.body) ?? handler(request)),
    async request(to, method, body, options) {
      try {
        if (isHeld(to, method)) throw new OnehopError('UNREACHABLE', `${method} is held back`)
        return await rpc.request(to, method, body, options)
      } finally {
        onEnd()
      }
    },
    connected: () => rpc.connected(),
    onPeer: (listener) => rpc.onPeer(listener),
  }
}

/** A memory disk that survives its node: closing the store leaves the bytes. */
class KeptKv extends MemoryKv {
  override async close(): Promise<void> {}
}

/** One run's view of a disk. After a crash nothing of that run is written any more. */
class MountedKv implements Kv {
  readonly #disk: Kv
  readonly #clock: Pick<Clock, 'sleep'>
  readonly #takesMs: () => number
  #crashed = false
  fault: OnehopError | undefined
  readFault: OnehopError | undefined

  constructor(disk: Kv, clock: Pick<Clock, 'sleep'>, takesMs: () => number) {
    this.#disk = disk
    this.#clock = clock
    this.#takesMs = takesMs
  }

  crash(): void {
    this.#crashed = true
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#readable().get(key)
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#readable().getMany(keys)
  }

  async range(range: KvRange): Promise<KvEntry[]> {
    return this.#readable().range(range)
  }

  async keys(range: KvRange): Promise<Uint8Array[]> {
    return this.#readable().keys(range)
  }

  #readable(): Kv {
    // Made anew: its stack tells who read.
    if (this.readFault !== undefined) throw new OnehopError(this.readFault.code, this.readFault.message)
    return this.#disk
  }

  async batch(writes: readonly KvWrite[]): Promise<void> {
    const ms = this.#takesMs()
    if (ms > 0) await this.#clock.sleep(ms)
    if (this.#crashed) throw new OnehopError('CLOSED', 'the process is gone')
    if (this.fault !== undefined) throw this.fault
    await this.#disk.batch(writes)
  }

  async close(): Promise<void> {
    this.#crashed = true
  }
}
