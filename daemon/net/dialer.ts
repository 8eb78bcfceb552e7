import type { Libp2p } from '@libp2p/interface'
import { KEEP_ALIVE } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import { withDeadline } from './deadline.ts'
import { DialSchedule } from './dial-schedule.ts'
import type { Gater } from './gater.ts'
import { nodeIdOf, peerIdOf } from './node-id.ts'
import type { NodeId } from './rpc.ts'

/** Peers found by chance are dialled up to here; who is needed is dialled in any case. */
export const peersEnough = 32
const checkMs = 500
const dialMs = 5_000

export interface Dialer {
  /** Heard of by chance: dialled once, unless there are peers enough. */
  meet(node: NodeId): void
  keep(nodes: readonly NodeId[]): void
  /** Tries everybody again at once. */
  retry(): void
  close(): Promise<void>
}

/**
 * Keeps the node connected: addresses from the config and kept peers are dialled until they answer, and again whenever
 * they have gone. A static address that is down costs a few dials a minute and never the start.
 */
export function createDialer(options: {
  readonly libp2p: Libp2p
  readonly gater: Gater
  /** Where the operator says that nodes are. */
  readonly configured: ReadonlyMap<NodeId, readonly Multiaddr[]>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}): Dialer {
  const { libp2p, clock, log } = options
  const closing = new AbortController()
  const addresses = new Map(options.configured)
  for (const node of addresses.keys()) if (libp2p.peerId.equals(peerIdOf(node))) addresses.delete(node)
  const schedule = new DialSchedule({
    firstPauseMs: 500,
    longestPauseMs: 30_000,
    longestAlonePauseMs: 5_000,
    jitter: () => (options.random.bytes(1)[0] ?? 0) / 256,
  })
  let kept: readonly NodeId[] = []
  schedule.want(addresses.keys())

  const isConnected = (node: NodeId): boolean => libp2p.getConnections(peerIdOf(node)).length > 0
  const running = new Set<Promise<void>>()
  const dialling = new Set<NodeId>()

  const dial = async (node: NodeId): Promise<void> => {
    const peer = peerIdOf(node)
    try {
      await withDeadline(clock, dialMs, closing.signal, async (signal) => {
        // Addresses from the config are the operator's and are told anew each time: the peer store forgets.
        const known = addresses.get(node)
        if (known !== undefined) await libp2p.peerStore.merge(peer, { multiaddrs: [...known] }, { signal })
        await libp2p.dial(peer, { signal })
      })
      log.debug('net.dialled', { node })
    } catch (error) {
      if (closing.signal.aborted) return
      schedule.failed(node, clock.monotonicMs(), libp2p.getPeers().length === 0)
      log.debug('net.dial-failed', { node, error })
    } finally {
      dialling.delete(node)
    }
  }
  const start = (node: NodeId): void => {
    if (dialling.has(node) || options.gater.denies(node) || closing.signal.aborted) return
    dialling.add(node)
    const work = dial(node).finally(() => running.delete(work))
    running.add(work)
  }

  const meet = (node: NodeId): void => {
    if (libp2p.peerId.equals(peerIdOf(node)) || isConnected(node)) return
    if (libp2p.getPeers().length < peersEnough) start(node)
  }
  const onDiscovery = (event: CustomEvent<{ id: Parameters<typeof nodeIdOf>[0] }>): void => {
    const node = nodeIdOf(event.detail.id)
    if (node !== undefined) meet(node)
  }
  libp2p.addEventListener('peer:discovery', onDiscovery)

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      for (const node of schedule.due(clock.monotonicMs(), isConnected)) start(node)
      await clock.sleep(checkMs, closing.signal).catch(() => {})
    }
  }
  const looping = loop()

  return {
    meet,
    keep(nodes) {
      const before = kept
      kept = nodes.filter((node) => !libp2p.peerId.equals(peerIdOf(node)))
      schedule.want([...addresses.keys(), ...kept])
      // The tag keeps the pruner away; redialling is the schedule's work and does not give up after five times.
      const tag = (node: NodeId, value: { value: number } | undefined): void => {
        libp2p.peerStore
          .merge(peerIdOf(node), { tags: { [`${KEEP_ALIVE}-onehop`]: value } })
          .catch((error: unknown) => log.warn('net.tag-failed', { node, error }))
      }
      for (const node of before) if (!kept.includes(node)) tag(node, undefined)
      for (const node of kept) if (!before.includes(node)) tag(node, { value: 100 })
    },
    retry() {
      schedule.reset()
    },
    async close() {
      closing.abort(new OnehopError('CLOSED', 'the node is closing'))
      libp2p.removeEventListener('peer:discovery', onDiscovery)
      await Promise.all([looping, ...running])
    },
  }
}
