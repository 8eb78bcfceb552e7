import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { MemoryNode } from '../../daemon/net/rpc-memory.ts'
import { unpackChain, type ReplicaSetChain } from '../../protocol/placement/chain.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { Log } from '../../protocol/ports.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import type { VirtualClock } from '../support/virtual-clock.ts'
import { createDraw, type Draw } from './draw.ts'
import { History } from './history.ts'
import { Trace } from './trace.ts'
import type { Pace } from './pace.ts'
import { Storms } from './storms.ts'
import { withVerdictsKept } from './verdicts-kept.ts'
import { createSimPerson, type SimPerson } from './writer.ts'

export const copiesWanted = 3
const nodeCount = 7
const peopleCount = 5

/** Everything that one run is made of. */
export interface World {
  readonly mesh: Mesh
  readonly draw: Draw
  readonly pace: Pace
  readonly trace: Trace
  readonly log: (index: number) => Log
  readonly history: History
  readonly people: readonly SimPerson[]
  /** By node: what a liar that runs there sends through. */
  readonly places: ReadonlyMap<number, MemoryNode>
  /** Indexes of the nodes that run. */
  readonly up: Set<number>
  /** Gone for good. */
  readonly lost: Set<number>
  /** Said what was not true, at some time: others may count what it said still. */
  readonly lied: Set<number>
  /** Lost some of what lay on their disks: what they said before is no measure any more. */
  readonly rotted: Set<number>
  /** What a checker found wrong. */
  readonly failures: string[]
}

/** Seven nodes that have met, five people at home on the first of them, everybody with three copies elsewhere. */
export async function createWorld(seed: number, pace: Pace, keepTrace: boolean): Promise<World> {
  // The mesh draws for the network and the keys; the story has a source of its own, so that a change in one
  // protocol does not turn a seed into another story.
  const draw = createDraw(createSeededRandom(seed ^ 0x5eed))
  const disk = createDraw(createSeededRandom(seed ^ 0xd15c))
  const noted: { trace?: Trace } = {} // the world's founding is not part of the story
  const log = (index: number): Log => {
    const write = (event: string, fields?: Record<string, unknown>): void =>
      noted.trace?.add(`log ${index} ${event} ${describe(fields)}`)
    return { debug: write, info: write, warn: write, error: write }
  }
  const places = new Map<number, MemoryNode>()
  const failures: string[] = []
  const storms = new Storms()
  const mesh = await createMesh(nodeCount, {
    seed,
    log,
    link: { delayMs: 5, jitterMs: 10 },
    wrapCrypto: withVerdictsKept,
    ...(pace.scale === 1 ? {} : { config: () => ({ hosting: hostingTimes(pace.scale) }) }),
    // A card syncs in a few milliseconds, and now and then in a hundred.
    diskMs: () =>
      noted.trace === undefined ? 0 : disk.chance(0.02) ? disk.between(20, 100) : disk.between(0.5, 5),
    onJoin: (place, index) => void places.set(index, place),
    onRequest: (from, to, method) => {
      const crowd = storms.began(from, method)
      if (noted.trace === undefined) return
      const storm = storms.asked(mesh.clock.monotonicMs() / pace.scale, from, to, method)
      failures.push(...[crowd, storm].filter((one) => one !== undefined))
    },
    onRequestEnd: (from) => storms.ended(from),
  })
  const trace = new Trace(() => mesh.clock.monotonicMs(), keepTrace)
  noted.trace = trace
  await pass(mesh.clock, pace, 3_000 * pace.scale)
  const people: SimPerson[] = []
  for (let i = 0; i < peopleCount; i++) {
    const person = createSimPerson(mesh.crypto)
    await mesh.wait(moveIn(mesh, mesh.nodes[i] as MeshNode, person))
    people.push(person)
  }
  const up = new Set(mesh.nodes.map(({ index }) => index))
  return {
    mesh,
    draw,
    pace,
    trace,
    log,
    history: new History(),
    people,
    places,
    up,
    lost: new Set(),
    lied: new Set(),
    rotted: new Set(),
    failures,
  }
}

/** As a short story has them, so much longer. */
function hostingTimes(scale: number): Record<string, number> {
  return {
    heartbeatMs: 1_000 * scale,
    suspectAfterMs: 4_000 * scale,
    replaceAfterMs: 10_000 * scale,
    reconcileEveryMs: 20_000 * scale,
    auditEveryMs: 48_000 * scale,
  }
}

/** After each skip there is time for what was due, and for answers to it. */
const awakeMs = 1_000

export async function pass(clock: VirtualClock, { skipMs }: Pick<Pace, 'skipMs'>, ms: number): Promise<void> {
  let leftMs = ms
  while (skipMs !== undefined && leftMs > 2 * awakeMs) {
    const stretchMs = Math.min(skipMs, leftMs)
    clock.skip(stretchMs - awakeMs)
    await clock.advance(awakeMs)
    leftMs -= stretchMs
  }
  await clock.advance(leftMs)
}

async function moveIn(mesh: Mesh, home: MeshNode, { log, owner, owning }: SimPerson): Promise<void> {
  await home.call('schema.put', { schema: microblog.bytes })
  await home.call('admin.host.add', { hosts: [{ log }] })
  const { proposals } = await home.call('placement.propose', { owners: [owner], copies: copiesWanted })
  const unsigned = proposals[0]?.unsigned as Uint8Array
  const signature = signReplicaSet(mesh.crypto, unsigned, owning.seed)
  const { results } = await home.call('placement.commit', {
    replicaSets: [packReplicaSet(unsigned, [signature])],
  })
  if (results[0]?.members.length !== copiesWanted + 1) throw new Error('the world could not be set up')
}

/** Running nodes that hold a shard. */
export function holdersOf({ mesh, up }: World, owner: Uint8Array): MeshNode[] {
  return mesh.nodes.filter(
    ({ index, store }) => up.has(index) && store.shards.get(owner)?.status === 'hosted',
  )
}

/** What a node knows of who holds a shard. */
export function chainOn(
  { mesh }: World,
  { store }: MeshNode,
  owner: Uint8Array,
): ReplicaSetChain | undefined {
  const bytes = store.documents.get('replica-set', owner)
  return bytes && unpackChain(mesh.crypto, bytes)
}

/** Running nodes that have a seat by what any running holder knows. */
export function seatedOf(world: World, owner: Uint8Array): MeshNode[] {
  const seats = new Set(
    holdersOf(world, owner)
      .flatMap((node) => chainOn(world, node, owner)?.newest.members ?? [])
      .map(({ node }) => toHex(node)),
  )
  return world.mesh.nodes.filter(({ id, index }) => world.up.has(index) && seats.has(id))
}

export async function namesOn({ store }: MeshNode, owner: Uint8Array): Promise<Set<string>> {
  return new Set((await store.records.refs(owner)).map(({ id }) => toHex(id)))
}

function describe(fields: Record<string, unknown> = {}): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value instanceof Error ? value.message : String(value)}`)
    .join(' ')
}
