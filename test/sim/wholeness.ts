import { toHex } from '../../protocol/bytes.ts'
import { wholeKind } from '../../daemon/hosting.ts'
import type { MeshNode } from '../support/mesh.ts'
import { holdersOf, namesOn, type World } from './world.ts'

/** What a comparison may not have seen yet, as it came while it was under way. */
const shareMin = 0.5
/** Of fewer all may have come while it was compared. */
const recordsMin = 4

/** Who joined announces its copy once it counts as whole: then it has to have what the others who count so have. */
export class Wholeness {
  readonly #world: World
  /** Seen running a moment ago, and not whole: a joiner may be done before it was ever seen waiting. */
  #unwhole = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  async look(): Promise<void> {
    const { mesh, people, up } = this.#world
    const before = this.#unwhole
    this.#unwhole = new Set()
    for (const { owner } of people) {
      const whole = holdersOf(this.#world, owner).filter((node) => isWholeOn(node, owner))
      const old = whole.filter((node) => !before.has(this.#name(node, owner)))
      for (const node of mesh.nodes)
        if (up.has(node.index) && !isWholeOn(node, owner)) this.#unwhole.add(this.#name(node, owner))
      for (const node of whole) if (!old.includes(node)) await this.#judge(node, old, owner)
    }
  }

  async #judge(node: MeshNode, others: readonly MeshNode[], owner: Uint8Array): Promise<void> {
    const { failures, mesh } = this.#world
    // Who is told by its leader that it has everything cannot know better.
    if (others.length === 0 || this.#world.lied.size > 0) return
    const counts = await Promise.all([node, ...others].map(async (one) => (await namesOn(one, owner)).size))
    const [held = 0, ...rest] = counts
    const least = Math.min(...rest)
    if (held >= least * shareMin || least < recordsMin) return
    const atMs = mesh.clock.monotonicMs().toFixed(0)
    failures.push(`${atMs} ms: node ${node.index} counts as whole with ${held} records, others have ${least}`)
  }

  #name({ index }: MeshNode, owner: Uint8Array): string {
    return `${index} ${toHex(owner)}`
  }
}

export function isWholeOn({ store }: MeshNode, owner: Uint8Array): boolean {
  return store.documents.get(wholeKind, owner) !== undefined
}
