import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, connectAdmin, memoryKeyStore, microblog, pair } from '../../client/index.ts'
import { shortId } from '../../client/pages/parts/words.ts'
import { chromiumMissing, openChromium } from '../support/chromium.ts'
import type { Chromium } from '../support/chromium.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'

const missing = chromiumMissing()
if (missing !== undefined && process.env.CI === 'true') throw new Error(missing)
if (missing !== undefined) process.stderr.write(`skipped: ${missing}\n`)

describe.skipIf(missing !== undefined)('the dashboard of a node with a neighbour', () => {
  let daemons: Daemons
  let laptop: Chromium
  let admin: ReturnType<typeof connectAdmin>
  const neighbour = (): string => shortId(daemons.all[1]?.node.id ?? 'no such node')

  beforeAll(async () => {
    daemons = await startDaemons(2, (config, index) => ({
      ...config,
      region: index === 0 ? '/geo/europe/fr/lyon' : '/geo/europe/fr/paris',
      // The pages may ask nobody but this address.
      ...(index === 0 && { listen: { ...config.listen, host: '127.0.0.1' } }),
      hosting: { ...config.hosting, suspectAfterMs: 1_000 },
    }))
    const [home] = daemons.all
    if (home === undefined) throw new Error('no node')
    laptop = await openChromium()
    await laptop.page.goto(`${home.local}/dashboard/#token=${home.adminToken}`)

    admin = connectAdmin({ address: home.local, token: home.adminToken })
    const keys = memoryKeyStore()
    const { link } = await admin.pair.open({})
    const run = await pair(link ?? '', { keys, label: 'Amina', schemas: [microblog], copies: 1 })
    await admin.pair.code(run.digits)
    run.confirm()
    await (await run.done).transport.close()
    await using app = await connect({ schema: microblog, keys, node: home.local })
    const write = await app.collection('posts').put({ text: 'The heron is back.' })
    await write.durable
  })

  afterAll(async () => {
    await laptop?.[Symbol.asyncDispose]()
    await daemons?.[Symbol.asyncDispose]()
  })

  test('a person’s copies are counted, and each replica is a dot that says how it fares', async () => {
    const row = laptop.page.getByRole('listitem').filter({ hasText: 'Amina' })
    await row.getByText('2 of 2 copies').waitFor()
    await row.getByRole('img', { name: `${neighbour()}: current` }).waitFor()
    expect(await row.getByRole('img').count()).toBe(1)
  })

  test('a friend is invited by a line, and one of theirs is taken up: who keeps what is shown', async () => {
    const { page } = laptop
    const panel = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Neighbours' }) })
    const other = daemons.all[1]
    const ben = connectAdmin({ address: other?.local ?? '', token: other?.adminToken ?? '' })
    await panel.getByText('Invite a friend', { exact: true }).click()
    await panel.getByLabel('Who').fill('Ben')
    await panel.getByLabel('How much').selectOption('5 GB each way')
    await panel.getByRole('button', { name: 'Make an invitation' }).click()
    await panel.getByText('Send this line to Ben').waitFor()
    const link = await panel.locator('output').textContent()
    expect(await ben.call('admin.invite.accept', { link: link ?? '' })).toMatchObject({
      givesBytes: 5 * 2 ** 30,
      getsBytes: 5 * 2 ** 30,
    })
    const row = panel.getByRole('listitem').filter({ hasText: 'Ben' })
    await row.getByText(/^5\.0 GB for 5\.0 GB, since \d/).waitFor()
    await row.getByText(/^keeps 1 shard, [1-9]/).waitFor()
    await row.getByRole('img', { name: 'here', exact: true }).waitFor()
    await row.getByText('you keep nothing').waitFor()

    await panel.getByText('I was invited', { exact: true }).click()
    const take = panel.getByRole('button', { name: 'Take it up' })
    await panel.getByLabel('Their line').fill('http://192.0.2.1/phone/')
    await take.click()
    await panel.getByText('this is no invitation').waitFor()
    const theirs = await ben.call('admin.invite', { givesBytes: 2 ** 30, getsBytes: 0, label: 'Amina' })
    await panel.getByLabel('Their line').fill(theirs.link)
    await take.click()
    await panel.getByText('they keep up to 1.0 GB for you, you 0 bytes for them').waitFor()
    await ben.close()
  })

  test('the other node is listed where it stands, and storage as it is', async () => {
    const { page } = laptop
    const nodes = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Other nodes' }) })
    await nodes.getByText('1 connected, 1 known').waitFor()
    const row = nodes.getByRole('listitem').filter({ hasText: '/geo/europe/fr/paris' })
    await row.getByRole('img', { name: 'connected', exact: true }).waitFor()

    const storage = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Storage' }) })
    const { storage: kept } = await admin.call('admin.status', {})
    expect(kept.records).toBeGreaterThan(0)
    await storage
      .locator('dt:text-is("Records") + dd')
      .filter({ hasText: `${kept.records}` })
      .waitFor()
    await page.getByRole('heading', { name: 'All is well' }).waitFor()
    expect(await page.getByText('has not answered for a while').count()).toBe(0)
  })

  test('when it goes, the dot, the list and the problem say so, and what to do', async () => {
    const { page } = laptop
    const name = neighbour()
    await daemons.stop(1)
    await page.getByText(/^Node [0-9a-f]{12}… keeps copies and has not answered for a while\.$/).waitFor()
    await page.getByText('Another takes its seat after hosting.replaceAfterMs').waitFor()
    await page.getByRole('heading', { name: 'This needs you' }).waitFor()
    const row = page.getByRole('listitem').filter({ hasText: 'Amina' })
    await row.getByRole('img', { name: new RegExp(`^${name}: away for `) }).waitFor()
    await row.getByText('1 of 2 copies').waitFor()
    await page.getByText('0 connected, 1 known').waitFor()
    const friend = page.getByRole('listitem').filter({ hasText: 'since' })
    await friend.getByRole('img', { name: /^away for / }).waitFor()
  })

  test('the page threw nothing, kept to its policy and asked nobody but its node', () => {
    expect(laptop.faults).toEqual([])
  })
})
