import { fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { LinkSettings } from '../../daemon/net/rpc-memory.ts'
import type { MeshNode } from '../support/mesh.ts'
import type { Issued } from './history.ts'
import { lieOfHolders } from './lies.ts'
import { rotAndMend } from './rot.ts'
import type { World } from './world.ts'

export const faultKinds = [
  'partition',
  'isolation',
  'storm',
  'restart',
  'crash',
  'clock',
  'jump',
  'disk',
  'loss',
  'lies',
  'rot',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** At least so many nodes run at any time. */
const upMin = 4
/** Beyond the five minutes that a record may be ahead, so that some are set aside until time has caught up. */
const skewMsMax = 6.5 * 60_000
const jumpMsMax = 10 * 365 * 86_400_000
/** Of all stories, those in which one node lies: in these less can be asked of what others say. */
const lyingShare = 0.3

const calm: Partial<LinkSettings> = { lossRate: 0, jitterMs: 10, reorder: false, duplicateRate: 0 }

/** Breaks things, one fault upon the other, and mends each after a while. */
export class Faults {
  readonly counts: Record<FaultKind, number> = {
    partition: 0,
    isolation: 0,
    storm: 0,
    restart: 0,
    crash: 0,
    clock: 0,
    jump: 0,
    disk: 0,
    loss: 0,
    lies: 0,
    rot: 0,
  }
  readonly #world: World
  readonly #later: (delayMs: number, action: () => Promise<void>) => void
  readonly #skewed = new Map<number, number>()
  readonly #broken = new Set<number>()
  /** A cut or a storm replaces the one before it; only the last one's end counts. */
  #cut = 0
  #weather = 0
  readonly #hasLiar: boolean

  constructor(world: World, later: (delayMs: number, action: () => Promise<void>) => void) {
    this.#world = world
    this.#later = (delayMs, action) => later(delayMs * world.pace.scale, action)
    this.#hasLiar = world.draw.chance(lyingShare)
  }

  skewOf(index: number): number {
    return this.#skewed.get(index) ?? 0
  }

  /** By how much an app that knows the year follows the node's clock. */
  believedSkewOf(index: number): number {
    const skew = this.skewOf(index)
    return Math.abs(skew) > skewMsMax ? 0 : skew
  }

  async strike(): Promise<void> {
    const { draw, trace } = this.#world
    const kind = draw.pick(faultKinds)
    if (!(await this.#begin(kind))) return
    this.counts[kind]++
    trace.add(`fault ${kind}`)
  }

  /** Everything runs again and the network is whole, save what is gone for good. */
  async heal(): Promise<void> {
    const { mesh, up, lost, trace } = this.#world
    trace.add('heal')
    mesh.network.heal()
    this.#setLinks(calm)
    for (const index of [...this.#skewed.keys()]) this.#unskew(index)
    for (const index of [...this.#broken]) this.#mendDisk(index)
    for (const { index } of mesh.nodes) mesh.lie(index, undefined)
    for (const { index } of mesh.nodes) if (!up.has(index) && !lost.has(index)) await this.#open(index)
  }

  async #begin(kind: FaultKind): Promise<boolean> {
    const { mesh, draw } = this.#world
    const ids = draw.shuffled(mesh.nodes.map(({ id }) => id))
    switch (kind) {
      case 'partition': {
        const at = 1 + Math.floor(draw.between(0, ids.length - 1))
        this.#partition([ids.slice(0, at), ids.slice(at)], draw.between(2_000, 20_000))
        return true
      }
      case 'isolation':
        this.#partition([ids.slice(1), ids.slice(0, 1)], draw.between(2_000, 20_000))
        return true
      case 'storm': {
        this.#setLinks({
          lossRate: draw.between(0.02, 0.25),
          jitterMs: draw.between(10, 400),
          reorder: draw.chance(0.5),
          duplicateRate: draw.chance(0.5) ? draw.between(0.02, 0.25) : 0,
        })
        const weather = ++this.#weather
        this.#later(draw.between(2_000, 10_000), async () => {
          if (weather === this.#weather) this.#setLinks(calm)
        })
        return true
      }
      case 'restart':
      case 'crash':
        return this.#stop(kind, draw.between(200, 16_000))
      case 'clock':
        return this.#skew(draw.between(-skewMsMax, skewMsMax))
      case 'jump':
        return this.#skew(draw.between(-jumpMsMax, jumpMsMax))
      case 'disk':
        return this.#breakDisk()
      case 'loss':
        return this.#lose()
      case 'lies':
        return this.#lie()
      case 'rot':
        return this.#rot(draw.between(200, 16_000))
    }
  }

  #partition(groups: readonly (readonly string[])[], forMs: number): void {
    const { mesh } = this.#world
    const cut = ++this.#cut
    mesh.network.partition(groups)
    this.#later(forMs, async () => {
      if (cut === this.#cut) mesh.network.heal()
    })
  }

  #setLinks(settings: Partial<LinkSettings>): void {
    const { mesh } = this.#world
    for (const a of mesh.nodes) {
      for (const b of mesh.nodes) {
        if (a.id < b.id) mesh.network.setLink(a.id, b.id, settings)
      }
    }
  }

  async #stop(how: 'restart' | 'crash', forMs: number): Promise<boolean> {
    const node = this.#victim()
    if (node === undefined) return false
    const { up, mesh, trace } = this.#world
    up.delete(node.index)
    trace.add(`${how} node=${node.index}`)
    await mesh.close(node.index, how === 'crash' ? 'crashed' : 'closed')
    this.#later(forMs, async () => {
      if (!up.has(node.index)) await this.#open(node.index)
    })
    return true
  }

  async #open(index: number): Promise<void> {
    const { mesh, up, trace } = this.#world
    await mesh.wait(mesh.open(index))
    up.add(index)
    trace.add(`open node=${index}`)
  }

  async #skew(by: number): Promise<boolean> {
    const { draw, up, mesh } = this.#world
    const index = draw.pick([...up])
    if (this.#skewed.has(index)) return false
    const ms = Math.round(by)
    this.#skewed.set(index, ms)
    mesh.skew(index, ms)
    this.#later(draw.between(3_000, 20_000), async () => this.#unskew(index))
    return true
  }

  /** Full, or worn out: nothing is written, all is read. */
  async #breakDisk(): Promise<boolean> {
    const { draw, up, mesh, trace } = this.#world
    const index = draw.pick([...up])
    if (this.#broken.has(index)) return false
    const code = draw.pick(['STORE_FULL', 'STORE_UNWRITABLE'] as const)
    trace.add(`disk node=${index} ${code}`)
    this.#broken.add(index)
    mesh.breakDisk(index, new OnehopError(code, 'the disk takes nothing'))
    this.#later(draw.between(1_000, 12_000), async () => this.#mendDisk(index))
    return true
  }

  #mendDisk(index: number): void {
    if (this.#broken.delete(index)) this.#world.mesh.breakDisk(index, undefined)
  }

  #unskew(index: number): void {
    this.#skewed.delete(index)
    this.#world.mesh.skew(index, 0)
  }

  /** One node of the story, again and again: it has everything, it keeps everything, and its proofs are none. */
  async #lie(): Promise<boolean> {
    const { draw, mesh, up, lied, trace } = this.#world
    if (!this.#hasLiar) return false
    const index = [...lied][0] ?? draw.pick([...up])
    lied.add(index)
    trace.add(`lies node=${index}`)
    mesh.lie(index, lieOfHolders)
    this.#later(draw.between(3_000, 25_000), async () => mesh.lie(index, undefined))
    return true
  }

  /** One node never comes back: what only its disk had, nobody can be asked for. */
  async #lose(): Promise<boolean> {
    const { lost, history, mesh, up } = this.#world
    const node = lost.size === 0 ? this.#victim() : undefined
    if (node === undefined) return false
    lost.add(node.index)
    up.delete(node.index)
    await mesh.close(node.index, 'crashed')
    for (const { name } of this.#onlyOn(node)) history.exempt(name)
    return true
  }

  /** It is stopped, and when it starts again its disk is not what it was. Of each story's nodes only one. */
  async #rot(forMs: number): Promise<boolean> {
    const { rotted, history, mesh, up, draw, trace, log } = this.#world
    const node = rotted.size === 0 ? this.#victim() : (mesh.nodes[[...rotted][0] as number] as MeshNode)
    if (node === undefined || !up.has(node.index) || up.size <= upMin) return false
    const { index } = node
    up.delete(index)
    rotted.add(index)
    trace.add(`rot node=${index}`)
    await mesh.close(index, draw.chance(0.5) ? 'crashed' : 'closed')
    const alone = this.#onlyOn(node)
    const { clock, crypto } = mesh
    const self = fromHex(node.id, 32) as Uint8Array
    await mesh.wait(rotAndMend({ kv: mesh.disk(index), self, draw, clock, crypto, log: log(index) }))
    this.#later(forMs, async () => {
      if (!up.has(index)) await this.#open(index)
    })
    for (const issued of alone) if (!isOn(node, issued)) history.exempt(issued.name)
    return true
  }

  /** Acknowledged by that node, or by one that never comes back, and nobody else who holds the shard has it. */
  #onlyOn(node: MeshNode): Issued[] {
    const { people, history, mesh, lost } = this.#world
    return people
      .flatMap(({ owner }) => history.of(toHex(owner)))
      .filter((issued) => {
        const { owner } = issued.record.header
        const others = mesh.nodes.filter(
          // What a follower's node has of it is a copy for its page, not one of the shard.
          (one) =>
            one !== node &&
            !lost.has(one.index) &&
            one.store.shards.get(owner)?.status === 'hosted' &&
            isOn(one, issued),
        )
        const isGone = (index: number): boolean => index === node.index || lost.has(index)
        return others.length === 0 && [...issued.acknowledgedBy].every(isGone)
      })
  }

  #victim(): MeshNode | undefined {
    const { draw, mesh, up } = this.#world
    return up.size > upMin ? (mesh.nodes[draw.pick([...up])] as MeshNode) : undefined
  }
}

function isOn({ store }: MeshNode, { record: { header, id } }: Issued): boolean {
  return store.records.get(header.owner, { clock: header.clock, id }) !== undefined
}
