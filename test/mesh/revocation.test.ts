import { describe, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  numberListHash,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { decodeViewAnswer } from '../../protocol/query/view-answer.ts'
import { openSection } from '../../protocol/record/section.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { decodeSearchAnswer, encodeSearchQuery } from '../../protocol/search/query.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const app = microblog.id
const place = '/geo/africa/ng/lagos'

/** Ada with a phone and a laptop, at home on node 0 with three copies; Ben, who follows her, at home on a node without one. */
class Story {
  readonly mesh: Mesh
  readonly phone: Resident
  readonly laptop: Resident
  readonly ben: Resident
  readonly home: MeshNode
  holders: MeshNode[] = []
  bens!: MeshNode
  state: IdentityState
  readonly laptopKeys: DeviceSecrets

  private constructor(mesh: Mesh) {
    const { crypto } = mesh
    this.mesh = mesh
    this.home = mesh.nodes[0] as MeshNode
    this.phone = new Resident(mesh, microblog)
    const { device, state } = this.phone.person
    this.laptopKeys = deviceFromSeed(crypto, crypto.random(32))
    const possession = provePossession(crypto, state.id, this.laptopKeys)
    this.state = append(crypto, state, [
      addDevice(crypto, state, device, ownerAdmission(this.laptopKeys, false), possession, {
        readsPrivate: true,
      }),
    ])
    this.laptop = new Resident(mesh, microblog, { device: this.laptopKeys, state: this.state })
    this.ben = new Resident(mesh, microblog)
  }

  static async begin(): Promise<Story> {
    const mesh = await createMesh(7, {
      config: (index) => (index === 6 ? { aggregate: [{ app: '*', scope: '/geo' }] } : {}),
    })
    const story = new Story(mesh)
    const { phone, home, ben } = story
    await mesh.clock.advance(3_000)
    await mesh.wait(phone.moveIn(home))
    await mesh.wait(home.call('identity.append', { identity: phone.id, log: encodeLog(story.state.entries) }))
    await mesh.wait(phone.place(home))
    const { replicaSet } = await mesh.wait(home.call('replica-set.get', { owner: phone.id }))
    const ids = unpackChain(mesh.crypto, replicaSet).newest.members.map(({ node }) => toHex(node))
    story.holders = ids.map((id) => mesh.nodes.find((node) => node.id === id) as MeshNode)
    story.bens = mesh.nodes.find(({ id, index }) => !ids.includes(id) && index !== 6) as MeshNode
    await mesh.wait(ben.moveIn(story.bens))
    await mesh.wait(ben.place(story.bens, 0))
    await mesh.wait(ben.put(story.bens, 'follows', { user: phone.id }))
    await mesh.wait(phone.put(home, 'profile', { name: 'Ada', place }))
    await mesh.wait(phone.put(home, 'posts', { title: 'honest jazz' }))
    return story
  }

  revocation(by: DeviceSecrets, of: DeviceSecrets, ids: readonly string[], from = this.state): SignedEntry {
    const { crypto } = this.mesh
    const list = ids.map((id, i) => ({ number: i + 1, id: fromHex(id, 32) as Uint8Array }))
    const listHash = numberListHash(crypto, this.phone.id, of.key, list)
    const numbers = [{ owner: this.phone.id, lastNumber: list.length, listHash, lastEntry: undefined }]
    return revokeDevice(crypto, from, by, of.key, numbers).entry
  }

  async tell(node: MeshNode, entry: SignedEntry): Promise<void> {
    const { id } = this.phone
    await this.mesh.wait(node.call('identity.append', { identity: id, log: encodeLog([entry]) }))
  }

  /** Name and titles as a holder would answer them, newest first. */
  async shownAt(node: MeshNode): Promise<{ name: unknown; titles: unknown[] }> {
    const read = async (collection: string) => {
      const reply = await this.mesh.wait(
        node.call('record.list', { owner: this.phone.id, app, collection, limit: 50 }),
      )
      return reply.records
    }
    const [profile] = await read('profile')
    return {
      name: profile && this.field(profile, 'name'),
      titles: (await read('posts')).map((bytes) => this.field(bytes, 'title')),
    }
  }

  feedOfBen(): Promise<unknown[]> {
    return this.feedOf(this.ben, this.bens)
  }

  async feedOf({ id }: Resident, node: MeshNode): Promise<unknown[]> {
    const reply = await this.mesh.wait(node.call('view.get', { owner: id, app, view: 'home' }))
    return (decodeViewAnswer(reply.view).feed?.items ?? []).map(({ record }) => this.field(record, 'title'))
  }

  /** Titles on Ada's page, as a holder has it prepared. */
  async pageAt(node: MeshNode): Promise<unknown[]> {
    const request = { owner: this.phone.id, app, view: 'person' }
    const reply = await this.mesh.wait(node.call('view.get', request))
    return (decodeViewAnswer(reply.view).latest[0]?.records ?? []).map((bytes) => this.field(bytes, 'title'))
  }

  async found(text: string): Promise<unknown[]> {
    const query = encodeSearchQuery({
      app,
      collection: 'posts',
      scope: '/geo',
      text,
      analyser: 'en',
      match: 'any',
      limit: 10,
      hops: 0,
      explain: false,
      statistics: undefined,
    })
    const { answer } = await this.mesh.wait((this.mesh.nodes[6] as MeshNode).call('search.query', { query }))
    return decodeSearchAnswer(answer).hits.map(({ record }) => this.field(record, 'title'))
  }

  field(bytes: Uint8Array, name: string): unknown {
    const record = decodeRecord(this.mesh.crypto, bytes)
    return record.sections
      .map((_, i) => openSection(this.mesh.crypto, record, i)?.[name])
      .find((value) => value !== undefined)
  }

  /** Until every holder shows this. */
  async showsEverywhere(name: string, titles: readonly string[]): Promise<void> {
    for (const node of this.holders) {
      await this.mesh.until(async () => {
        const shown = await this.shownAt(node)
        return shown.name === name && inOrder(shown.titles) === inOrder(titles)
      }, 30_000)
    }
  }
}

function inOrder(titles: readonly unknown[]): string {
  return titles.map(String).toSorted().join()
}

describe('a revoked device', () => {
  test('loses what it wrote after the named number, everywhere, and what it outshone is shown again', async () => {
    const story = await Story.begin()
    await using mesh = story.mesh
    const { home, phone, laptop, ben } = story
    const good = await mesh.wait(laptop.put(home, 'posts', { title: 'from the laptop' }))
    await story.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
    // Stolen: the thief takes her name, her follows, and her followers' attention.
    await mesh.wait(laptop.put(home, 'profile', { name: 'Mallory', place }))
    await mesh.wait(laptop.put(home, 'posts', { title: 'buy jazz coins' }))
    await mesh.wait(laptop.put(home, 'follows', { user: ben.id }))
    await story.showsEverywhere('Mallory', ['honest jazz', 'from the laptop', 'buy jazz coins'])
    await mesh.until(async () => (await story.feedOfBen()).length === 3, 30_000)
    await mesh.wait(ben.put(story.bens, 'posts', { title: 'of ben' }))
    await mesh.until(async () => (await story.feedOf(phone, home)).includes('of ben'), 30_000)
    await mesh.until(async () => (await story.found('jazz')).length === 2, 60_000)

    await story.tell(home, story.revocation(phone.person.device, story.laptopKeys, [good]))
    await story.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
    await mesh.until(async () => (await story.feedOfBen()).length === 2, 30_000)
    expect(await story.feedOfBen()).not.toContain('buy jazz coins')
    await mesh.until(async () => (await story.found('jazz')).length === 1, 60_000)
    expect(await story.found('coins')).toEqual([])
    await mesh.until(async () => !(await story.feedOf(phone, home)).includes('of ben'), 30_000)
    const { records } = await mesh.wait(
      home.call('record.list', { owner: phone.id, app, collection: 'follows', limit: 10 }),
    )
    expect(records).toEqual([])
    // All hold the same, and go on holding it.
    await mesh.clock.advance(60_000)
    const held = await Promise.all(story.holders.map((node) => node.store.records.refs(phone.id)))
    for (const refs of held) expect(refs).toEqual(held[0])
  })

  test('is heard no more, not with old numbers either', async () => {
    const story = await Story.begin()
    await using mesh = story.mesh
    const { home, phone, laptop } = story
    await mesh.clock.advance(2_000) // the schema is everywhere
    // Before anybody knows of the theft, the thief gives a holder that is cut off another record of the same number.
    const deceived = story.holders[2] as MeshNode
    mesh.holdBack((from, to) => from === deceived.id || to === deceived.id)
    const good = await mesh.wait(laptop.put(home, 'posts', { title: 'from the laptop' }))
    laptop.numbered = 0
    await mesh.wait(laptop.put(deceived, 'posts', { title: 'forged, early' }))
    mesh.holdBack(undefined)
    await story.showsEverywhere('Ada', ['honest jazz', 'from the laptop', 'forged, early'])
    // What the device writes from then on is for no holder to take from it.
    for (const node of story.holders) {
      await expect(mesh.wait(laptop.put(node, 'posts', { title: 'forged, next' }))).rejects.toThrow(
        'EQUIVOCATION',
      )
    }
    await story.tell(home, story.revocation(phone.person.device, story.laptopKeys, [good]))
    await story.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
    expect(await story.pageAt(deceived)).not.toContain('forged, early')
    for (const number of [0, 1, 2]) {
      laptop.numbered = number
      for (const node of story.holders) {
        await expect(mesh.wait(laptop.put(node, 'posts', { title: 'forged, late' }))).rejects.toThrow(
          'REVOKED',
        )
      }
    }
    await mesh.clock.advance(30_000)
    await story.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
  })

  test('that revoked a higher one takes nothing away for good', async () => {
    const story = await Story.begin()
    await using mesh = story.mesh
    const { home, phone, laptop } = story
    const mine = await mesh.wait(phone.put(home, 'posts', { title: 'more of mine' }))
    await mesh.wait(laptop.put(home, 'posts', { title: 'of the thief' }))
    await story.showsEverywhere('Ada', ['honest jazz', 'more of mine', 'of the thief'])
    // The thief shuts the phone out, and with it everything that Ada wrote.
    await story.tell(home, story.revocation(story.laptopKeys, phone.person.device, []))
    const hosted = story.holders[3] as MeshNode
    await mesh.until(async () => (await story.shownAt(hosted)).titles.join() === 'of the thief', 30_000)
    // Ada, by the phone that outranks it: everything is back, and the thief is out.
    await story.tell(hosted, story.revocation(phone.person.device, story.laptopKeys, []))
    await story.showsEverywhere('Ada', ['honest jazz', 'more of mine'])
    expect(mine).toHaveLength(64)
    await expect(mesh.wait(laptop.put(home, 'posts', { title: 'again' }))).rejects.toThrow('REVOKED')
  })
})
