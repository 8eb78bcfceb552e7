/** What people do on the pages, step by step, in the words that the pages use. */
import type { Locator, Page } from 'playwright-core'
import { memoryKeyStore } from '../../client/index.ts'
import type { KeyStore } from '../../client/index.ts'

/** At the node: opens pairing and answers with the picture of the QR. */
export async function showCode(dashboard: Page): Promise<Locator> {
  await dashboard.getByRole('button', { name: /Show a (pairing|new) code|Pair another phone/ }).click()
  const code = dashboard.getByRole('img', { name: 'Pairing code' })
  await code.waitFor()
  return code
}

/** The link in the QR, as the phone's own camera app would open it. */
export async function shownLink(dashboard: Page): Promise<string> {
  return (await dashboard.locator('.link').textContent()) ?? ''
}

export async function readDigits(phone: Page): Promise<string> {
  const digits = phone.locator('.digits')
  await digits.waitFor()
  return ((await digits.textContent()) ?? '').trim()
}

export async function typeDigits(dashboard: Page, digits: string): Promise<void> {
  await dashboard.getByLabel(/^Digits that/).fill(digits)
  await dashboard.getByRole('button', { name: 'Check the digits' }).click()
}

/** The words as a person copies them from the page. */
export async function readWords(phone: Page, name = 'Recovery words'): Promise<readonly string[]> {
  const list = phone.getByRole('list', { name })
  await list.waitFor()
  return list.locator('.word').allTextContents()
}

/** From the paper: what the page asks for. */
export async function answerWords(phone: Page, words: readonly string[]): Promise<void> {
  const fields = phone.getByLabel(/^Word \d+$/)
  await fields.first().waitFor()
  for (const one of await fields.all()) {
    const number = Number((await one.getAttribute('id'))?.replace('word-', ''))
    await one.fill(words[number - 1] ?? '')
  }
  await phone.getByRole('button', { name: 'Check' }).click()
}

/** Two words of each share. */
export async function answerShares(phone: Page, shares: readonly (readonly string[])[]): Promise<void> {
  const fields = phone.getByLabel(/^Share \d, word \d+$/)
  await fields.first().waitFor()
  for (const one of await fields.all()) {
    const [share, number] = /share-(\d)-word-(\d+)/.exec((await one.getAttribute('id')) ?? '')?.slice(1) ?? []
    await one.fill(shares[Number(share) - 1]?.[Number(number) - 1] ?? '')
  }
  await phone.getByRole('button', { name: 'Check' }).click()
}

/** From the digits on the phone to a profile that its node keeps. */
export async function settleIn(
  phone: Page,
  dashboard: Page,
  profile: { readonly bio: string; readonly town: string; readonly face?: Buffer },
): Promise<void> {
  await typeDigits(dashboard, await readDigits(phone))
  await dashboard.getByText('The digits are right').waitFor()
  await phone.getByRole('button', { name: 'The node took the digits' }).click()
  const words = await readWords(phone)
  await phone.getByRole('button', { name: 'I have written them down' }).click()
  await answerWords(phone, words)
  await phone.getByLabel('About you').fill(profile.bio)
  await phone.getByLabel('Country').selectOption('fr')
  await phone.getByLabel('Town').fill(profile.town)
  if (profile.face !== undefined) {
    await phone
      .locator('#profile-face')
      .setInputFiles({ name: 'face.png', mimeType: 'image/png', buffer: profile.face })
    await phone.locator('.face img').waitFor()
  }
  await phone.getByRole('button', { name: 'Save and go on' }).click()
  await phone.getByRole('navigation', { name: 'Pages' }).waitFor()
}

/** Until the screen is there: what stood on the one before is no answer to what comes next. */
export async function goTo(phone: Page, tab: 'Home' | 'Search' | 'Write' | 'Follow' | 'Me'): Promise<void> {
  const link = phone.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: tab, exact: true })
  await link.click()
  await link.and(phone.locator('[aria-current="page"]')).waitFor()
}

/** What the page keeps in its browser, as a copy of the phone would have it. */
export async function keysOf(phone: Page): Promise<KeyStore> {
  const kept = await phone.evaluate(async () => {
    const asked = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error as DOMException)
      })
    const database = await asked(indexedDB.open('onehop'))
    const store = database.transaction('kept').objectStore('kept')
    const [names, values] = await Promise.all([asked(store.getAllKeys()), asked(store.getAll())])
    database.close()
    return names.map((name, i) => [name as string, [...(values[i] as Uint8Array)]] as const)
  })
  const keys = memoryKeyStore()
  await keys.write(new Map(kept.map(([name, bytes]) => [name, Uint8Array.from(bytes)])))
  return keys
}

export async function writePost(phone: Page, text: string, photo?: Buffer): Promise<void> {
  await goTo(phone, 'Write')
  await phone.getByLabel('Text').fill(text)
  if (photo !== undefined) {
    await phone
      .locator('#post-picture')
      .setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: photo })
    await phone.getByText('travel with the post').waitFor()
  }
  await phone.getByRole('button', { name: 'Post', exact: true }).click()
}

/** A photograph, drawn by the browser: noise and colours, larger than any preview may be. */
export async function takePhoto(page: Page, width: number, height: number): Promise<Buffer> {
  const encoded = await page.evaluate(
    (size) => {
      const canvas = document.createElement('canvas')
      canvas.width = size.width
      canvas.height = size.height
      const context = canvas.getContext('2d') as CanvasRenderingContext2D
      for (let y = 0; y < size.height; y += 8) {
        for (let x = 0; x < size.width; x += 8) {
          context.fillStyle = `hsl(${(x * 7 + y * 13) % 360} 60% ${30 + ((x * y) % 41)}%)`
          context.fillRect(x, y, 8, 8)
        }
      }
      return canvas.toDataURL('image/png').split(',')[1] ?? ''
    },
    { width, height },
  )
  return Buffer.from(encoded, 'base64')
}
