import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/** Each file breaks one rule, and the linter must refuse it by that rule. */
const planted: readonly (readonly [file: string, rule: string, source: string])[] = [
  // Imports point one way.
  ['protocol/up-storage.ts', 'house(layering)', `export { kv } from '../storage/kv.ts'`],
  [
    'protocol/up-type.ts',
    'house(layering)',
    `import type { Kv } from '../storage/kv.ts'\nexport type A = Kv`,
  ],
  ['protocol/up-type-query.ts', 'house(layering)', `export type A = import('../daemon/node.ts').Node`],
  ['protocol/up-dynamic.ts', 'house(layering)', `export const load = () => import('../client/index.ts')`],
  [
    'protocol/node-fs.ts',
    'house(layering)',
    `import { readFileSync } from 'node:fs'\nexport { readFileSync }`,
  ],
  ['protocol/library.ts', 'house(layering)', `export { WebSocket } from 'ws'`],
  ['protocol/deep/test.ts', 'house(layering)', `export { dataPath } from '../../test/support/data.ts'`],
  ['storage/up-daemon.ts', 'house(layering)', `export * from '../daemon/node.ts'`],
  ['storage/side-client.ts', 'house(layering)', `export * from '../client/index.ts'`],
  ['daemon/up-cli.ts', 'house(layering)', `export * from '../cli/main.ts'`],
  ['daemon/side-client.ts', 'house(layering)', `export * from '../client/index.ts'`],
  ['client/side-storage.ts', 'house(layering)', `export * from '../storage/kv.ts'`],
  ['client/side-daemon.ts', 'house(layering)', `export * from '../daemon/node.ts'`],
  ['client/node-path.ts', 'house(layering)', `export * from 'node:path'`],
  ['cli/commands/stop.ts', 'house(layering)', `export * from '../../daemon/node.ts'`],
  ['cli/commands/put.ts', 'house(layering)', `export * from '../../storage/kv.ts'`],
  [
    'protocol/cycle-a.ts',
    'eslint-plugin-import(no-cycle)',
    `import { b } from './cycle-b.ts'\nexport const a = () => b`,
  ],
  [
    'protocol/cycle-b.ts',
    'eslint-plugin-import(no-cycle)',
    `import { a } from './cycle-a.ts'\nexport const b = () => a`,
  ],
  // Clock and randomness are handed in.
  ['protocol/timer.ts', 'eslint(no-restricted-globals)', `setTimeout(() => {}, 1)`],
  ['storage/interval.ts', 'eslint(no-restricted-globals)', `export const every = setInterval`],
  ['daemon/immediate.ts', 'eslint(no-restricted-globals)', `setImmediate(() => {})`],
  ['client/timer.ts', 'eslint(no-restricted-globals)', `setTimeout(() => {}, 1)`],
  ['daemon/global-timer.ts', 'house(ports)', `globalThis.setTimeout(() => {}, 1)`],
  ['daemon/timers.ts', 'house(ports)', `export { setTimeout } from 'node:timers/promises'`],
  ['daemon/signal.ts', 'house(ports)', `export const signal = AbortSignal.timeout(1)`],
  ['protocol/date-now.ts', 'house(ports)', `export const at = Date.now()`],
  ['storage/new-date.ts', 'house(ports)', `export const at = new Date()`],
  ['daemon/performance.ts', 'house(ports)', `export const at = performance.now()`],
  ['daemon/hrtime.ts', 'house(ports)', `export const at = process.hrtime.bigint()`],
  ['client/math-random.ts', 'house(ports)', `export const dice = Math.random()`],
  ['client/web-crypto.ts', 'house(ports)', `export const b = crypto.getRandomValues(new Uint8Array(4))`],
  [
    'client/global-crypto.ts',
    'house(ports)',
    `export const b = globalThis.crypto.getRandomValues(new Uint8Array(4))`,
  ],
  [
    'daemon/random-bytes.ts',
    'house(ports)',
    `import { randomBytes } from 'node:crypto'\nexport { randomBytes }`,
  ],
  [
    'storage/random-bytes.ts',
    'house(ports)',
    `import { randomBytes as r } from 'node:crypto'\nexport const b = r(4)`,
  ],
  ['cli/timer.ts', 'eslint(no-restricted-globals)', `setTimeout(() => {}, 1)`],
  ['cli/timers.ts', 'house(ports)', `export { setTimeout } from 'node:timers/promises'`],
  ['cli/date-now.ts', 'house(ports)', `export const at = Date.now()`],
  ['cli/commands/performance.ts', 'house(ports)', `export const at = performance.now()`],
  // The same by other ways.
  ['client/frame.ts', 'eslint(no-restricted-globals)', `requestAnimationFrame(() => {})`],
  ['client/idle.ts', 'eslint(no-restricted-globals)', `requestIdleCallback(() => {})`],
  ['client/window-frame.ts', 'house(ports)', `window.requestAnimationFrame(() => {})`],
  ['protocol/date-call.ts', 'house(ports)', `export const at = Date()`],
  ['storage/global-date.ts', 'house(ports)', `export const at = new (globalThis.Date)()`],
  ['storage/global-now.ts', 'house(ports)', `export const at = globalThis.Date.now()`],
  ['storage/date-name.ts', 'house(ports)', `export const at = Date['now']()`],
  ['storage/date-alias.ts', 'house(ports)', `const D = Date\nexport const at = D.now()`],
  ['storage/now.ts', 'house(ports)', `const { now } = Date\nexport const at = now()`],
  ['daemon/now-later.ts', 'house(ports)', `let now\n;({ now } = Date)\nexport const at = now()`],
  ['daemon/now-default.ts', 'house(ports)', `export const at = ({ now } = Date) => now()`],
  ['daemon/taken-timer.ts', 'house(ports)', `const { setTimeout: later } = globalThis\nlater(() => {}, 1)`],
  ['daemon/global-member.ts', 'house(ports)', `export const f = (m: 'isNaN') => globalThis[m]`],
  ['client/math-member.ts', 'house(ports)', `export const dice = (m: 'random') => Math[m]()`],
  ['client/math-taken.ts', 'house(ports)', `const { random } = Math\nexport const dice = random()`],
  ['daemon/math-template.ts', 'house(ports)', 'export const dice = Math[`random`]()'],
  [
    'daemon/crypto-all.ts',
    'house(ports)',
    `import * as c from 'node:crypto'\nexport const b = c.randomBytes(4)`,
  ],
  [
    'storage/crypto-default.ts',
    'house(ports)',
    `import c from 'node:crypto'\nexport const b = c.randomBytes(4)`,
  ],
  [
    'storage/crypto-named-default.ts',
    'house(ports)',
    `import { default as c } from 'node:crypto'\nexport const b = c.randomBytes(4)`,
  ],
  ['daemon/crypto-later.ts', 'house(ports)', `export const load = () => import('node:crypto')`],
  ['daemon/crypto-passed-on.ts', 'house(ports)', `export { randomBytes as bytes } from 'node:crypto'`],
  ['daemon/crypto-all-passed-on.ts', 'house(ports)', `export * from 'node:crypto'`],
  [
    'daemon/web-crypto.ts',
    'house(ports)',
    `import { webcrypto } from 'node:crypto'\nexport const b = webcrypto.getRandomValues(new Uint8Array(4))`,
  ],
  ['daemon/crypto/timer.ts', 'house(ports)', `export const at = Date.now()`],
  // What is easily forgotten.
  ['daemon/floating.ts', 'typescript-eslint(no-floating-promises)', `const f = async () => 1\nf()`],
  [
    'daemon/misused.ts',
    'typescript-eslint(no-misused-promises)',
    `const f = async () => true\nif (f()) throw new Error('x')`,
  ],
  [
    'daemon/using.ts',
    'typescript-eslint(return-await)',
    `declare const open: () => AsyncDisposable\nexport async function f(g: () => Promise<number>) {\n  await using a = open()\n  void a\n  return g()\n}`,
  ],
  ['daemon/any.ts', 'typescript-eslint(no-explicit-any)', `export const a = (x: any) => String(x)`],
  ['daemon/swallowed.ts', 'eslint(no-empty)', `try {\n  JSON.parse('')\n} catch {}`],
  ['daemon/console.ts', 'eslint(no-console)', `console.log('x')`],
  ['protocol/buffer.ts', 'eslint(no-restricted-globals)', `export const b = Buffer.alloc(1)`],
  [
    'test/only.test.ts',
    'eslint-plugin-jest(no-focused-tests)',
    `import { test } from 'vitest'\ntest.only('x', () => {})`,
  ],
]

