import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { decodeViewAnswer } from '../../protocol/query/view-answer.ts'
import { openSection } from '../../protocol/record/section.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import type { LinkSettings } from '../../daemon/net/rpc-memory.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const nodes = 6
const people = 24
const pageLength = 50

interface Neighbour {
  readonly resident: Resident
  home: MeshNode
  readonly follows: Set<number>
}

/** A street where everybody moves in, writes, follows and unfollows at once, and the plain model of it. */
class Crowd {
  readonly #mesh: Mesh
  readonly #people: readonly Neighbour[]
  readonly #posts: { readonly by: number; readonly title: string }[] = []
  readonly #unfollowing = new Set<string>()
  #underWay: Promise<unknown>[] = []

  constructor(mesh: Mesh) {
    this.#mesh = mesh
    this.#people = Array.from({ length: people }, (_, i) => ({
      resident: new Resident(mesh, microblog),
      home: mesh.nodes[i % nodes] as MeshNode,
      follows: new Set(),
    }))
  }

  async moveIn(): Promise<void> {
    const all = this.#people.map(async ({ resident, home }, i) => {
      await resident.moveIn(home)
      await resident.place(home, 3)
      await resident.put(home, 'profile', { name: `p${i}` })
    })
    await this.#mesh.wait(Promise.all(all))
  }

  async posts(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const by = this.#pick()
      const title = `t${this.#posts.length}`
      this.#posts.push({ by, title })
      this.#write(by, ({ resident, home }) => resident.put(home, 'posts', { title }))
      await this.#nowAndThen()
    }
  }

  async follows(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const [by, whom] = [this.#pick(), this.#pick()]
      this.#person(by).follows.add(whom)
      this.#write(by, ({ resident, home }) => resident.put(home, 'follows', this.#edge(whom)))
      await this.#nowAndThen()
    }
  }

  /** Every other one thinks better of it at once. */
  async unfollows(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const by = this.#pick()
      const [whom] = this.#person(by).follows
      if (whom === undefined || this.#unfollowing.has(`${by}`)) continue
      this.#unfollowing.add(`${by}`)
      const again = this.#mesh.random.next() < 0.5
      if (!again) this.#person(by).follows.delete(whom)
      this.#write(by, async ({ resident, home }) => {
        await resident.remove(home, 'follows', this.#edge(whom))
        if (again) await resident.put(home, 'follows', this.#edge(whom))
        this.#unfollowing.delete(`${by}`)
      })
      await this.#nowAndThen()
    }
  }

  /** One node goes and comes back. */
  async restart(): Promise<void> {
    await this.settled()
    const index = Math.floor(this.#mesh.random.next() * nodes)
    await this.#mesh.close(index, this.#mesh.random.next() < 0.5 ? 'closed' : 'crashed')
    await this.#pause(3_000)
    const again = await this.#mesh.open(index)
    for (const person of this.#people) if (person.home.index === index) person.home = again
  }

  async settled(): Promise<void> {
    await this.#mesh.wait(Promise.all(this.#underWay))
    this.#underWay = []
  }

  /** Whose page is unlike the model, and how. */
  async wrong(): Promise<string[]> {
    const wrong: string[] = []
    for (const [i, { resident, home, follows }] of this.#people.entries()) {
      const request = { owner: resident.id, app: microblog.id, view: 'home' }
      const { view } = await this.#mesh.wait(home.call('view.get', request))
      const { feed } = decodeViewAnswer(view)
      const shown = (feed?.items ?? []).map(
        ({ record, author }) =>
          `${this.#text(record, 'title')} by ${this.#text(feed?.authors[author]?.records[0], 'name')}`,
      )
      const wanted = this.#posts
        .filter(({ by }) => follows.has(by))
        .map(({ by, title }) => `${title} by p${by}`)
      // Clocks of different homes may order two posts of one moment otherwise than this test wrote them.
      const extra = shown.filter((one) => !wanted.includes(one))
      const missing = wanted.filter((one) => !shown.includes(one))
      const isWhole = shown.length === Math.min(pageLength, wanted.length)
      if (extra.length > 0 || !isWhole) wrong.push(`p${i} lacks ${missing}, shows ${extra}`)
    }
    return wrong
  }

  #text(bytes: Uint8Array | undefined, field: string): unknown {
    if (bytes === undefined) return undefined
    const record = decodeRecord(this.#mesh.crypto, bytes)
    const sections = record.sections.map((_, i) => openSection(this.#mesh.crypto, record, i)?.[field])
    return sections.find((value) => value !== undefined)
  }

  #write(by: number, work: (person: Neighbour) => Promise<unknown>): void {
    this.#underWay.push(work(this.#person(by)))
  }

  #edge(whom: number): { user: Uint8Array } {
    return { user: this.#person(whom).resident.id }
  }

  #person(number: number): Neighbour {
    return this.#people[number] as Neighbour
  }

  #pick(): number {
    return Math.floor(this.#mesh.random.next() * people)
  }

  /** In bursts: several within one turn of the node. */
  async #nowAndThen(): Promise<void> {
    if (this.#mesh.random.next() < 0.2) await this.#pause(80)
  }

  #pause(upToMs: number): Promise<void> {
    return this.#mesh.clock.advance(Math.floor(this.#mesh.random.next() * upToMs))
  }
}

const links: Readonly<Record<string, Partial<LinkSettings>>> = {
  'at once': {},
  'on a slow network': { delayMs: 5, jitterMs: 40 },
  'on a bad network': { delayMs: 5, jitterMs: 40, lossRate: 0.02 },
}
/** More with FEED_SEEDS=N; each is one crowd. */
const seeds = Number(process.env['FEED_SEEDS'] ?? 8)

for (const [how, link] of Object.entries(links)) {
  test.for(Array.from({ length: seeds }, (_, i) => i + 1))(
    `feeds equal a plain model when all write and follow ${how}, and a node restarts: seed %i`,
    { timeout: 120_000 },
    async (seed) => {
      await using mesh = await createMesh(nodes, { seed, link })
      await mesh.clock.advance(3_000)
      const crowd = new Crowd(mesh)
      await crowd.moveIn()
      await crowd.posts(60)
      await crowd.follows(60)
      await crowd.posts(40)
      await crowd.unfollows(40)
      await crowd.posts(20)
      await crowd.restart()
      await crowd.posts(20)
      await crowd.settled()
      let wrong: string[] = []
      for (let seconds = 0; seconds < 300; seconds++) {
        wrong = await crowd.wrong()
        if (wrong.length === 0) return
        await mesh.clock.advance(1_000)
      }
      expect(wrong).toEqual([])
    },
  )
}
