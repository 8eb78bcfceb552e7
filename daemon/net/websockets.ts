import { webSockets } from '@libp2p/websockets'
import type { Transport } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Gater } from './gater.ts'

type Make = ReturnType<typeof webSockets>

/**
 * libp2p's WebSockets, which resolve no name by themselves: theirs leave it to the runtime, which goes wherever a name
 * leads, into the LAN as well. A name is exchanged for the address that our rule found, so that nobody resolves it again.
 */
export function gatedWebSockets({
  lookup,
}: Pick<Gater, 'lookup'>): (...parts: Parameters<Make>) => Transport {
  return (...parts) => {
    const transport = webSockets()(...parts)
    const dial = transport.dial.bind(transport)
    transport.dial = async (address, options) => dial(await resolved(lookup, address), options)
    return transport
  }
}

/** Rejects with EACCES when the name leads nowhere that may be dialled. */
async function resolved(lookup: Gater['lookup'], address: Multiaddr): Promise<Multiaddr> {
  const [first, ...rest] = address.getComponents()
  const host = first?.value
  if (host === undefined || !first?.name.startsWith('dns')) return address
  const found = await new Promise<{ readonly ip: string; readonly family: number }>((resolve, reject) => {
    lookup(host, {}, (error, ip, family = 4) => {
      if (error !== null || typeof ip !== 'string') reject(error ?? new Error(`no address of ${host}`))
      else resolve({ ip, family })
    })
  })
  // The certificate names the name: it is looked at, and resolved once more.
  if (rest.some(({ name }) => name === 'wss' || name === 'tls')) return address
  return multiaddr(`/ip${found.family}/${found.ip}`).encapsulate(multiaddr(rest))
}
