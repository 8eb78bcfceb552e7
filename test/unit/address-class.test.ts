import { expect, test } from 'vitest'
import { addressRanges, classifyAddress, inRanges } from '../../daemon/net/address-class.ts'

test.each([
  ['8.8.8.8', 'public'],
  ['172.15.255.255', 'public'],
  ['172.16.0.1', 'private'],
  ['172.32.0.1', 'public'],
  ['10.1.2.3', 'private'],
  ['192.168.178.1', 'private'],
  ['100.63.255.255', 'public'],
  ['100.64.0.1', 'carrier-nat'],
  ['100.100.100.200', 'metadata'],
  ['127.3.0.1', 'loopback'],
  ['169.254.1.1', 'link-local'],
  ['169.254.169.254', 'metadata'],
  ['0.0.0.0', 'reserved'],
  ['224.0.0.251', 'multicast'],
  ['255.255.255.255', 'reserved'],
  ['2a00:1450::1', 'public'],
  ['::1', 'loopback'],
  ['::', 'reserved'],
  ['fd12::1', 'private'],
  ['fd00:ec2::254', 'metadata'],
  ['fe80::1%eth0', 'link-local'],
  ['ff02::1', 'multicast'],
  // IPv4 in IPv6's clothes
  ['::ffff:192.168.1.1', 'private'],
  ['::ffff:7f00:1', 'loopback'],
  ['::127.0.0.1', 'loopback'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['2002:c0a8:101::', 'private'],
  ['::ffff:8.8.8.8', 'public'],
])('%s is %s', (host, expected) => {
  expect(classifyAddress(host)).toBe(expected)
})

test.each(['', 'localhost', '1.2.3', '256.1.1.1', '0x7f.1', '010.0.0.1', '1.2.3.4.5', ':::'])(
  '%j is no address',
  (host) => {
    expect(classifyAddress(host)).toBeUndefined()
  },
)

test('ranges contain what lies in them', () => {
  const ranges = addressRanges(['127.0.0.0/8', '192.168.1.7', 'fd00::/8'])
  expect(['127.9.9.9', '192.168.1.7', 'fd01::2'].every((host) => inRanges(ranges, host))).toBe(true)
  expect(['128.0.0.1', '192.168.1.8', 'fe80::1', 'localhost'].some((host) => inRanges(ranges, host))).toBe(
    false,
  )
})

test.each(['127.0.0.0/33', '127.0.0.0/', 'localhost/8', '::/129', '10.0.0.0/-1', '10.0.0.0/1e1'])(
  '%s is refused as a range',
  (cidr) => {
    expect(() => addressRanges([cidr])).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
  },
)