/** What the same rules must let pass. */
const allowed: readonly (readonly [file: string, source: string])[] = [
  ['storage/kv.ts', `export interface Kv {\n  a: 1\n}\nexport const kv = 1`],
  ['daemon/node.ts', `export { kv } from '../storage/kv.ts'\nexport type Node = 1`],
  ['client/index.ts', `export { encode } from 'cborg'`],
  ['cli/main.ts', `export * from '../client/index.ts'`],
  ['cli/commands/start.ts', `export * from '../../daemon/node.ts'`],
  ['cli/crypto.ts', `export * from '../daemon/node.ts'`],
  ['daemon/clock.ts', `export const nowMs = () => Date.now()\nsetTimeout(() => {}, 1)`],
  ['client/clock.ts', `export const nowMs = () => performance.now()\nsetTimeout(() => {}, 1)`],
  ['daemon/random.ts', `import { randomBytes } from 'node:crypto'\nexport { randomBytes }`],
  ['client/random.ts', `export const b = crypto.getRandomValues(new Uint8Array(4))`],
  ['daemon/date.ts', `export const text = (ms: number) => new Date(ms).toISOString()`],
  [
    'daemon/hash.ts',
    `import { createHash } from 'node:crypto'\nexport const make = () => createHash('sha256')`,
  ],
  ['daemon/math.ts', `const { min, max } = Math\nexport const between = (n: number) => max(0, min(n, 1))`],
  ['daemon/date-type.ts', `export const isDate = (x: unknown): x is Date => x instanceof Date`],
  [
    'daemon/named-date.ts',
    `const names: Record<string, number> = {}\nexport const of = (m: string) => names[m]`,
  ],
  ['test/support/data.ts', `export const dataPath = Math.random()`],
]

