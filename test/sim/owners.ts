import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { decodeReplicaSet, packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { copiesWanted, type World } from './world.ts'
import type { SimPerson } from './writer.ts'

/**
 * What an owner's app does by itself when it is opened: members fill a seat from the standby list alone, and where that is used up
 * only a device of the owner's can name others.
 */
export async function fillSeats({ mesh, people, up, trace }: World): Promise<void> {
  for (const [i, person] of people.entries()) {
    const chain = mesh.nodes
      .filter(({ index, store }) => up.has(index) && store.shards.get(person.owner)?.status === 'hosted')
      .flatMap(({ store }) => store.documents.get('replica-set', person.owner) ?? [])
      .map((bytes) => unpackChain(mesh.crypto, bytes).newest)
      .toSorted((a, b) => b.epoch - a.epoch || b.step - a.step)[0]
    if (chain === undefined) continue
    const seats = chain.members.map(({ node }) => mesh.nodes.find(({ id }) => id === toHex(node)))
    const living = seats.filter((node) => node !== undefined && up.has(node.index))
    // Where they came to live first, whether it has a seat still or not; if that is gone, at another that has their records.
    const home = up.has(i) ? mesh.nodes[i] : living[0]
    // A copy more than was asked for goes as well, where all others prove theirs.
    const isFull = living.length === copiesWanted + 1 && living.length === chain.members.length
    if (isFull || home === undefined) continue
    trace.add(`owner of ${toHex(person.owner)} opens an app at ${home.index}`)
    await sign(home.call, person, mesh.crypto, trace).catch((error: unknown) =>
      trace.add(`owner of ${toHex(person.owner)} failed ${asOnehopError(error).code}`),
    )
  }
}

async function sign(
  call: World['mesh']['nodes'][number]['call'],
  { log, owner, owning }: SimPerson,
  crypto: World['mesh']['crypto'],
  trace: World['trace'],
): Promise<void> {
  const propose = () => call('placement.propose', { owners: [owner], copies: copiesWanted })
  const { proposals } = await propose().catch(async (error: unknown) => {
    if (asOnehopError(error).code !== 'NOT_HOSTED') throw error
    // Their home is gone, or forgot that they live there: they come to live where their records are.
    await call('admin.host.add', { hosts: [{ log }] })
    return propose()
  })
  const unsigned = proposals[0]?.unsigned
  if (unsigned === undefined) return
  const { length } = decodeReplicaSet(unsigned).members
  trace.add(`owner of ${toHex(owner)} is offered ${length} seats`)
  if (length <= copiesWanted) return
  const replicaSets = [packReplicaSet(unsigned, [signReplicaSet(crypto, unsigned, owning.seed)])]
  await call('placement.commit', { replicaSets })
}
