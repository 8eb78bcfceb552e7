import type { Address } from '@libp2p/interface'
import { loopbackAddressLast, publicAddressesFirst } from '@libp2p/utils'
import { isRelayed } from './node-id.ts'

/**
 * In which order a peer's addresses are tried, one after the other. A neighbour's private address comes before a relay on
 * the internet, by which libp2p would go. The relay comes before WebSockets at the same door: where packets vanish, three
 * seconds are gone with each address, and a dial has five.
 */
export function dialOrder(a: Address, b: Address): -1 | 0 | 1 {
  return (
    (Math.sign(rank(a) - rank(b)) as -1 | 0 | 1) ||
    loopbackAddressLast(a.multiaddr, b.multiaddr) ||
    publicAddressesFirst(a.multiaddr, b.multiaddr) ||
    (Math.sign(Number(b.isCertified) - Number(a.isCertified)) as -1 | 0 | 1)
  )
}

function rank({ multiaddr }: Address): number {
  if (isRelayed(multiaddr)) return 1
  return multiaddr.getComponents().some(({ name }) => name === 'ws' || name === 'wss') ? 2 : 0
}