interface Diagnostic {
  readonly code?: string
  readonly filename: string
}

let house: string
let found: readonly Diagnostic[]

beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'onehop-lint-'))
  for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json', 'scripts/lint'])
    cpSync(join(root, name), join(house, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(house, 'node_modules'))
  for (const [file, source] of [...planted.map(([name, , text]) => [name, text] as const), ...allowed]) {
    mkdirSync(dirname(join(house, file)), { recursive: true })
    writeFileSync(join(house, file), `${source}\n`)
  }
  const result = spawnSync(
    process.execPath,
    [join(root, 'node_modules/oxlint/bin/oxlint'), '-f', 'json', '.'],
    {
      cwd: house,
      encoding: 'utf8',
    },
  )
  expect(result.status, result.stderr).toBe(1)
  found = (JSON.parse(result.stdout) as { diagnostics: readonly Diagnostic[] }).diagnostics
})

afterAll(() => rmSync(house, { recursive: true, force: true }))

describe('the linter refuses', () => {
  test.each(planted)('%s by %s', (file, rule) => {
    expect(found.filter(({ filename }) => filename === file).map(({ code }) => code)).toContain(rule)
  })
})

describe('the linter lets pass', () => {
  test.each(allowed)('%s', (file) => {
    expect(found.filter(({ filename }) => filename === file)).toEqual([])
  })
})
