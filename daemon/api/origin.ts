/**
 * Which sites may talk to this node. A page of any site can make a browser send requests here, and with a name that
 * first resolves to its own server and then to ours (DNS rebinding) it can read the answers too. So the Host header
 * must name this node, and an Origin, where there is one, must be this node's page, a site that the config names, or one that somebody
 * granted a token.
 */
import { OnehopError } from '../../protocol/errors.ts'

export interface OriginRules {
  /** Names, beside localhost and the address that the connection came to, under which the node may be asked. */
  readonly hosts: readonly string[]
  /** Origins of other sites that may call the API. */
  readonly origins: readonly string[]
}

export interface Addressed {
  readonly host: string | undefined
  readonly origin: string | undefined
  /** The address of this end of the connection. */
  readonly localAddress: string | undefined
}

/** Throws FORBIDDEN. Returns the origin to name in CORS headers, or undefined where none is needed. */
export function checkOrigin(
  addressed: Addressed,
  rules: OriginRules,
  /** Whether somebody granted that site a token. */
  admits: (origin: string) => boolean = () => false,
): string | undefined {
  const { host, origin } = addressed
  const url = host === undefined ? null : URL.parse(`http://${host}`)
  const named =
    url !== null && url.host !== '' && url.pathname === '/' && url.username === '' && url.search === ''
  if (!named || !isOwnName(url.hostname, addressed.localAddress, rules.hosts)) {
    throw new OnehopError('FORBIDDEN', 'the Host header does not name this node', {
      help: 'Open the node by its address, or add the name to http.hosts in the config.',
    })
  }
  if (origin === undefined) return undefined
  if (rules.origins.includes(origin)) return origin
  // https too: a proxy in front may have taken the encryption off.
  const own = URL.parse(origin)
  const sameScheme = own !== null && (own.protocol === 'http:' || own.protocol === 'https:')
  if (sameScheme && own.origin === origin && own.host === url.host) return undefined
  if (admits(origin)) return origin
  throw new OnehopError('FORBIDDEN', 'pages of another origin may not call this node', {
    help: 'Add the origin to http.origins in the config, if you trust that site.',
  })
}

function isOwnName(name: string, localAddress: string | undefined, hosts: readonly string[]): boolean {
  if (name === 'localhost' || hosts.includes(name)) return true
  if (localAddress === undefined) return false
  const plain = localAddress.startsWith('::ffff:') ? localAddress.slice(7) : localAddress
  return name === plain || name === `[${plain.replace(/%.*$/, '')}]`
}
