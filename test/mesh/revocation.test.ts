import { describe, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { type MeshNode } from '../support/mesh.ts'
import { Theft } from '../support/theft.ts'

const app = microblog.id
const place = '/geo/africa/ng/lagos'

describe('a revoked device', () => {
  test('loses what it wrote after the named number, everywhere, and what it outshone is shown again', async () => {
    const story = await Theft.begin()
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
    const story = await Theft.begin()
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

  test('whose key is its libp2p identity is spoken with no more, at any holder, after restarts too', async () => {
    const story = await Theft.begin()
    await using mesh = story.mesh
    const { home, phone, laptop } = story
    const place = mesh.network.join(toHex(story.laptopKeys.key))
    const signal = new AbortController().signal
    const knock = (node: MeshNode): Promise<unknown> =>
      mesh.wait(place.rpc.request(node.id, 'shard/meet', new Uint8Array(0), { signal }))
    const refusals = async (): Promise<string[]> => {
      const all = await Promise.allSettled(story.holders.map(knock))
      return all.map((one) =>
        one.status === 'rejected' ? (one.reason as { code: string }).code : 'answered',
      )
    }
    const good = await mesh.wait(laptop.put(home, 'posts', { title: 'from the laptop' }))
    await story.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
    // It is answered, if only that nobody serves this.
    expect(new Set(await refusals())).toEqual(new Set(['UNSUPPORTED']))
    await story.tell(home, story.revocation(phone.person.device, story.laptopKeys, [good]))
    await mesh.until(async () => (await refusals()).every((code) => code === 'UNREACHABLE'), 10_000)
    await mesh.close(home.index)
    const again = await mesh.open(home.index)
    await mesh.until(async () => {
      const outcome = await Promise.allSettled([knock(again)])
      return (
        outcome[0].status === 'rejected' && (outcome[0].reason as { code: string }).code === 'UNREACHABLE'
      )
    }, 10_000)
    // Nobody else suffers by it.
    await mesh.wait(phone.put(again, 'posts', { title: 'without the thief' }))
    await story.showsEverywhere('Ada', ['honest jazz', 'from the laptop', 'without the thief'])
  })

  test('that revoked a higher one takes nothing away for good', async () => {
    const story = await Theft.begin()
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
