import type { Libp2p } from '@libp2p/interface'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { Channel, RpcTransport } from './channel.ts'
import { netLimits } from './net-limits.ts'
import { nodeIdOf, peerIdOf } from './node-id.ts'
import type { NodeId } from './rpc.ts'
import { createStreamChannel } from './stream-channel.ts'

/** Channels over libp2p streams. The node's connections, and who may be dialled, are libp2p.ts's affair. */
export function createLibp2pTransport(self: NodeId, libp2p: Libp2p, clock: Clock, log: Log): RpcTransport {
  return {
    self,

    async open(to, protocol, signal) {
      const peer = peerIdOf(to)
      try {
        const stream = await libp2p.dialProtocol(peer, protocol, { signal, runOnLimitedConnection: true })
        return createStreamChannel(stream, clock)
      } catch (cause) {
        signal.throwIfAborted()
        if (cause instanceof Error && cause.name === 'UnsupportedProtocolError') {
          throw new OnehopError('UNSUPPORTED', `${to} does not serve ${protocol}`, { cause })
        }
        throw new OnehopError('UNREACHABLE', `${to} cannot be reached`, { cause })
      }
    },

    listen(protocol, accept) {
      libp2p
        .handle(
          protocol,
          (stream, connection) => {
            const from = nodeIdOf(connection.remotePeer)
            if (from === undefined) {
              stream.abort(new OnehopError('BAD_REQUEST', 'only Ed25519 peers are served'))
              return
            }
            let channel: Channel
            try {
              channel = createStreamChannel(stream, clock)
            } catch {
              // Closed before it was handed over: nobody is left to tell.
              return
            }
            accept(from, channel)
          },
          { maxInboundStreams: netLimits.rawStreamsMax, runOnLimitedConnection: true },
        )
        .catch((error: unknown) => log.error('net.listen-failed', { protocol, error }))
    },

    connected() {
      return libp2p.getPeers().flatMap((peer) => nodeIdOf(peer) ?? [])
    },

    onPeer(listener) {
      const tell =
        (state: 'connected' | 'disconnected') => (event: CustomEvent<Parameters<typeof nodeIdOf>[0]>) => {
          const node = nodeIdOf(event.detail)
          if (node !== undefined) listener(node, state)
        }
      const onConnect = tell('connected')
      const onDisconnect = tell('disconnected')
      libp2p.addEventListener('peer:connect', onConnect)
      libp2p.addEventListener('peer:disconnect', onDisconnect)
      return () => {
        libp2p.removeEventListener('peer:connect', onConnect)
        libp2p.removeEventListener('peer:disconnect', onDisconnect)
      }
    },
  }
}
