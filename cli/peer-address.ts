/** A node's addresses as other nodes take them in `network.bootstrap`. */
import { base58btc } from 'multiformats/bases/base58'
import { concatBytes } from '../protocol/bytes.ts'

/** A libp2p peer id of an Ed25519 key: the identity multihash of 36 bytes, the key as libp2p's protobuf writes it. */
const peerPrefix = Uint8Array.of(0x00, 36, 0x08, 0x01, 0x12, 32)

/** Those of this machine alone are left out where there are others. */
export function peerAddresses(node: Uint8Array, addresses: readonly string[]): readonly string[] {
  const dialled = addresses.filter((address) => !address.endsWith('/http'))
  const abroad = dialled.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address))
  const peer = base58btc.baseEncode(concatBytes(peerPrefix, node))
  return (abroad.length > 0 ? abroad : dialled).map((address) => `${address}/p2p/${peer}`)
}
