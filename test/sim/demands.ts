import { compareBytes, emptyBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { makeChain } from '../../protocol/placement/chain.ts'
import { encodePlaced } from '../../protocol/placement/messages.ts'
import {
  compareReplicaSets,
  decodeReplicaSet,
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
  type SignedReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { decodeReceipts, encodePush } from '../../protocol/replication/messages.ts'
import type { MemoryNode } from '../../daemon/net/rpc-memory.ts'
import type { MeshNode } from '../support/mesh.ts'
import type { Issued } from './history.ts'
import { chainOn, copiesWanted, namesOn, pass, seatedOf, type World } from './world.ts'
import type { SimPerson, Writer } from './writer.ts'

/** Less than any comparison is waited for. */
const liveMs = 1_500
const requestTimeoutMs = 30_000
/** Twice the time between two comparisons, and what moved is compared once more. */
const comparedMs = 60_000
const broughtToOne = 16

/** With everything well again, one thing after the other is left as the only way by which holders can become equal. Empty when all do. */
export async function demandAll(world: World): Promise<string[]> {
  for (const demand of [demandLive, demandCompared, demandTold]) {
    const problems = await demand(world)
    if (problems.length > 0) return problems
  }
  return []
}

/** What is written is at every holder at once: not only once they compare. */
async function demandLive(world: World): Promise<string[]> {
  const { mesh, people, history } = world
  // What was lost on the way before the heal is given up after so long.
  await mesh.clock.advance(requestTimeoutMs)
  // Who wrote at a node whose clock was ahead is refused by all others until theirs have come near.
  const datedMs = Math.max(...people.flatMap(({ writers }) => writers.map((writer) => writer.datedMs)))
  await mesh.clock.advance(Math.max(0, datedMs - limits.clockAheadMsMax - mesh.clock.nowMs()))
  const missing: string[] = []
  for (const person of people) {
    const seated = seatedOf(world, person.owner)
    for (const [i, node] of seated.entries()) {
      const writer = person.writers[i % person.writers.length] as Writer
      const told = await write(world, node, writer)
      if (told !== undefined) missing.push(told)
    }
    await mesh.clock.advance(liveMs)
    const live = history.of(toHex(person.owner)).slice(-seated.length)
    missing.push(...(await lacking(seated, person, live, `after ${liveMs} ms`)))
  }
  return missing
}

/**
 * A node without a seat brings records to one holder each, which nobody pushes on, and of two holders only one may begin to
 * compare: everything that is found is found by that one, in either direction.
 */
async function demandCompared(world: World): Promise<string[]> {
  const { mesh, people, history, draw, trace } = world
  const order = draw.shuffled(mesh.nodes.map(({ id }) => id))
  mesh.holdBack((from, to, method) => method === 'shard/compare' && order.indexOf(from) > order.indexOf(to))
  const brought = new Map<SimPerson, Issued[]>()
  const missing: string[] = []
  for (const person of people) {
    const seated = seatedOf(world, person.owner)
    const issued: Issued[] = []
    brought.set(person, issued)
    const earlier = [...history.of(toHex(person.owner))]
    for (let i = 0; i < broughtToOne; i++) {
      // Beside one that is there already, anywhere in the order; the last of all as well.
      const beside = i === 0 ? earlier.at(-1) : draw.pick(earlier)
      const clock = (beside as Issued).record.header.clock + 1n
      const { record, bytes } = person.wrongClock.signDated(
        'posts',
        emptyBytes,
        'put',
        { text: `one ${i}` },
        clock,
      )
      const node = seated[i % seated.length] as MeshNode
      issued.push(history.issue(record))
      const told = await bring(world, node, bytes)
      if (told !== undefined) missing.push(told)
    }
  }
  trace.add('brought to one each')
  const look = async (): Promise<string[]> =>
    (
      await Promise.all(
        people.map((person) =>
          lacking(seatedOf(world, person.owner), person, brought.get(person) ?? [], 'though they compared'),
        ),
      )
    ).flat()
  missing.push(...(await passing(world, comparedMs, look)))
  mesh.holdBack(undefined)
  return missing
}

/**
 * One holder is cut off and takes records. Meanwhile two devices of each owner sign two sets at once, both without it: all others
 * end with the same of the two, at once where they were told, and what only it had comes to them though it has no seat any more.
 */
async function demandTold(world: World): Promise<string[]> {
  const { mesh, people, draw, up, trace } = world
  const cut = mesh.nodes[draw.pick([...up])] as MeshNode
  const concerned = people.filter((person, i) => {
    const seated = seatedOf(world, person.owner)
    return i !== cut.index && up.has(i) && seated.includes(cut) && seated.includes(mesh.nodes[i] as MeshNode)
  })
  const problems: string[] = []
  const alone = new Map<SimPerson, Issued[]>()
  for (const person of concerned) {
    const { record, bytes } = person.wrongClock.sign(
      'posts',
      emptyBytes,
      'put',
      { text: 'alone' },
      mesh.clock.nowMs(),
    )
    alone.set(person, [world.history.issue(record)])
    const told = await bring(world, cut, bytes)
    if (told !== undefined) problems.push(told)
  }
  mesh.network.partition([mesh.nodes.filter((node) => node !== cut).map(({ id }) => id), [cut.id]])
  trace.add(`cut node=${cut.index}`)
  for (const person of concerned) {
    const writer = person.writers[0] as Writer
    const told = await write(world, cut, writer)
    if (told !== undefined) problems.push(told)
    alone.get(person)?.push(...world.history.of(toHex(person.owner)).slice(-1))
  }
  const signed = new Map<SimPerson, SignedReplicaSet[]>()
  for (const person of concerned) {
    const home = mesh.nodes[people.indexOf(person)] as MeshNode
    const sets = await mesh.wait(signTwo(world, person, home, cut))
    if (sets !== undefined) signed.set(person, sets)
  }
  await mesh.clock.advance(liveMs)
  for (const [{ owner }, [one]] of signed) {
    for (const node of nodesOf(world, one as SignedReplicaSet)) {
      const known = chainOn(world, node, owner)?.newest.epoch ?? -1
      if (known < (one as SignedReplicaSet).epoch)
        problems.push(`node ${node.index} was not told of a new set of ${toHex(owner).slice(0, 8)}`)
    }
  }
  mesh.network.heal()
  const look = async (): Promise<string[]> => {
    const wrong: string[] = []
    for (const [person, sets] of signed) {
      const [winner] = sets.toSorted((a, b) => compareBytes(a.hash, b.hash))
      const seated = nodesOf(world, winner as SignedReplicaSet)
      const kept = seated.map((node) => chainOn(world, node, person.owner))
      // Where a repair made a step of the other before they met, that counts: it is the newer.
      const [newest] = kept
        .flatMap((chain) => chain ?? [])
        .toSorted((a, b) => compareReplicaSets(a.newest, b.newest))
      const counts = newest !== undefined && newest.newest.step > 0 ? newest.sets[0] : winner
      for (const [i, chain] of kept.entries())
        if (
          chain === undefined ||
          toHex((chain.sets[0] as SignedReplicaSet).hash) !== toHex((counts as SignedReplicaSet).hash)
        )
          wrong.push(
            `node ${seated[i]?.index} keeps another of two sets of ${toHex(person.owner).slice(0, 8)}`,
          )
      wrong.push(...(await lacking(seated, person, alone.get(person) ?? [], 'which one without a seat has')))
    }
    return wrong
  }
  return [...problems, ...(await passing(world, comparedMs, look))]
}

/** The one is taken at home, once the other was brought to two of those who sat already. Undefined where too few are there. */
async function signTwo(
  { mesh, places, trace }: World,
  { owner, owning, log }: SimPerson,
  home: MeshNode,
  cut: MeshNode,
): Promise<SignedReplicaSet[] | undefined> {
  const except = [fromHex(cut.id, 32) as Uint8Array]
  const asked = home.call('placement.propose', { owners: [owner], copies: copiesWanted, except })
  const { proposals } = await asked.catch((error: unknown) => {
    // Its disk rotted, and it forgot that they live there: it holds a copy as others do.
    if (asOnehopError(error).code !== 'NOT_HOSTED') throw error
    return { proposals: [] }
  })
  const first = proposals[0]?.unsigned
  if (first === undefined || decodeReplicaSet(first).members.length <= copiesWanted) return undefined
  const set = decodeReplicaSet(first)
  const second = encodeReplicaSet({ ...set, expiresMs: set.expiresMs + 1 })
  const [one, other] = [first, second].map((document) =>
    packReplicaSet(document, [signReplicaSet(mesh.crypto, document, owning.seed)]),
  ) as [Uint8Array, Uint8Array]
  const seated = set.members.map(({ node }) => toHex(node)).filter((id) => id !== home.id)
  const before = mesh.nodes.filter(
    ({ id, store }) => seated.includes(id) && store.shards.get(owner)?.status === 'hosted',
  )
  for (const { id } of before.slice(0, 2)) {
    const body = encodePlaced([
      { chain: makeChain([unpackReplicaSet(mesh.crypto, other)]).bytes, log, people: [] },
    ])
    const signal = new AbortController().signal
    await places.get(home.index)?.rpc.request(id, 'shard/take', body, { signal })
  }
  await home.call('placement.commit', { replicaSets: [one] })
  trace.add(`two sets of ${toHex(owner)}`)
  return [one, other].map((packed) => unpackReplicaSet(mesh.crypto, packed))
}

/** Undefined when it was taken. */
async function write({ mesh, history }: World, node: MeshNode, writer: Writer): Promise<string | undefined> {
  const { record, bytes } = writer.sign('posts', emptyBytes, 'put', { text: 'live' }, mesh.clock.nowMs())
  history.issue(record)
  const { results } = await mesh.wait(node.call('record.put', { records: [bytes] }))
  return results[0]?.outcome === 'refused'
    ? `node ${node.index} takes nothing: ${results[0].message}`
    : undefined
}

/** From a node that keeps nothing of it, and tells nobody else. */
async function bring(world: World, node: MeshNode, bytes: Uint8Array): Promise<string | undefined> {
  const { draw, up, places, mesh } = world
  const bringer = draw.pick([...up].filter((index) => index !== node.index))
  const signal = new AbortController().signal
  const { rpc } = places.get(bringer) as MemoryNode
  const reply = await mesh.wait(rpc.request(node.id, 'shard/push', encodePush([bytes]), { signal }))
  return decodeReceipts(reply)[0] === 'held' ? undefined : `node ${node.index} does not take what is brought`
}

async function lacking(
  nodes: readonly MeshNode[],
  { owner }: SimPerson,
  wanted: readonly Issued[],
  why: string,
): Promise<string[]> {
  const missing: string[] = []
  for (const node of nodes) {
    const names = await namesOn(node, owner)
    for (const { name } of wanted)
      if (!names.has(name)) missing.push(`node ${node.index} lacks ${name} ${why}`)
  }
  return missing
}

/** What is still wrong once it had its time. */
async function passing(
  { mesh, pace }: World,
  limitMs: number,
  look: () => Promise<string[]>,
): Promise<string[]> {
  const startMs = mesh.clock.monotonicMs()
  let wrong = await mesh.wait(look())
  while (wrong.length > 0 && mesh.clock.monotonicMs() - startMs < limitMs * pace.scale) {
    await pass(mesh.clock, pace, 2_000 * pace.scale)
    wrong = await mesh.wait(look())
  }
  return wrong
}

function nodesOf({ mesh, up }: World, { members }: SignedReplicaSet): MeshNode[] {
  const seats = new Set(members.map(({ node }) => toHex(node)))
  return mesh.nodes.filter(({ id, index }) => up.has(index) && seats.has(id))
}
