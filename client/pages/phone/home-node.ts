/** How this phone finds its node again after it was paired. */
import { equalBytes } from '../../../protocol/bytes.ts'
import { encode } from '../../../protocol/codec.ts'
import { limits } from '../../../protocol/limits.ts'
import { array, bytes, decodeAs, fields, text } from '../../../protocol/shape.ts'
import { addressUrl, dialNode, httpTransport, streamTransport } from '../../index.ts'
import type { KeyStore, Transport } from '../../index.ts'

export interface HomeNode {
  readonly node: Uint8Array
  /** Multiaddrs from the pairing link and from the node itself. */
  readonly addresses: readonly string[]
}

const keptName = 'page/node'
const apiProtocol = '/onehop/api/1'
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

/** Is this page served by that node? Then it is asked by HTTP, as pages are. */
async function servesThisPage(home: HomeNode): Promise<boolean> {
  try {
    const info = await httpTransport({ address: location.origin }).call('node.info', {}, { timeoutMs: 4000 })
    return equalBytes(info.node, home.node)
  } catch {
    // Whoever does not answer as a node is not the one.
    return false
  }
}

export type Way = { readonly node: readonly string[] } | { readonly transport: Transport }

/** HTTP to the node that serves the page; to any other one a connection that proves its key. */
export async function wayToNode(home: HomeNode): Promise<Way> {
  if (await servesThisPage(home)) {
    const urls = home.addresses.map(addressUrl).filter((url) => url !== undefined)
    return { node: [location.origin, ...urls.filter((url) => url !== location.origin)] }
  }
  const secure = await dialNode({ node: home.node, addresses: home.addresses })
  return { transport: streamTransport(await secure.openStream(apiProtocol)) }
}
