import type { Candidate } from './rendezvous.ts'
import type { Seat } from './replica-set.ts'

/** As the chooser sees a node: the more it offers, by the logarithm, the more shards it wins. */
export function candidateOf(
  { node, region, operator, addresses }: Pick<Seat, 'node' | 'region' | 'operator' | 'addresses'>,
  offeredBytes = 0,
): Candidate {
  return {
    node,
    weight: Math.max(1, Math.log2(1 + offeredBytes / 2 ** 20)),
    operator,
    prefixes: prefixesOf(addresses),
    region,
  }
}

/**
 * The /24 of IPv4 and the /48 of IPv6 addresses: what a power cut in one street takes with it. Where a relay stands says
 * nothing of the nodes behind it, and all of them would seem to live in one street.
 */
function prefixesOf(addresses: readonly string[]): string[] {
  const own = addresses.filter((address) => !address.includes('/p2p-circuit'))
  const prefixes = own.map((address) => {
    const [, family, host = ''] = address.split('/')
    if (family === 'ip4') return host.split('.').slice(0, 3).join('.')
    if (family === 'ip6') return host.split(':').slice(0, 3).join(':')
    return host
  })
  return [...new Set(prefixes.filter((prefix) => prefix !== ''))]
}
