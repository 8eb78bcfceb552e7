import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { clockMax } from '../../protocol/record/header.ts'
import { Digests } from '../../daemon/replication/digests.ts'
import type { MeshNode } from '../support/mesh.ts'
import { plainText } from './forgers.ts'
import { isWholeOn } from './wholeness.ts'
import { copiesWanted, namesOn, type World } from './world.ts'
import type { SimPerson } from './writer.ts'

/** What must hold once everything is mended and has had its time. Empty when it does. */
export async function checkHealed(world: World): Promise<string[]> {
  const problems: string[] = []
  for (const person of world.people) problems.push(...(await checkShard(world, person)))
  return problems
}

/** Nothing lies on a disk that should have been sealed. */
export async function checkSealed({ mesh }: World): Promise<string[]> {
  const plain = Buffer.from(plainText)
  const problems: string[] = []
  for (const { index } of mesh.nodes)
    if ((await mesh.onDisk(index)).some((bytes) => Buffer.from(bytes).includes(plain)))
      problems.push(`node ${index} has in the open what is private`)
  return problems
}

async function checkShard(world: World, { owner }: SimPerson): Promise<string[]> {
  const { mesh, lost, history, people } = world
  const shard = toHex(owner)
  const short = shard.slice(0, 8)
  const problems: string[] = []

  const sets = new Map<string, { members: MeshNode[]; by: number[] }>()
  for (const node of mesh.nodes.filter(({ index }) => !lost.has(index))) {
    const bytes = node.store.documents.get('replica-set', owner)
    if (bytes === undefined || node.store.shards.get(owner)?.status !== 'hosted') continue
    const { newest } = unpackChain(mesh.crypto, bytes)
    const members = newest.members.map(
      (seat) => mesh.nodes.find(({ id }) => id === toHex(seat.node)) as MeshNode,
    )
    const known = sets.get(toHex(newest.hash)) ?? { members, by: [] }
    known.by.push(node.index)
    sets.set(toHex(newest.hash), known)
  }
  if (sets.size !== 1) {
    const told = [...sets].map(
      ([hash, { members, by }]) => `${hash.slice(0, 6)} [${members.map((m) => m.index)}] by ${by}`,
    )
    problems.push(`${short}: ${sets.size} replica sets: ${told.join('; ')}`)
  }
  const seated = [...sets.values()][0]?.members ?? []
  const members = seated.filter(({ index }) => !lost.has(index))
  if (members.length < copiesWanted + 1) {
    problems.push(
      `${short}: ${members.length} copies of ${copiesWanted + 1}, set [${seated.map((m) => m.index)}]`,
    )
  }

  const acknowledged = history.acknowledged(shard)
  const digests = new Set<string>()
  for (const member of members) {
    // A home has all that was written there, and needs no mark.
    const isHome = mesh.nodes.indexOf(member) === people.findIndex((person) => person.owner === owner)
    if (!isHome && !isWholeOn(member, owner)) problems.push(`${short}: node ${member.index} is still filling`)
    const held = await namesOn(member, owner)
    const missing = acknowledged.filter(({ name }) => !held.has(name))
    if (missing.length > 0) {
      const some = missing
        .slice(0, 3)
        .map(({ name, acknowledgedBy }) => `${name.slice(0, 8)} by ${[...acknowledgedBy]}`)
      problems.push(
        `${short}: node ${member.index} lacks ${missing.length} acknowledged, such as ${some.join(', ')}`,
      )
    }
    for (const name of held) {
      if (history.get(name) === undefined)
        problems.push(`${short}: node ${member.index} holds ${name}, which nobody wrote`)
    }
    problems.push(...checkWinners(world, member, shard, held))
    const { fingerprint } = await new Digests(member.store, mesh.crypto).of(owner, clockMax)
    digests.add(toHex(fingerprint))
  }
  if (digests.size > 1) problems.push(`${short}: ${digests.size} different fingerprints`)
  return problems
}

/** No wrong winner, and nothing that was deleted shown again. */
function checkWinners(
  { history }: World,
  node: MeshNode,
  shard: string,
  held: ReadonlySet<string>,
): string[] {
  const owner = fromHex(shard, 32) as Uint8Array
  const problems: string[] = []
  for (const [item, { name, deleted }] of history.winners(shard, held)) {
    const [, collection = '', key = ''] = item.split(' ')
    const entry = node.store.records.winnerEntry(owner, microblog.id, collection, fromHex(key) as Uint8Array)
    const shown = entry && toHex(entry.ref.id)
    if (shown !== name) problems.push(`node ${node.index}: ${item} is ${shown}, the model has ${name}`)
    if (deleted && node.store.records.winner(owner, microblog.id, collection, fromHex(key) as Uint8Array)) {
      problems.push(`node ${node.index}: ${item} is back from the dead`)
    }
  }
  return problems
}
