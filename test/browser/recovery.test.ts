import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  connect,
  findRecoverable,
  httpTransport,
  memoryKeyStore,
  microblog,
  recoverIdentity,
} from '../../client/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { chromiumMissing, openChromium } from '../support/chromium.ts'
import type { Chromium } from '../support/chromium.ts'
import { startNodeProcess } from '../support/node-process.ts'
import type { NodeProcess } from '../support/node-process.ts'
import { until } from '../support/until.ts'
import {
  answerShares,
  answerWords,
  goTo,
  keysOf,
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

/** Nodes that meet through the first, each an operator of its own. */
async function startNode(
  operator: string,
  first?: NodeProcess,
  changes: readonly string[] = [],
): Promise<NodeProcess> {
  const bootstrap = first?.addresses
    .filter((address) => /\/tcp\/\d+$/.test(address))
    .map((address) => fullAddress(first.node, address))
  return startNodeProcess([
    `operator="${operator}"`,
    `network.bootstrap=${JSON.stringify(bootstrap ?? [])}`,
    'network.allowDial=["127.0.0.0/8"]',
    'hosting.offerTo="anyone"',
    'hosting.heartbeatMs=500',
    'http.hosts=["node.lan"]',
    ...changes,
  ])
}

describe.skipIf(missing !== undefined)('recovery words on the phone page', () => {
  let holder: NodeProcess
  let home: NodeProcess
  let fresh: NodeProcess
  let laptop: Chromium
  let phone: Chromium
  let next: Chromium
  let stranger: Chromium
  let words: readonly string[]
  let twoShares: string

  beforeAll(async () => {
    holder = await startNode('holder', undefined, ['listen.host="127.0.9.1"'])
    home = await startNode('home', holder)
    laptop = await openChromium()
    await laptop.page.goto(home.dashboard)
    phone = await openChromium({ phone: true })
  })

  afterAll(async () => {
    await Promise.all([phone, next, stranger, laptop].map((one) => one?.[Symbol.asyncDispose]()))
    await Promise.all([home, fresh, holder].map((one) => one?.[Symbol.asyncDispose]()))
  })

  test('a new person is shown 24 words; two are asked back, and a wrong one is noticed', async () => {
    const { page } = phone
    await showCode(laptop.page)
    await page.goto(await shownLink(laptop.page))
    await page.getByLabel('Your name').fill('Amina Bello')
    await page.getByRole('button', { name: 'Pair this phone' }).click()
    await typeDigits(laptop.page, await readDigits(page))
    await laptop.page.getByText('The digits are right').waitFor()
    await page.getByRole('button', { name: 'The node took the digits' }).click()
    words = await readWords(page)
    expect(words).toHaveLength(24)
    await page.getByRole('button', { name: 'I have written them down' }).click()
    await answerWords(
      page,
      words.map(() => 'wrong'),
    )
    await page.getByRole('alert').getByText('are other ones').waitFor()
    await page.getByRole('button', { name: 'Show the words again' }).click()
    expect(await readWords(page)).toEqual(words)
  })

  test('put off, it is reminded of until it is done, and then the phone has the words no more', async () => {
    const { page } = phone
    await page.getByRole('button', { name: 'Do it later' }).click()
    await page.getByRole('button', { name: 'Save and go on' }).click()
    await page.getByRole('navigation', { name: 'Pages' }).waitFor()
    await page.reload()
    const reminder = page.getByText('You have no recovery words yet.')
    await reminder.waitFor()
    await page.getByRole('link', { name: 'Write them down now' }).click()
    // Others: what was put off was forgotten.
    expect(await readWords(page)).not.toEqual(words)
    words = await readWords(page)
    await page.getByRole('button', { name: 'Split them into three shares' }).click()
    const shares: (readonly string[])[] = []
    for (const number of [1, 2, 3]) {
      shares.push(await readWords(page, `Share ${number} of 3`))
      await page.getByRole('button', { name: 'I have written it down' }).click()
    }
    expect(shares.map(({ length }) => length)).toEqual([33, 33, 33])
    await answerShares(page, [shares[0]!, shares[1]!, shares[2]!.map(() => 'wrong')])
    await page
      .getByRole('alert')
      .getByText(/^Share 3, word \d+ and share 3, word \d+ are other ones\.$/)
      .waitFor()
    await answerShares(page, shares)
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    expect(await reminder.count()).toBe(0)
    twoShares = [shares[2]!, shares[0]!].map((share) => share.join(' ')).join('\n\n')
    await page.reload()
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    expect(await reminder.count()).toBe(0)
    await page.goto(`${home.http}/phone/#/words`)
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    expect(await page.getByRole('list', { name: 'Recovery words' }).count()).toBe(0)
  })

  test('whoever else has the words lets a device in: the phone is told at once, and shuts it out', async () => {
    const { page } = phone
    await goTo(page, 'Home')
    const transport = httpTransport({ address: home.http })
    const typed = { words: words.join(' '), transport, keys: memoryKeyStore() }
    const [found] = await findRecoverable(typed)
    const { identity } = await recoverIdentity({ ...typed, identity: found?.firstDigits ?? '' })
    await transport.call('identity.append', { identity: identity.id, log: identity.log() })

    const told = page.getByRole('complementary', { name: 'Changes to your identity' })
    await told.getByText(/^A device was added: device [0-9a-f…]+, by the recovery words\.$/).waitFor()
    await page.reload()
    await told.getByRole('button', { name: 'Not me: shut it out' }).click()
    await told.getByRole('button', { name: 'Yes, for good' }).click()
    const known = async (): Promise<boolean | undefined> => {
      const { log } = await transport.call('identity.get', { identity: identity.id })
      await identity.learn(log)
      return identity.state.devices.get(toHex(identity.device.key))?.revoked !== undefined
    }
    await until(known, 10_000)
    await told.getByRole('button', { name: 'I have seen this' }).click()
    await told.waitFor({ state: 'detached' })
    await page.reload()
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    expect(await told.count()).toBe(0)
    await transport.close()
  })

  test('a phone whose copy has written is given a key of its own, and sends what was refused', async () => {
    const { page } = phone
    await goTo(page, 'Home')
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    const transport = httpTransport({ address: home.http })
    await using copy = await connect({ schema: microblog, keys: await keysOf(page), transport })
    await (
      await copy.collection('posts').put({ text: 'Of the copy.' })
    ).accepted
    await writePost(page, 'Of the phone.')
    const notice = page.getByRole('complementary', { name: 'The key of this phone' })
    await notice.getByText('takes nothing more that this phone signs').waitFor()
    await page.reload()
    await notice.getByRole('button', { name: 'Give it a new key' }).click()
    await notice.waitFor({ state: 'detached' })
    const sent = async (): Promise<boolean> => {
      const items = await copy.collection('posts').latest(10)
      return items.some(({ value }) => value.text === 'Of the phone.')
    }
    await until(sent, 10_000)
    await page.reload()
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    expect(await notice.count()).toBe(0)
    expect(await page.getByRole('complementary', { name: 'Changes to your identity' }).count()).toBe(0)
  })

  test('a device that was lost is shut out from the list of them, as of a time', async () => {
    const { page } = phone
    const transport = httpTransport({ address: home.http })
    const typed = { words: words.join(' '), transport, keys: memoryKeyStore() }
    const [found] = await findRecoverable(typed)
    const { identity } = await recoverIdentity({ ...typed, identity: found?.firstDigits ?? '' })
    await transport.call('identity.append', { identity: identity.id, log: identity.log() })
    await using tablet = await connect({ schema: microblog, keys: typed.keys, transport })
    await (
      await tablet.collection('posts').put({ text: 'Of who found the tablet.' })
    ).accepted
    await goTo(page, 'Home')
    const told = page.getByRole('complementary', { name: 'Changes to your identity' })
    await told.getByRole('button', { name: 'I have seen this' }).click()
    await goTo(page, 'Me')
    await page.getByText('This phone and its node').click()
    const row = page.getByRole('listitem').filter({ hasText: toHex(identity.device.key).slice(0, 6) })
    await row.getByRole('button', { name: 'Shut it out' }).click()
    await row.getByRole('button', { name: 'No', exact: true }).click()
    await row.getByRole('button', { name: 'Shut it out' }).click()
    await row.getByText('What it changed in groups since then, such as who is in them, stays').waitFor()
    await row.getByLabel('Somebody else has had it since').fill('2026-01-01T00:00')
    await row.getByRole('button', { name: 'Yes, for good' }).click()
    const shutOut = page.getByText(/^Shut out: /)
    await shutOut.waitFor()
    await until(async () => {
      const { log } = await transport.call('identity.get', { identity: identity.id })
      await identity.learn(log)
      return identity.role === undefined
    }, 10_000)
    const visitor = await connect({ schema: microblog, owner: identity.id, transport })
    // The node takes the record out a moment after it has heard; until then nobody believes it.
    const isGone = async (): Promise<boolean> => {
      const posts = await visitor
        .collection('posts')
        .latest(10)
        .catch(() => undefined)
      return posts?.every(({ value }) => value.text !== 'Of who found the tablet.') === true
    }
    await until(isGone, 10_000)
    await goTo(page, 'Home')
  })

  test('a page from plain http neither shows nor takes words, and says what to do', async () => {
    stranger = await openChromium({ phone: true, names: ['node.lan'] })
    const { page } = stranger
    await page.goto(`${home.http.replace('127.0.0.1', 'node.lan')}/phone/`)
    await page.getByRole('button', { name: 'I have recovery words' }).click()
    await page.getByText('neither shown nor typed on this page').waitFor()
    await page.getByText('onehop recover').waitFor()
    expect(await page.locator('textarea, input').count()).toBe(0)
  })

  test('phone and node are gone: another phone and a new node have everything back from the words', async () => {
    await writePost(phone.page, 'Written before the fire.')
    const post = phone.page.getByRole('article').filter({ hasText: 'Written before the fire.' })
    await post.getByRole('img', { name: 'On two nodes or more' }).waitFor()
    await phone[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
    fresh = await startNode('fresh', holder)
    await laptop.page.goto(fresh.dashboard)
    next = await openChromium({ phone: true })
    const { page } = next
    await page.goto(`${fresh.http}/phone/`)
    await page.getByRole('button', { name: 'I have recovery words' }).click()
    await page.getByLabel('The 24 words').fill(words.slice(1).join(' '))
    await page.getByRole('button', { name: 'Find what is mine' }).click()
    await page.getByRole('alert').getByText('24').first().waitFor()
    await page.getByLabel('The 24 words').fill(twoShares)
    await page.getByRole('button', { name: 'Find what is mine' }).click()
    await page.getByText('Is this what stands on your paper?').waitFor()
    await page.getByRole('button', { name: 'Yes, these digits' }).click()
    await page.getByText('This phone belongs to').waitFor()

    await showCode(laptop.page)
    await page.getByText('Paste a link instead').click()
    await page.getByLabel('Pairing link').fill(await shownLink(laptop.page))
    await page.getByRole('button', { name: 'Pair with this link' }).click()
    await typeDigits(laptop.page, await readDigits(page))
    await laptop.page.getByText('The digits are right').waitFor()
    await page.getByRole('button', { name: 'The node took the digits' }).click()
    await page.getByRole('heading', { name: 'Amina Bello' }).waitFor()
    await goTo(page, 'Me')
    await page.getByText('Written before the fire.').waitFor()
    expect([...next.faults, ...laptop.faults]).toEqual([])
  })
})
