/** What one write costs between nodes: counted at real nodes on a network in memory, as no shard has more than its holders. */
import { microblog } from '../../client/microblog.ts'
import { signReplicaSet, packReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { Config } from '../../daemon/config.ts'
import { createSimPerson, type Writer } from '../../test/sim/writer.ts'
import { createMesh, type MeshNode } from '../../test/support/mesh.ts'

const writes = 20
/** Longer than a shard has to be quiet before its holders compare. */
const betweenMs = 15_000

export interface WriteRequests {
  /** Requests a write, each with its reply, by method. */
  readonly byMethod: Readonly<Record<string, number>>
  readonly requests: number
}

export async function countWriteRequests(hosting: Config['hosting'], seed: number): Promise<WriteRequests> {
  const offering = { ...hosting, offerTo: 'anyone' as const }
  await using mesh = await createMesh(hosting.copies + 1, { seed, config: () => ({ hosting: offering }) })
  await mesh.clock.advance(3_000)
  const person = createSimPerson(mesh.crypto)
  const home = mesh.nodes[0] as MeshNode
  const [writer] = person.writers as readonly [Writer, Writer]
  await mesh.wait(
    moveIn(home, person.log, person.owner, (unsigned) =>
      signReplicaSet(mesh.crypto, unsigned, person.owning.seed),
    ),
  )
  const write = async (): Promise<void> => {
    const { bytes } = writer.sign('posts', new Uint8Array(0), 'put', { text: 'a post' }, mesh.clock.nowMs())
    await mesh.wait(home.call('record.put', { records: [bytes] }))
    await mesh.clock.advance(betweenMs)
  }
  // The first brings the schema along and finds everybody still filling.
  await write()
  await mesh.clock.advance(10 * betweenMs)
  const counts = new Map<string, number>()
  const count = async (action: () => Promise<unknown>, sign: 1 | -1): Promise<void> => {
    mesh.holdBack((_from, _to, method) => {
      counts.set(method, (counts.get(method) ?? 0) + sign)
      return false
    })
    for (let i = 0; i < writes; i++) await action()
    mesh.holdBack(undefined)
  }
  await count(write, 1)
  // What goes on anyway, such as heartbeats, is no write's.
  await count(() => mesh.clock.advance(betweenMs), -1)
  const caused = [...counts].filter(([method, sum]) => sum > 0 && method !== 'shard/hello')
  const byMethod = Object.fromEntries(caused.map(([method, sum]) => [method, sum / writes]))
  return { byMethod, requests: Object.values(byMethod).reduce((sum, one) => sum + one, 0) }
}

async function moveIn(
  home: MeshNode,
  log: Uint8Array,
  owner: Uint8Array,
  sign: (unsigned: Uint8Array) => { key: Uint8Array; signature: Uint8Array },
): Promise<void> {
  await home.call('schema.put', { schema: microblog.bytes })
  await home.call('admin.host.add', { hosts: [{ log }] })
  const { proposals } = await home.call('placement.propose', { owners: [owner] })
  const unsigned = proposals[0]?.unsigned as Uint8Array
  await home.call('placement.commit', { replicaSets: [packReplicaSet(unsigned, [sign(unsigned)])] })
}
