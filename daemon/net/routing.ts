import type { KadDHT } from '@libp2p/kad-dht'
import type { Libp2p } from '@libp2p/interface'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as digest from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import { OnehopError } from '../../protocol/errors.ts'
import type { Gater } from './gater.ts'
import { netLimits } from './net-limits.ts'
import { formatAddress, nodeIdOf, parseAddress, peerIdOf } from './node-id.ts'
import type { NodeId, Routing } from './rpc.ts'

/** Our DHT: provider records and nothing else. Values roll back under concurrent writers. */
export function createRouting(
  libp2p: Libp2p,
  dht: KadDHT & { readonly routingTable?: { readonly size: number } },
  gater: Gater,
): Routing {
  const size = (): number => dht.routingTable?.size ?? 0
  return {
    size,

    async provide(key, signal) {
      signal.throwIfAborted()
      // The query would wait for a first peer and hold its place in the queue meanwhile.
      if (size() === 0) throw new OnehopError('UNREACHABLE', 'no peers to keep the record')
      let stored = 0
      for await (const event of dht.provide(cidOf(key), { signal })) {
        if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') stored++
      }
      signal.throwIfAborted()
      if (stored === 0) throw new OnehopError('UNREACHABLE', 'no peer took the record')
    },

    async *findProviders(key, signal) {
      signal.throwIfAborted()
      const seen = new Set<NodeId>()
      for await (const event of dht.findProviders(cidOf(key), { signal })) {
        if (event.name !== 'PROVIDER') continue
        for (const { id, multiaddrs } of event.providers) {
          const node = nodeIdOf(id)
          if (node === undefined || seen.has(node) || libp2p.peerId.equals(id) || gater.denies(node)) continue
          seen.add(node)
          const permitted = multiaddrs.filter((address) => gater.permits(id, address))
          const dialable = permitted.slice(0, netLimits.addressesPerPeerMax)
          // Remembered before it is handed out: the asker dials by id alone.
          if (dialable.length > 0) await libp2p.peerStore.merge(id, { multiaddrs: dialable }, { signal })
          yield { node, addresses: dialable.map(formatAddress) }
        }
      }
    },

    async learn({ node, addresses }) {
      const peer = peerIdOf(node)
      if (libp2p.peerId.equals(peer)) return
      const multiaddrs = addresses
        .slice(0, netLimits.addressesPerPeerMax)
        .flatMap((text) => parseAddress(text)?.transport ?? [])
        .filter((address) => gater.permits(peer, address))
      if (multiaddrs.length > 0) await libp2p.peerStore.merge(peer, { multiaddrs })
    },

    async withdraw(key) {
      await dht.cancelReprovide(cidOf(key))
    },
  }
}

function cidOf(key: Uint8Array): CID {
  if (key.length !== 32) throw new OnehopError('INTERNAL', 'a routing key is a SHA-256 hash')
  return CID.createV1(raw.code, digest.create(sha256.code, key))
}
