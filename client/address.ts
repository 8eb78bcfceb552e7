import { OnehopError } from '../protocol/errors.ts'

/** `http://…` of an address that a person typed, or of a seat's multiaddr that ends in /http. Undefined for others. */
export function addressUrl(address: string): string | undefined {
  if (/^https?:\/\//i.test(address)) {
    const url = URL.parse(address)
    return url === null ? undefined : url.origin
  }
  const parts =
    /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(\/tls)?\/(https?)(?:\/p2p\/[^/]+)?$/.exec(address)
  if (parts === null) return undefined
  const [, kind, host = '', port, tls, scheme] = parts
  const secure = tls !== undefined || scheme === 'https'
  const url = URL.parse(`${secure ? 'https' : 'http'}://${kind === 'ip6' ? `[${host}]` : host}:${port}`)
  return url === null ? undefined : url.origin
}

/** The same, for what an app was given. Throws BAD_REQUEST. */
export function requireUrl(address: string): string {
  const url = addressUrl(address)
  if (url !== undefined) return url
  throw new OnehopError('BAD_REQUEST', `${address} is no address of a node`, {
    help: 'Give http://HOST:PORT, or a multiaddr that ends in /http.',
  })
}
