/** Revocations that lose, take each other's place, find numbers used twice, or meet a full shard. */
import { expect, test } from 'vitest'
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
import type {
  DeviceSecrets,
  IdentityState,
  RevokedNumbers,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import type { MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'
import { Theft } from '../support/theft.ts'

const app = microblog.id

/** Somebody's second device, admitted by their first or by another of theirs. */
class Tablet {
  readonly keys: DeviceSecrets
  readonly entry: SignedEntry
  readonly state: IdentityState
  readonly resident: Resident
  readonly #story: Theft
  readonly #node: MeshNode

  constructor(
    story: Theft,
    node: MeshNode,
    { id, person }: Resident,
    { state = person.state, by = person.device } = {},
  ) {
    const { crypto } = story.mesh
    this.#story = story
    this.#node = node
    this.keys = deviceFromSeed(crypto, crypto.random(32))
    const possession = provePossession(crypto, id, this.keys)
    this.entry = addDevice(crypto, state, by, ownerAdmission(this.keys, false), possession, {
      readsPrivate: true,
    })
    this.state = append(crypto, state, [this.entry])
    this.resident = new Resident(story.mesh, microblog, { device: this.keys, state: this.state })
  }

  async tell(...entries: SignedEntry[]): Promise<void> {
    const { mesh } = this.#story
    const log = encodeLog(entries)
    await mesh.wait(this.#node.call('identity.append', { identity: this.state.id, log }))
  }

  write(title: string): Promise<string> {
    return this.#story.mesh.wait(this.resident.put(this.#node, 'posts', { title }))
  }

  async titles(): Promise<string[]> {
    const { mesh } = this.#story
    const request = { owner: this.state.id, app, collection: 'posts', limit: 50 }
    const { records } = await mesh.wait(this.#node.call('record.list', request))
    return records.map((bytes) => String(this.#story.field(bytes, 'title')))
  }

  /** The numbers that count, from the first on. */
  listed(ids: readonly string[]): RevokedNumbers[] {
    const list = ids.map((id, i) => ({ number: i + 1, id: fromHex(id, 32) as Uint8Array }))
    const listHash = numberListHash(this.#story.mesh.crypto, this.state.id, this.keys.key, list)
    return [{ owner: this.state.id, lastNumber: list.length, listHash, lastEntry: undefined }]
  }

  revokes(of: DeviceSecrets, by: DeviceSecrets, numbers: readonly RevokedNumbers[] = []): SignedEntry {
    return revokeDevice(this.#story.mesh.crypto, this.state, by, of.key, numbers).entry
  }
}

test('what a device wrote that was let in on a branch that lost goes', async () => {
  const story = await Theft.begin()
  await using mesh = story.mesh
  const { home, phone, laptopKeys: stolen, state } = story
  const thief = new Tablet(story, home, phone, { state, by: stolen })
  await thief.tell(thief.entry)
  await mesh.clock.advance(3_000)
  await mesh.wait(thief.resident.put(home, 'profile', { name: 'Mallory', place: '/geo/africa/ng/lagos' }))
  await thief.write('buy coins')
  await story.showsEverywhere('Mallory', ['honest jazz', 'buy coins'])
  // The phone has not heard of it.
  await story.tell(home, story.revocation(phone.person.device, stolen, []))
  await story.showsEverywhere('Ada', ['honest jazz'])
  await expect(thief.write('more')).rejects.toThrow('never admitted')
})

test('of many numbers used twice, those on the list alone are left, also where nobody else can be asked', async () => {
  const story = await Theft.begin()
  await using mesh = story.mesh
  const { home, phone, state } = story
  const tablet = new Tablet(story, home, phone, { state })
  await tablet.tell(tablet.entry)
  await mesh.clock.advance(3_000) // the schema is everywhere
  const titles = Array.from({ length: 11 }, (_, i) => `good ${i}`)
  const deceived = story.holders[2] as MeshNode
  mesh.holdBack((from, to) => from === deceived.id || to === deceived.id)
  const good: string[] = []
  for (const title of titles) good.push(await tablet.write(title))
  tablet.resident.numbered = 0
  for (const title of titles)
    await mesh.wait(tablet.resident.put(deceived, 'posts', { title: `not ${title}` }))
  mesh.holdBack(undefined)
  await mesh.until(async () => (await tablet.titles()).length === 23, 120_000)
  mesh.holdBack(() => true)
  await tablet.tell(tablet.revokes(tablet.keys, phone.person.device, tablet.listed(good)))
  await mesh.until(async () => (await tablet.titles()).length === 12, 30_000)
  expect((await tablet.titles()).toSorted()).toEqual([...titles, 'honest jazz'].toSorted())
  tablet.resident.numbered = 3
  await expect(tablet.write('an old number')).rejects.toThrow('REVOKED')
})

test('two phones shut a third out at once, with other numbers: what counts by the older one comes back', async () => {
  const story = await Theft.begin()
  await using mesh = story.mesh
  const { home, phone, laptopKeys, state } = story
  const tablet = new Tablet(story, home, phone, { state })
  await tablet.tell(tablet.entry)
  await mesh.clock.advance(3_000)
  const ids = [await tablet.write('mine 1'), await tablet.write('mine 2')]
  await story.showsEverywhere('Ada', ['honest jazz', 'mine 1', 'mine 2'])
  await tablet.tell(tablet.revokes(tablet.keys, laptopKeys))
  await story.showsEverywhere('Ada', ['honest jazz'])
  await tablet.tell(tablet.revokes(tablet.keys, phone.person.device, tablet.listed(ids)))
  await story.showsEverywhere('Ada', ['honest jazz', 'mine 1', 'mine 2'])
})

test('what a lost revocation took comes back though the quota is used up', async () => {
  const story = await Theft.begin()
  await using mesh = story.mesh
  const { bens, ben } = story
  const tablet = new Tablet(story, bens, ben)
  await tablet.tell(tablet.entry)
  await mesh.wait(ben.put(bens, 'posts', { title: 'precious' }))
  await tablet.tell(tablet.revokes(ben.person.device, tablet.keys))
  await mesh.until(async () => (await tablet.titles()).length === 0, 30_000)
  const host = { log: encodeLog(tablet.state.entries), quotaBytes: 1, label: '' }
  await mesh.wait(bens.call('admin.host.add', { hosts: [host] }))
  await tablet.tell(tablet.revokes(tablet.keys, ben.person.device))
  await mesh.until(async () => (await tablet.titles()).includes('precious'), 30_000)
})

test('a shard that was given up and is held again takes in what the revocation lists', async () => {
  const story = await Theft.begin()
  await using mesh = story.mesh
  const { bens, ben } = story
  const tablet = new Tablet(story, bens, ben)
  await tablet.tell(tablet.entry)
  const record = tablet.resident.sign('posts', { title: 'counts' })
  const put = async () => (await mesh.wait(bens.call('record.put', { records: [record] }))).results[0]
  const id = toHex((await put())?.id as Uint8Array)
  await tablet.tell(tablet.revokes(tablet.keys, ben.person.device, tablet.listed([id])))
  await mesh.clock.advance(15_000)
  expect(await put()).toMatchObject({ outcome: 'known' })
  await mesh.wait(bens.call('admin.host.remove', { identities: [ben.id] }))
  await mesh.wait(ben.moveIn(bens))
  await mesh.clock.advance(15_000)
  expect(await put()).toMatchObject({ outcome: 'stored' })
})
