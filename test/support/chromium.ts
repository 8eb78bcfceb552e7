/** A real Chromium with a fresh profile, as a person's phone or laptop would open the pages. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'
import type { BrowserContext, Page } from 'playwright-core'
import { findDebian } from '../../scripts/debian.ts'

/** Nothing of it leaves the machine: no updates, no sync, no first-run page. */
const quiet = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface ChromiumOptions {
  /** A phone is narrow and touched. */
  readonly phone?: boolean
  /** What the camera sees: a .y4m file. */
  readonly camera?: string
  /** Names that stand for 127.0.0.1 here, to open pages as from plain http on a LAN. */
  readonly names?: readonly string[]
}

export interface Chromium extends AsyncDisposable {
  readonly context: BrowserContext
  readonly page: Page
  /** What a page must not do: throw, break its policy, or ask anybody but the node. */
  readonly faults: readonly string[]
}

/** Why there is none; undefined where there is one. It is installed where that is possible. */
export function chromiumMissing(): string | undefined {
  const found = findDebian('chromium', 'chromium')
  return found.found ? undefined : `test/browser needs Chromium. ${found.help}`
}

export async function openChromium(options: ChromiumOptions = {}): Promise<Chromium> {
  const { phone = false, camera, names = [] } = options
  const profile = await mkdtemp(join(tmpdir(), 'onehop-chromium-'))
  const args = [
    ...quiet,
    ...(camera === undefined
      ? []
      : ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${camera}`]),
    ...(names.length === 0
      ? []
      : [`--host-resolver-rules=${names.map((name) => `MAP ${name} 127.0.0.1`).join(',')}`]),
  ]
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable(),
    headless: true,
    args,
    ...(phone
      ? { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }
      : { viewport: { width: 1280, height: 860 } }),
    permissions: camera === undefined ? [] : ['camera'],
  })
  const faults: string[] = []
  const local = new Set(['127.0.0.1', 'localhost', ...names])
  context.on('request', (request) => {
    const url = new URL(request.url())
    const inside = url.protocol === 'data:' || url.protocol === 'blob:' || url.protocol === 'chrome:'
    if (!inside && !local.has(url.hostname)) faults.push(`asked ${url.origin}`)
  })
  context.on('weberror', (error) => faults.push(`threw ${error.error().message}`))
  context.on('console', (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text())
  })
  const page = context.pages()[0] ?? (await context.newPage())
  page.setDefaultTimeout(30_000)
  return {
    context,
    page,
    faults,
    async [Symbol.asyncDispose]() {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}

function executable(): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']
  const found = folders.map((folder) => join(folder, 'chromium')).find((path) => existsSync(path))
  if (found === undefined) throw new Error('chromium is not on PATH')
  return found
}
