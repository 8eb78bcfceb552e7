import type { Libp2p } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import type { Clock, Log } from '../../protocol/ports.ts'
import { withDeadline } from './deadline.ts'
import { nodeIdOf } from './node-id.ts'
import type { NodeId } from './rpc.ts'

const firstPauseMs = 500
/** A street that stands still is looked over so often: a walk costs every node on it some milliseconds. */
const longestPauseMs = 5 * 60_000
const walkTimeoutMs = 10_000

/**
 * Asks the DHT again and again who is near: often while new peers turn up, ever more seldom when none do. libp2p
 * announces a peer once, when it first hears of it; a dial that failed then, both sides dialling or one too busy,
 * would leave two neighbours strangers for good.
 */
export async function discover(options: {
  readonly libp2p: Pick<Libp2p, 'peerId' | 'getPeers'>
  readonly dht: Pick<KadDHT, 'getClosestPeers'>
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** Dials the peer unless it is connected, denied or there are enough. */
  readonly meet: (node: NodeId) => void
}): Promise<void> {
  const { libp2p, dht, clock, log, signal, meet } = options
  const key = libp2p.peerId.toMultihash().bytes
  let pauseMs = firstPauseMs
  let known = 0
  while (!signal.aborted) {
    await clock.sleep(pauseMs, signal).catch(() => {})
    if (signal.aborted) return
    const peers = libp2p.getPeers().length
    pauseMs = peers === known ? Math.min(longestPauseMs, pauseMs * 2) : firstPauseMs
    known = peers
    if (peers === 0) continue // the dialer is at it
    try {
      await withDeadline(clock, walkTimeoutMs, signal, async (walking) => {
        for await (const event of dht.getClosestPeers(key, { signal: walking })) {
          if (event.name !== 'PEER_RESPONSE') continue
          for (const { id } of event.closer) {
            const node = nodeIdOf(id)
            if (node !== undefined) meet(node)
          }
        }
      })
    } catch (error) {
      if (!signal.aborted) log.debug('net.discovery-failed', { error })
    }
  }
}
