import { createConnection } from 'node:net'
import { run, type Box } from './lan.ts'

/** Networks that no stranger's word may lead into. The cable between two boxes has a narrower route of its own. */
const innerNetworks = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
] as const

export interface Trap {
  /** That left the box for one of the inner networks. */
  packets(): Promise<number>
}

/** An interface on which packets end and are counted, with routes into all inner networks. */
export async function setTrap(box: Box): Promise<Trap> {
  await run(box, 'ip link add trap0 type veth peer name trap1')
  // Silent by itself: no neighbour discovery, no ARP before the packet that counts.
  for (const end of ['trap0', 'trap1']) await run(box, `ip link set ${end} addrgenmode none`)
  await run(box, 'ip link set trap1 up')
  await run(box, 'ip link set trap0 arp off up')
  for (const network of innerNetworks) await run(box, `ip route add ${network} dev trap0`)
  return {
    async packets() {
      const [{ stats64 }] = JSON.parse(await run(box, 'ip -s -j link show trap0')) as [
        { stats64: { tx: { packets: number } } },
      ]
      return stats64.tx.packets
    },
  }
}

// As a command in the box: knocks once, to show that the trap would have counted it.
if (import.meta.main) {
  const socket = createConnection({ host: process.argv[2] ?? '10.1.2.3', port: 80, timeout: 500 })
  socket.on('error', () => {})
  socket.on('timeout', () => socket.destroy())
}
