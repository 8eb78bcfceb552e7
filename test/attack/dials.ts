/** Strangers who would have a home box knock at the doors of its neighbours. Packets are counted on a real interface. */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import { lanToolsMissing, LanRefused, openLan, run, type Box, type Lan } from '../support/lan.ts'
import { setTrap, type Trap } from '../support/trap.ts'
import { until } from '../support/until.ts'
import { Untried, type Scenario } from './scenario.ts'
import { startTalker, type Talker } from './talker.ts'

async function lanOrUntried(): Promise<Lan> {
  const missing = lanToolsMissing()
  if (missing !== undefined) throw new Untried(missing)
  try {
    return await openLan()
  } catch (error) {
    if (error instanceof LanRefused)
      throw new Untried(`this user may not make network namespaces: ${error.message}`)
    throw error
  }
}

interface Said {
  readonly address: string
  readonly told: number
  readonly lookups: number
  readonly failedDials: number
  readonly port: number
  readonly adminToken: string
}

const start = (box: Box, script: string, ...args: readonly string[]): Talker<Said> =>
  startTalker<Said>(box.within, script, ...args)

/** Nothing was counted; and something is, when one knocks on purpose. */
async function silent(box: Box, trap: Trap): Promise<void> {
  assert.equal(await trap.packets(), 0)
  await run(box, process.execPath, resolve(import.meta.dirname, '../support/trap.ts'), '10.1.2.3')
  assert.notEqual(await trap.packets(), 0)
}

export const dialAttacks: readonly Scenario[] = [
  {
    name: 'ten-thousand-doors',
    attack:
      'a DHT peer answers and announces ten thousand addresses in 10/8, 192.168/16, 169.254/16, 100.64/10, and names of them',
    stoppedBy:
      'the gater: no address of an inner network is kept or dialled on a stranger’s word, and no name',
    async run() {
      await using lan = await lanOrUntried()
      const [one, two] = lan.boxes
      const trap = await setTrap(one)
      await using liar = start(two, 'dial-liar.ts', two.address)
      await until(() => liar.said.address, 60_000)
      await using victim = start(one, 'dial-victim.ts', one.address, liar.said.address ?? '')
      await until(() => (liar.said.told ?? 0) >= 10_000 && (victim.said.lookups ?? 0) >= 20, 60_000)
      await silent(one, trap)
      return `${liar.said.told} addresses told, ${victim.said.lookups} look-ups, 0 packets`
    },
  },
  {
    name: 'name-that-leads-inside',
    attack: 'a name of the bootstrap list (its domain was taken over) resolves to an address in the LAN',
    stoppedBy: 'names are resolved by us, for TCP and WebSocket alike, and lead only where addresses may',
    async run() {
      await using lan = await lanOrUntried()
      const [one] = lan.boxes
      const trap = await setTrap(one)
      // Resolvers read such a name as 10.66.66.66, without asking anybody.
      const bootstrap = [
        '/dns4/0x0a424242/tcp/4181',
        '/dns4/0x0a424242/tcp/4182/ws',
        '/dns/0x0a424242/tcp/4183/ws',
      ]
      const named = bootstrap.map((address, i) => fullAddress(memoryNodeId(i + 1), address))
      await using victim = start(one, 'dial-victim.ts', one.address, ...named)
      // All three at least twice.
      await until(() => (victim.said.failedDials ?? 0) >= 6, 60_000)
      await silent(one, trap)
    },
  },
  {
    name: 'admin-from-elsewhere',
    attack: 'the admin token, copied, is used from another machine of the same network',
    stoppedBy: 'administration is for loopback alone (403)',
    async run() {
      await using lan = await lanOrUntried()
      const [one, two] = lan.boxes
      await using victim = start(one, 'dial-victim.ts', one.address)
      const { port, adminToken } = (await until(
        () => victim.said.adminToken && victim.said,
        60_000,
      )) as Partial<Said>
      const ask = async (from: Box, host: string): Promise<string> => {
        const url = `http://${host}:${port}/api/v1/admin.config`
        const headers = `{ authorization: 'Bearer ${adminToken}', 'content-type': 'application/json' }`
        const script = `const sent = await fetch('${url}', { method: 'POST', body: '{}', headers: ${headers} })
          console.log(sent.status)`
        return (await run(from, process.execPath, '--input-type=module', '-e', script)).trim()
      }
      assert.equal(await ask(one, '127.0.0.1'), '200')
      assert.equal(await ask(two, one.address), '403')
    },
  },
]
