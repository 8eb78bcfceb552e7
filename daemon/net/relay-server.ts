/** What a node with `network.relay` lends to others: its line, within bounds. What it passes on is encrypted from end to end. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { CircuitRelayServerComponents, CircuitRelayService } from '@libp2p/circuit-relay-v2'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import type {
  Connection,
  Libp2pEvents,
  PeerId,
  Stream,
  StreamMessageEvent,
  TypedEventTarget,
} from '@libp2p/interface'
import type { Gater } from './gater.ts'
import { netLimits } from './net-limits.ts'
import { nodeIdOf } from './node-id.ts'

/** By this protocol a relay is asked for a place, and to be put through. */
const hopProtocol = '/libp2p/circuit/relay/0.2.0/hop'
const hopTimeoutMs = 10_000

/** Parts of libp2p's relay that its types leave out. */
interface RelayServer extends CircuitRelayService {
  onHop(stream: Stream, connection: Connection): Promise<void>
  stopHop(...asked: readonly unknown[]): Promise<Stream | undefined>
}

type Components = CircuitRelayServerComponents & { readonly events: TypedEventTarget<Libp2pEvents> }

export function relayService(gater: Gater) {
  const create = circuitRelayServer({
    hopTimeout: hopTimeoutMs,
    // Some more than may be joined, so that who asks for too much is told so.
    maxInboundHopStreams: netLimits.relayedPerPeerMax + 4,
    maxOutboundStopStreams: netLimits.relayedMax,
    // By default 128 KiB and two minutes, which would cut every copy of a shard.
    reservations: { maxReservations: netLimits.relayReservationsMax, applyDefaultLimit: false },
  })
  return (components: Components): CircuitRelayService => {
    const { registrar, peerStore, addressManager, peerId, privateKey, connectionManager, logger, events } =
      components
    const denies = (peer: PeerId): boolean => gater.denies(nodeIdOf(peer))
    const joined = (source?: PeerId): number =>
      connectionManager
        .getConnections(source)
        .flatMap(({ streams }) => streams)
        .filter(({ protocol, direction }) => protocol === hopProtocol && direction === 'inbound').length
    const server = create({
      ...{ registrar, peerStore, addressManager, peerId, privateKey, connectionManager, logger },
      connectionGater: {
        denyInboundRelayReservation: denies,
        denyOutboundRelayedConnection: (source, destination) =>
          denies(source) ||
          denies(destination) ||
          // The stream that asks is among them.
          joined(source) > netLimits.relayedPerPeerMax ||
          joined() > netLimits.relayedMax,
      },
    }) as RelayServer

    // Who has left asks anew when it comes back: strangers cannot use places up by coming and going.
    events.addEventListener('peer:disconnect', ({ detail: peer }) => {
      server.reservations.get(peer)?.signal.clear()
      server.reservations.delete(peer)
    })

    const asking = new AsyncLocalStorage<Stream>()
    const { onHop, stopHop } = server
    server.onHop = (stream, connection) => asking.run(stream, () => onHop.call(server, stream, connection))
    server.stopHop = async (...asked) => {
      const [from, to] = [asking.getStore(), await stopHop.apply(server, [...asked])]
      if (from !== undefined && to !== undefined) {
        holdBack(from, to)
        holdBack(to, from)
      }
      return to
    }
    return server
  }
}

/**
 * Reads on from one side when the other has taken all that came: libp2p's relay takes whatever comes, so that a fast sender and
 * a slow reader would fill this node's memory, or have the connection reset.
 */
function holdBack(from: Stream, to: Stream): void {
  let waiting = 0
  const dispatch = from.dispatchEvent.bind(from)
  // No listener of ours: with one, what comes before the relay listens would be handed to it and be lost.
  from.dispatchEvent = (event) => {
    if (event.type === 'message') {
      waiting += (event as StreamMessageEvent).data.byteLength
      // Not now: a stream that is being resumed would go on to tell its peer to send more.
      queueMicrotask(waitIfMuch)
    }
    return dispatch(event)
  }
  const waitIfMuch = (): void => {
    const unsent = waiting + to.writeBufferLength
    if (unsent > netLimits.relayedBytesWaitingMax && from.readStatus === 'readable') from.pause()
  }
  const send = to.send.bind(to)
  to.send = (data) => {
    // Answers of the relay itself go this way too, and did not come from there.
    waiting = Math.max(0, waiting - data.byteLength)
    const isTaken = send(data)
    readOn()
    return isTaken
  }
  const readOn = (): void => {
    if (waiting + to.writeBufferLength === 0 && from.readStatus === 'paused') from.resume()
  }
  to.addEventListener('idle', readOn)
}
