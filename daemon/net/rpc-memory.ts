/**
 * A whole network in memory: nodes that run the same request machines as over libp2p, on links with seeded
 * delay, loss, reordering and cuts, under a handed-in clock. For the simulator and for tests.
 */
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Method } from '../../protocol/methods.ts'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import type { Channel, RpcTransport } from './channel.ts'
import { createFrameStream } from './frame-stream.ts'
import { MemoryChannel, type Travel } from './memory-channel.ts'
import { createMemoryRouting } from './memory-routing.ts'
import type { RpcBudgets, RpcStats } from './rpc-endpoint.ts'
import { RpcEndpoint } from './rpc-endpoint.ts'
import type { Network, NodeId, Routing } from './rpc.ts'

export interface LinkSettings {
  readonly delayMs: number
  /** Up to so much is added, drawn anew for each frame. */
  readonly jitterMs: number
  /** Share of frames that vanish: the call then times out. */
  readonly lossRate: number
  /** Whether jitter may let a later frame overtake an earlier one. Streams never do it; a machine should not mind. */
  readonly reorder: boolean
  /** Share of frames that arrive twice. Streams never do that either. */
  readonly duplicateRate: number
}

export interface MemoryNetworkOptions {
  readonly clock: Clock
  /** Seeded: the same seed gives the same run. */
  readonly random: Random
  readonly link?: Partial<LinkSettings>
  /** How long a cut goes unnoticed by those it separates. */
  readonly noticeMs?: number
  /** How long a provider record lasts. */
  readonly providerValidityMs?: number
}

export interface MemoryNode extends Network<Method> {
  stats(): RpcStats
}

export interface MemoryNetwork {
  /** A node's place in the network until it is disposed of; then the same id may join again. */
  join(node: NodeId, options?: { log?: Log; budgets?: Partial<RpcBudgets> }): MemoryNode
  /** Settings of the link between two nodes, both ways. */
  setLink(a: NodeId, b: NodeId, settings: Partial<LinkSettings>): void
  /** Only nodes of one group reach each other; who is in no group reaches nobody. */
  partition(groups: readonly (readonly NodeId[])[]): void
  heal(): void
}

const perfect: LinkSettings = { delayMs: 0, jitterMs: 0, lossRate: 0, reorder: false, duplicateRate: 0 }
const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

interface Member {
  readonly transport: MemoryTransport
  readonly denied: Set<NodeId>
}

interface World {
  readonly clock: Clock
  readonly members: Map<NodeId, Member>
  /** Open connections, under both orders of their ends. */
  readonly connections: Map<string, Set<MemoryChannel>>
  readonly noticeMs: number
  reaches(a: NodeId, b: NodeId): boolean
  refused(a: NodeId, b: NodeId): boolean
  /** Undefined: the frame is lost. */
  draw(a: NodeId, b: NodeId): Travel | undefined
  disconnect(a: NodeId, b: NodeId): void
}

export function createMemoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  const { clock, random } = options
  const links = new Map<string, LinkSettings>()
  const members = new Map<NodeId, Member>()
  const connections = new Map<string, Set<MemoryChannel>>()
  let groupOf: Map<NodeId, number> | undefined
  let cut = 0

  const uniform = (): number => {
    const [a = 0, b = 0, c = 0] = random.bytes(3)
    return (a * 65_536 + b * 256 + c) / 2 ** 24
  }
  const world: World = {
    clock,
    members,
    connections,
    noticeMs: options.noticeMs ?? 5_000,
    reaches: (a, b) =>
      members.has(b) && (groupOf === undefined || (groupOf.has(a) && groupOf.get(a) === groupOf.get(b))),
    refused: (a, b) => members.get(a)?.denied.has(b) === true || members.get(b)?.denied.has(a) === true,
    draw(a, b) {
      const link = links.get(pair(a, b)) ?? { ...perfect, ...options.link }
      if (!world.reaches(a, b) || (link.lossRate > 0 && uniform() < link.lossRate)) return undefined
      const delayMs = (): number => link.delayMs + (link.jitterMs > 0 ? uniform() * link.jitterMs : 0)
      const travel = { delayMs: delayMs(), reorder: link.reorder }
      const isTwice = link.duplicateRate > 0 && uniform() < link.duplicateRate
      return isTwice ? { ...travel, againMs: delayMs() } : travel
    },
    disconnect(a, b) {
      const channels = connections.get(pair(a, b))
      if (channels === undefined) return
      connections.delete(pair(a, b))
      for (const channel of [...channels]) channel.drop()
      members.get(a)?.transport.tell(b, 'disconnected')
      members.get(b)?.transport.tell(a, 'disconnected')
    },
  }
  const routingFor = createMemoryRouting({
    clock,
    random: uniform,
    validityMs: options.providerValidityMs ?? 48 * 3_600_000,
    peers: (self) =>
      [...members.keys()].filter((other) => other !== self && world.reaches(self, other)).length,
  })

  return {
    join(node, joinOptions = {}) {
      if (members.has(node)) throw new OnehopError('INTERNAL', `${node} is in the network already`)
      const transport = new MemoryTransport(node, world)
      const member: Member = { transport, denied: new Set() }
      members.set(node, member)
      const log = joinOptions.log ?? silentLog
      const rpc = new RpcEndpoint({
        transport,
        clock,
        log,
        ...(joinOptions.budgets === undefined ? {} : { budgets: joinOptions.budgets }),
      })
      return createNode(node, member, rpc, routingFor(node), world, log)
    },
    setLink(a, b, settings) {
      links.set(pair(a, b), { ...perfect, ...options.link, ...links.get(pair(a, b)), ...settings })
    },
    partition(groups) {
      groupOf = new Map(groups.flatMap((group, index) => group.map((node) => [node, index] as const)))
      const thisCut = ++cut
      clock.after(world.noticeMs, () => {
        if (thisCut !== cut) return
        for (const key of [...connections.keys()]) {
          const [a = '', b = ''] = key.split(' ')
          if (!world.reaches(a, b)) world.disconnect(a, b)
        }
      })
    },
    heal() {
      groupOf = undefined
      cut++
    },
  }
}

