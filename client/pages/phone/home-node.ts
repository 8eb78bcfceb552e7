/** How this phone finds its node again after it was paired. */
import { equalBytes } from '../../../protocol/bytes.ts'
import { encode } from '../../../protocol/codec.ts'
import { limits } from '../../../protocol/limits.ts'
import { array, bytes, decodeAs, fields, text } from '../../../protocol/shape.ts'
import { dialNode, httpTransport, streamTransport } from '../../index.ts'
import type { KeyStore, Transport } from '../../index.ts'

export interface HomeNode {
  readonly node: Uint8Array
  /** Multiaddrs from the pairing link and from the node itself. */
  readonly addresses: readonly string[]
}

const keptName = 'page/node'
const apiProtocol = '/onehop/api/1'
const infoTimeoutMs = 4000
const shape = fields({
  node: bytes(32),
  addresses: array(text(256), limits.addressesPerNodeMax * 2),
})

export async function readHomeNode(keys: KeyStore): Promise<HomeNode | undefined> {
  const kept = await keys.get(keptName)
  return kept === undefined ? undefined : decodeAs(shape, kept, 'home node')
}

export async function keepHomeNode(keys: KeyStore, home: HomeNode): Promise<void> {
  const addresses = [...new Set(home.addresses)].slice(0, limits.addressesPerNodeMax * 2)
  await keys.write(new Map([[keptName, encode({ node: home.node, addresses })]]))
}

/**
 * HTTP to the node that serves the page; to any other one, or by another way while that does not answer, a connection
 * that proves its key. A page may not ask other nodes by HTTP, and one node has several names, of which the page knows
 * one: so nobody is raced here. Out of reach of both, HTTP again: what is written waits for it in the outbox.
 */
export async function wayToNode(home: HomeNode): Promise<Transport> {
  const own = httpTransport({ address: location.origin })
  if (await isAt(own, home)) return own
  try {
    const secure = await dialNode({ node: home.node, addresses: home.addresses })
    return streamTransport(await secure.openStream(apiProtocol))
  } catch {
    return own
  }
}

async function isAt(transport: Transport, { node }: HomeNode): Promise<boolean> {
  try {
    const info = await transport.call('node.info', {}, { timeoutMs: infoTimeoutMs })
    return equalBytes(info.node, node)
  } catch {
    // Whoever does not answer as a node is not the one.
    return false
  }
}
