import { BlockList, isIP } from 'node:net'
import { OnehopError } from '../../protocol/errors.ts'

/** Where an address leads. Only `public` may be dialled on a stranger's word. */
export type AddressClass =
  | 'public'
  | 'loopback'
  | 'private'
  | 'carrier-nat'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'reserved'

/** First match wins, so the narrow ones stand first. */
const ranges: readonly (readonly [AddressClass, readonly string[]])[] = [
  // Cloud machines hand out their credentials there; Alibaba's lies in the carrier range, AWS's in fd00::/8.
  ['metadata', ['169.254.169.254/32', '169.254.170.2/32', '100.100.100.200/32', 'fd00:ec2::254/128']],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10']],
  ['carrier-nat', ['100.64.0.0/10']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  [
    'reserved',
    [
      '0.0.0.0/8',
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      '::/128',
      '100::/64',
      '2001::/23',
      '2001:db8::/32',
      '3fff::/20',
      '5f00::/16',
    ],
  ],
]

const lists = ranges.map(([name, cidrs]) => [name, addressRanges(cidrs)] as const)

/** Undefined when the text is no IP address. */
export function classifyAddress(host: string): AddressClass | undefined {
  const address = withoutZone(host)
  const version = isIP(address)
  if (version === 0) return undefined
  if (version === 6) {
    // An IPv6 address that wraps an IPv4 one leads where the inner one leads.
    const words = ipv6Words(address)
    const inner = words && embeddedIpv4(words)
    if (inner !== undefined) return classifyAddress(inner)
  }
  const family = version === 4 ? 'ipv4' : 'ipv6'
  for (const [name, list] of lists) if (list.check(address, family)) return name
  return 'public'
}

/** Throws BAD_CONFIG naming the range that is none. A bare address is a range of one. */
export function addressRanges(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [host = '', bits] = cidr.split('/')
    const version = isIP(host)
    const longest = version === 4 ? 32 : 128
    const prefix = bits === undefined ? longest : Number(bits)
    const valid = version !== 0 && (bits === undefined || /^\d{1,3}$/.test(bits)) && prefix <= longest
    if (!valid) throw new OnehopError('BAD_CONFIG', `${cidr} is no address range such as 192.168.1.0/24`)
    list.addSubnet(host, prefix, version === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

export function inRanges(list: BlockList, host: string): boolean {
  const address = withoutZone(host)
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

function withoutZone(host: string): string {
  const percent = host.indexOf('%')
  return percent < 0 ? host : host.slice(0, percent)
}

/** Mapped (::ffff:a.b.c.d), compatible (::a.b.c.d), NAT64 (64:ff9b::a.b.c.d) and 6to4 (2002:ab:cd::). */
function embeddedIpv4(words: readonly number[]): string | undefined {
  const [w0 = 0, w1 = 0, w2 = 0, , , w5 = 0, w6 = 0, w7 = 0] = words
  const zero = (from: number, to: number): boolean => words.slice(from, to).every((word) => word === 0)
  if (zero(0, 5) && (w5 === 0xffff || (w5 === 0 && w6 !== 0))) return dotted(w6, w7)
  if (w0 === 0x64 && w1 === 0xff9b) return dotted(w6, w7)
  if (w0 === 0x2002) return dotted(w1, w2)
  return undefined
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

function ipv6Words(address: string): number[] | undefined {
  // The URL parser knows every spelling and answers with the shortest.
  const short = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1)
  if (short === undefined) return undefined
  const [head = '', tail] = short.split('::')
  const parse = (text: string): number[] =>
    text
      .split(':')
      .filter(Boolean)
      .map((word) => Number.parseInt(word, 16))
  if (tail === undefined) return parse(head)
  const front = parse(head)
  const back = parse(tail)
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back]
}
