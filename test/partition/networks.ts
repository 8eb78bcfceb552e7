import { spawnSync } from 'node:child_process'
import { findDebian } from '../../scripts/debian.ts'
import { lanToolsMissing } from '../support/lan.ts'

/** All that boxes at a switch need, in a network that goes with the shell. */
const trial = `
  ip link add switch type bridge &&
  ip link add port0 type veth peer name eth0 &&
  unshare --net true &&
  tc qdisc add dev eth0 root tbf rate 64kbit burst 4kb latency 400ms &&
  nft 'add table inet cable; add chain inet cable in { type filter hook input priority 0; }; add rule inet cable in numgen random mod 100 < 5 drop'
`

/** Why there can be no boxes at a switch: a tool that could be installed, or a machine that does not let this user make networks. */
export function networksMissing(): { readonly why: string; readonly isTool: boolean } | undefined {
  const tool = lanToolsMissing() ?? debianMissing('nft', 'nftables') ?? debianMissing('tc', 'iproute2')
  if (tool !== undefined) return { why: tool, isTool: process.platform === 'linux' }
  const { status, stderr } = spawnSync('unshare', ['--user', '--map-root-user', '--net', 'sh', '-c', trial], {
    encoding: 'utf8',
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  })
  if (status === 0) return undefined
  const why = `this user may not make network namespaces (${stderr.trim()}); try: sudo npm run partition`
  return { why, isTool: false }
}

function debianMissing(program: string, debianPackage: string): string | undefined {
  const found = findDebian(program, debianPackage)
  return found.found ? undefined : `${program} is missing. ${found.help}`
}
