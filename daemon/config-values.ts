/** What single settings may hold. A message says what fits, so that it reads as the way out after the setting's name. */
import { isIP } from 'node:net'
import * as v from 'valibot'
import { addressRanges } from './net/address-class.ts'

export const scopePath = v.pipe(
  v.string(),
  v.regex(/^(?:\/[a-z0-9][a-z0-9-]*)+$/, 'a scope such as /geo/africa/ng/lagos'),
)
export const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))
export const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(400 * 86_400_000))
export const nodeId = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'a node id of 64 hex digits'))

/** Not a name: three listeners and the multiaddrs must mean the same interface, today and after the name has moved. */
export const listenHost = v.pipe(
  v.string(),
  v.check(
    (host) => isIP(host) !== 0 && !host.includes('%'),
    'an IP address of this machine: 0.0.0.0 for all of them, 127.0.0.1 for this machine alone; no name',
  ),
)

export const addressRange = v.pipe(
  v.string(),
  v.check(isRange, 'an address or a range such as 192.168.1.0/24'),
)

/** As a browser writes it into the Host header, without the port: lower case, IPv6 in brackets. */
export const hostName = v.pipe(
  v.string(),
  v.check(
    (name) => name !== '' && URL.parse(`http://${name}`)?.hostname === name,
    'a host name such as box.example, in lower case, without http:// and without a port',
  ),
)

export const siteOrigin = v.pipe(
  v.string(),
  v.check(
    (text) => /^https?:/.test(text) && URL.parse(text)?.origin === text,
    'an origin such as https://app.example, in lower case, without a path or a slash at its end',
  ),
)

function isRange(text: string): boolean {
  try {
    addressRanges([text])
    return true
  } catch {
    return false
  }
}