function createNode(
  node: NodeId,
  member: Member,
  rpc: RpcEndpoint,
  routing: Routing,
  world: World,
  log: Log,
): MemoryNode {
  const { transport } = member
  return {
    rpc,
    routing,
    addresses: () => [`/memory/${node}`],
    missingRelays: () => [],
    stats: () => rpc.stats(),
    async deny(nodes) {
      member.denied.clear()
      for (const denied of nodes) {
        member.denied.add(denied)
        world.disconnect(node, denied)
      }
    },
    async hangUp(peer) {
      world.disconnect(node, peer)
    },
    keep: () => {},
    serveStream(protocol, handler) {
      transport.listen(protocol, (from, channel) => {
        const stream = createFrameStream(from, channel)
        handler(stream).catch((error: unknown) => {
          log.warn('stream.handler-failed', { protocol, error })
          stream.close()
        })
      })
    },
    openStream: async (to, protocol, signal) =>
      createFrameStream(to, await transport.open(to, protocol, signal)),
    async [Symbol.asyncDispose]() {
      rpc.close()
      // Its successor under the same id is not its to remove.
      if (world.members.get(node) !== member) return
      world.members.delete(node)
      for (const other of transport.connected()) world.disconnect(node, other)
    },
  }
}

class MemoryTransport implements RpcTransport {
  readonly self: NodeId
  readonly #world: World
  readonly #accepts = new Map<string, (from: NodeId, channel: Channel) => void>()
  readonly #listeners = new Set<(peer: NodeId, state: 'connected' | 'disconnected') => void>()
  readonly #connected = new Set<NodeId>()

  constructor(self: NodeId, world: World) {
    this.self = self
    this.#world = world
  }

  async open(to: NodeId, protocol: string, signal: AbortSignal): Promise<Channel> {
    const world = this.#world
    signal.throwIfAborted()
    if (world.refused(this.self, to)) throw new OnehopError('UNREACHABLE', `${to} is on a deny list`)
    if (!world.reaches(this.self, to)) {
      // A missing process answers at once that nobody listens; a cut answers nothing.
      if (world.members.has(to)) await world.clock.sleep(world.noticeMs, signal)
      throw new OnehopError('UNREACHABLE', `${to} cannot be dialled`)
    }
    const remote = world.members.get(to)?.transport
    const accept = remote?.acceptor(protocol)
    if (remote === undefined || accept === undefined) {
      throw new OnehopError('UNSUPPORTED', `${to} does not serve ${protocol}`)
    }
    const key = pair(this.self, to)
    let channels = world.connections.get(key)
    if (channels === undefined) {
      channels = new Set()
      world.connections.set(key, channels)
      this.tell(to, 'connected')
      remote.tell(this.self, 'connected')
    }
    const [near, far] = MemoryChannel.pair({
      clock: world.clock,
      drawForth: () => world.draw(this.self, to),
      drawBack: () => world.draw(to, this.self),
      onClosed: (channel) => channels.delete(channel),
    })
    channels.add(near)
    channels.add(far)
    accept(this.self, far)
    return near
  }

  listen(protocol: string, accept: (from: NodeId, channel: Channel) => void): void {
    this.#accepts.set(protocol, accept)
  }

  acceptor(protocol: string): ((from: NodeId, channel: Channel) => void) | undefined {
    return this.#accepts.get(protocol)
  }

  connected(): readonly NodeId[] {
    return [...this.#connected]
  }

  onPeer(listener: (peer: NodeId, state: 'connected' | 'disconnected') => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(peer: NodeId, state: 'connected' | 'disconnected'): void {
    if (state === 'connected') this.#connected.add(peer)
    else this.#connected.delete(peer)
    for (const listener of [...this.#listeners]) listener(peer, state)
  }
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

/** A readable stand-in for a key in tests: the hex of a repeated byte. */
export function memoryNodeId(byte: number): NodeId {
  return toHex(new Uint8Array(32).fill(byte))
}
