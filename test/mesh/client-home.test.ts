/** What a person's home alone does goes there, though an app talks to a nearer holder of their records. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectAdmin, toHex } from '../../client/index.ts'
import { equalBytes } from '../../protocol/bytes.ts'
import { newDeviceOf, personAt, type Circle } from '../support/circle.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

let daemons: Daemons

beforeAll(async () => {
  daemons = await startDaemons(3)
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

/** Somebody at the first whom all three hold, and whose home answers later than the others. */
async function farFromHome(): Promise<{ readonly app: Circle; readonly away: { is: boolean } }> {
  const [home] = daemons.all
  const away = { is: false }
  const farHome: typeof fetch = async (url, init) => {
    if (new Request(url).url.startsWith(home!.local)) {
      if (away.is) throw new TypeError('fetch failed')
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
    return fetch(url, init)
  }
  const app = await personAt(home!, { fetch: farHome })
  await until(async () => (await app.place({ copies: 2 })).members.length === 3, 20_000)
  await until(async () => {
    await app.nearest!.refresh()
    return app.node().address !== home!.local
  }, 20_000)
  return { app, away }
}

test('groups are founded, listed and placed there', async () => {
  const { app } = await farFromHome()
  await using _ = app
  const group = await app.groups.create({ label: 'Chess', copies: 2 })
  expect(app.node().address).not.toBe(daemons.all[0]!.local)
  const listed = await app.groups.list()
  expect(listed.map(({ id, label, isHeld }) => [toHex(id), label, isHeld])).toEqual([
    [toHex(group.id), 'Chess', true],
  ])
  const [home] = daemons.all
  const admin = connectAdmin({ address: home!.local, token: home!.adminToken })
  const { hosted } = await admin.status()
  await admin.close()
  expect(hosted.find(({ identity }) => equalBytes(identity, group.id))).toMatchObject({ person: true })
  expect(toHex((await app.place({ copies: 2 })).members[0]!)).toBe(home!.node.id)
})

test('where it does not answer that is said, and no list that others know less of', async () => {
  const { app, away } = await farFromHome()
  await using _ = app
  await app.groups.create({ label: 'Chess', copies: 2 })
  away.is = true
  await expect(app.groups.list()).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/^the home node, [0-9a-f]{12}, does not answer: /),
  })
  // What others hold is read on.
  expect(await app.collection('posts').latest(5)).toEqual([])
  away.is = false
  expect((await app.groups.list()).map(({ label }) => label)).toEqual(['Chess'])
})

test('who follows is told by whichever holder is asked, also of those whose nodes hold the author', async () => {
  const { app: ada } = await farFromHome()
  await using _ = ada
  await using ben = await personAt(daemons.all[1]!)
  await using cleo = await personAt(daemons.all[0]!)
  for (const follower of [ben, cleo]) await (await follower.follow(ada.owner!)).accepted
  const asking = async () => {
    const { items, isWhole } = await ada.readers.requests()
    return { names: items.map(({ identity }) => toHex(identity)).toSorted(), isWhole }
  }
  await until(async () => (await asking()).names.length === 2, 20_000)
  const names = [ben, cleo].map(({ owner }) => toHex(owner!)).toSorted()
  expect(await asking()).toEqual({ names, isWhole: true })
  await using phone = await newDeviceOf(ada, daemons.all[0]!)
  expect((await phone.readers.requests()).items).toHaveLength(2)
})
