import { wholeKind } from '../../daemon/hosting.ts'
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
import { createMesh, type Mesh, type MeshNode } from './mesh.ts'
import { Resident } from './resident.ts'

const app = microblog.id
const place = '/geo/africa/ng/lagos'

/** Ada with a phone and a laptop, at home on node 0 with three copies; Ben, who follows her, at home on a node without one. */
export class Theft {
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

  static async begin(): Promise<Theft> {
    const mesh = await createMesh(7, {
      config: (index) => (index === 6 ? { aggregate: [{ app: '*', scope: '/geo' }] } : {}),
    })
    const theft = new Theft(mesh)
    const { phone, home, ben } = theft
    await mesh.clock.advance(3_000)
    await mesh.wait(phone.moveIn(home))
    await mesh.wait(home.call('identity.append', { identity: phone.id, log: encodeLog(theft.state.entries) }))
    await mesh.wait(phone.place(home))
    const { replicaSet } = await mesh.wait(home.call('replica-set.get', { owner: phone.id }))
    const ids = unpackChain(mesh.crypto, replicaSet).newest.members.map(({ node }) => toHex(node))
    theft.holders = ids.map((id) => mesh.nodes.find((node) => node.id === id) as MeshNode)
    theft.bens = mesh.nodes.find(({ id, index }) => !ids.includes(id) && index !== 6) as MeshNode
    // Those that are being filled show nothing.
    const isWhole = ({ store }: MeshNode): boolean => store.documents.get(wholeKind, phone.id) !== undefined
    await mesh.until(() => theft.holders.slice(1).every(isWhole), 30_000)
    await mesh.wait(ben.moveIn(theft.bens))
    await mesh.wait(ben.place(theft.bens, 0))
    await mesh.wait(ben.put(theft.bens, 'follows', { user: phone.id }))
    await mesh.wait(phone.put(home, 'profile', { name: 'Ada', place }))
    await mesh.wait(phone.put(home, 'posts', { title: 'honest jazz' }))
    return theft
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
