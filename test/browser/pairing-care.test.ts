import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumMissing, openChromium } from '../support/chromium.ts'
import type { Chromium } from '../support/chromium.ts'
import { startNodeProcess } from '../support/node-process.ts'
import type { NodeProcess } from '../support/node-process.ts'
import {
  answerWords,
  goTo,
  readDigits,
  readWords,
  showCode,
  shownLink,
  typeDigits,
  writePost,
} from './people.ts'

const missing = chromiumMissing()
if (missing !== undefined && process.env.CI === 'true') throw new Error(missing)
if (missing !== undefined) process.stderr.write(`skipped: ${missing}\n`)

describe.skipIf(missing !== undefined)('pairing with care', () => {
  let node: NodeProcess
  let laptop: Chromium
  let owner: Chromium
  let guest: Chromium

  beforeAll(async () => {
    node = await startNodeProcess(['http.hosts=["node.lan"]'])
    laptop = await openChromium()
    await laptop.page.goto(node.dashboard)
    owner = await openChromium({ phone: true })
    // Not a secure context: what a browser makes of a node's address on the LAN.
    guest = await openChromium({ phone: true, names: ['node.lan'] })
  })

  afterAll(async () => {
    await Promise.all([owner, guest, laptop].map((one) => one?.[Symbol.asyncDispose]()))
    await node?.[Symbol.asyncDispose]()
  })

  test('while nobody lives here, a phone from plain http is told so at once, and so is the node', async () => {
    const { page } = guest
    await page.goto(`${node.http.replace('127.0.0.1', 'node.lan')}/phone/`)
    await showCode(laptop.page)
    await page.getByLabel('Name of this phone').fill('Old tablet')
    await page.getByText('Paste a link instead').click()
    await page.getByLabel('Pairing link').fill(await shownLink(laptop.page))
    await page.getByRole('button', { name: 'Pair with this link' }).click()
    await page.getByRole('alert').getByText('nobody lives at this node yet').waitFor()
    await laptop.page.getByText('Nobody lives here yet who could admit that phone.').waitFor()
    await laptop.page.getByText('onehop init --user NAME').waitFor()
  })

  test('wrong digits burn the code; both sides say so and offer the way out', async () => {
    const { page } = owner
    await showCode(laptop.page)
    await page.goto(await shownLink(laptop.page))
    await page.getByLabel('Your name').fill('Amina Bello')
    await page.getByRole('button', { name: 'Pair this phone' }).click()
    const digits = await readDigits(page)
    await typeDigits(laptop.page, digits === '123456' ? '654321' : '123456')
    await laptop.page.getByText('The digits were wrong.').waitFor()
    await page.getByRole('alert').getByText('Show a new QR').waitFor()
    await laptop.page.getByRole('button', { name: 'Show a new code' }).waitFor()
  })

  test('with a new code it goes on, and the name is still there', async () => {
    const { page } = owner
    await showCode(laptop.page)
    await page.getByText('Paste a link instead').click()
    await page.getByLabel('Pairing link').fill(await shownLink(laptop.page))
    await page.getByRole('button', { name: 'Pair with this link' }).click()
    await typeDigits(laptop.page, await readDigits(page))
    await laptop.page.getByText('The digits are right').waitFor()
    await page.getByRole('button', { name: 'The node took the digits' }).click()
    const words = await readWords(page)
    await page.getByRole('button', { name: 'I have written them down' }).click()
    await answerWords(page, words)
    await page.getByLabel('About you').waitFor()
    // The page is closed before she has said who she is.
    await page.reload()
    await page.getByLabel('About you').fill('Mends bicycles.')
    expect(await page.locator('#profile-name').inputValue()).toBe('Amina Bello')
    await page.getByLabel('Country').selectOption('fr')
    await page.getByLabel('Town').fill('Lyon')
    await page.getByRole('button', { name: 'Save and go on' }).click()
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
  })

  test('a page from plain http gets an app key, which her phone admits, and writes in her name', async () => {
    const { page } = guest
    await page.goto(`${node.http.replace('127.0.0.1', 'node.lan')}/phone/`)
    await page.getByText('this phone gets an app key only').waitFor()
    await page.getByText('This page cannot use the camera here.').waitFor()
    await showCode(laptop.page)
    await page.getByLabel('Name of this phone').fill('Old tablet')
    // Without a camera, which such a page has not: the digits under the QR, at first a slip.
    const code = (await laptop.page.getByLabel('Code to type').textContent()) ?? ''
    expect(code).toMatch(/^\d{3} \d{4} \d{4}$/)
    const slip = code.replace(/\d$/, (last) => String((Number(last) + 1) % 10))
    await page.getByLabel('Eleven digits').fill(slip)
    await page.getByRole('button', { name: 'Pair with this code' }).click()
    await page.getByRole('alert').getByText('The node shows another code.').waitFor()
    await page.getByLabel('Eleven digits').fill(code)
    await page.getByRole('button', { name: 'Pair with this code' }).click()
    const digits = await readDigits(page)
    await laptop.page.getByLabel('Whose phone is it?').waitFor()
    await typeDigits(laptop.page, digits)
    await laptop.page.getByText('The digits are right').waitFor()
    await page.getByRole('button', { name: 'The node took the digits' }).click()

    const admit = laptop.page.getByRole('link', { name: 'Admit it from this browser' })
    await admit.waitFor()
    const request = await admit.getAttribute('href')
    await owner.page.goto(request ?? '')
    await owner.page.getByRole('button', { name: 'Admit it' }).click()
    await owner.page.getByRole('heading', { name: 'Admitted' }).waitFor()

    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    await writePost(page, 'Written on the tablet.')
    const post = page.getByRole('article').filter({ hasText: 'Written on the tablet.' })
    await post.getByRole('img', { name: 'On your node’s disk' }).waitFor()
    // Initials lie in the middle of their circle.
    const display = () => post.locator('.author .portrait').evaluate((one) => getComputedStyle(one).display)
    // The feed may be drawn anew just then, and what was found is on no page any more.
    await expect.poll(display).toBe('flex')
    await goTo(page, 'Me')
    await page.getByText('This phone and its node').click()
    await page.getByText('App (this phone)').waitFor()
  })
})
