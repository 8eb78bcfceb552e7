import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumMissing, openChromium } from '../support/chromium.ts'
import type { Chromium } from '../support/chromium.ts'
import { film } from '../support/fake-camera.ts'
import { startNodeProcess } from '../support/node-process.ts'
import type { NodeProcess } from '../support/node-process.ts'
import { goTo, settleIn, showCode, shownLink, takePhoto, writePost } from './people.ts'

const missing = chromiumMissing()
if (missing !== undefined && process.env.CI === 'true') throw new Error(missing)
if (missing !== undefined) process.stderr.write(`skipped: ${missing}\n`)

describe.skipIf(missing !== undefined)('two phones and their node', () => {
  let folder: string
  let node: NodeProcess
  let laptop: Chromium
  let amina: Chromium
  let binta: Chromium

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'onehop-film-'))
    node = await startNodeProcess([
      'region="/geo/europe/fr/lyon"',
      'aggregate=[{"app":"*","scope":"/geo"}]',
      'search.registerEveryMs=500',
    ])
    laptop = await openChromium()
    await laptop.page.goto(node.dashboard)
    await laptop.page.getByRole('heading', { name: 'People who live here (0)' }).waitFor()
  })

  afterAll(async () => {
    await Promise.all([amina, binta, laptop].map((one) => one?.[Symbol.asyncDispose]()))
    await node?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  test('the token leaves the address bar', () => {
    expect(laptop.page.url()).toBe(`${node.http}/dashboard/`)
  })

  test('a phone pairs by scanning the QR with its camera; the code is typed at the node', async () => {
    const camera = await film(await showCode(laptop.page), join(folder, 'pairing.y4m'))
    amina = await openChromium({ phone: true, camera })
    const { page } = amina
    await page.goto(`${node.http}/phone/`)
    await page.getByLabel('Your name').fill('Amina Bello')
    await page.getByRole('button', { name: 'Scan the QR code' }).click()
    await settleIn(page, laptop.page, {
      bio: 'Mends bicycles by the canal.',
      town: 'Lyon',
      face: await takePhoto(page, 400, 300),
    })
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    await laptop.page.getByText('Amina Bello’s phone is paired.').waitFor()
  })

  test('she posts a photo, and sees that her node has it', async () => {
    const { page } = amina
    await writePost(page, 'The heron is back at the lock.', await takePhoto(page, 1600, 1200))
    const post = page.getByRole('article').filter({ hasText: 'The heron is back' })
    await post.getByRole('img', { name: 'On your node’s disk' }).waitFor()
  })

  test('a second phone pairs by the link, scans her code and follows her', async () => {
    await showCode(laptop.page)
    const link = await shownLink(laptop.page)
    await goTo(amina.page, 'Follow')
    const camera = await film(
      amina.page.getByRole('img', { name: 'Code of your own link' }),
      join(folder, 'follow.y4m'),
    )
    binta = await openChromium({ phone: true, camera })
    const { page } = binta
    await page.goto(link)
    expect(page.url(), 'the secret leaves the address bar').toBe(`${node.http}/phone/`)
    await page.getByLabel('Your name').fill('Binta Diallo')
    await page.getByRole('button', { name: 'Pair this phone' }).click()
    await settleIn(page, laptop.page, { bio: 'Counts birds.', town: 'Lyon' })
    await goTo(page, 'Follow')
    await page.getByRole('button', { name: 'Scan their code' }).click()
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    await page.getByRole('button', { name: 'Follow', exact: true }).click()
    await page.getByRole('button', { name: 'Unfollow' }).waitFor()
  })

  test('her home page shows the post with name, face and picture, and no other node was asked', async () => {
    const { page } = binta
    await goTo(page, 'Home')
    const post = page.getByRole('article').filter({ hasText: 'The heron is back' })
    await post.getByText('Amina Bello').waitFor()
    expect(await post.locator('img.portrait').count()).toBe(1)
    const preview = post.getByRole('img', { name: 'Picture by Amina Bello' })
    await expect.poll(() => widthOf(preview)).toBeGreaterThan(200)
    expect(await page.getByText('no other node asked').count()).toBe(1)
  })

  test('the whole picture opens', async () => {
    const { page } = binta
    await page.getByRole('button', { name: 'Open the whole picture by Amina Bello' }).click()
    const picture = page.getByRole('dialog').getByRole('img', { name: 'Picture by Amina Bello' })
    await expect.poll(() => widthOf(picture)).toBe(1600)
    await page.getByRole('button', { name: 'Close' }).click()
  })

  test('a new post arrives while she looks', async () => {
    await writePost(amina.page, 'And now it has caught a fish.')
    await binta.page.getByRole('article').filter({ hasText: 'caught a fish' }).waitFor()
  })

  test('search finds the post, and says how complete it is', async () => {
    const { page } = binta
    await goTo(page, 'Search')
    await page.getByText('World', { exact: true }).click()
    const hit = page.getByRole('article').filter({ hasText: 'The heron is back' })
    // The index learns of posts a moment after they were written.
    await expect
      .poll(async () => {
        await page.getByRole('searchbox').fill('heron')
        await page.keyboard.press('Enter')
        await page.getByText(/hits? in the whole world/).waitFor()
        return hit.count()
      })
      .toBe(1)
    await page.getByText(/^Complete/).waitFor()
    await hit.getByText('Amina Bello').waitFor()
  })

  test('the dashboard shows who is hosted and what they keep', async () => {
    const { page } = laptop
    await page.getByRole('heading', { name: 'People who live here (2)' }).waitFor()
    const row = page.getByRole('listitem').filter({ hasText: 'Amina Bello’s phone' })
    await row.getByText('3 records').waitFor()
  })

  test('the phone shows its last page while the node is gone', async () => {
    const { page } = binta
    await goTo(page, 'Home')
    await page.getByRole('article').filter({ hasText: 'caught a fish' }).waitFor()
    let cut = true
    await page.route('**/api/v1/**', (route) => (cut ? route.abort() : route.continue()))
    await page.routeWebSocket(/.*/, (socket) => void (cut ? socket.close() : socket.connectToServer()))
    await page.reload()
    await page.getByRole('article').filter({ hasText: 'caught a fish' }).waitFor()
    await page.getByRole('alert').waitFor()
    cut = false
    await page.getByText('Read just now').waitFor()
  })

  test('no page threw, broke its policy or asked anybody but the node', () => {
    expect([...laptop.faults, ...amina.faults, ...binta.faults]).toEqual([])
  })
})

async function widthOf(image: { evaluate<T>(read: (element: Element) => T): Promise<T> }): Promise<number> {
  return image.evaluate((element) => (element as HTMLImageElement).naturalWidth)
}
