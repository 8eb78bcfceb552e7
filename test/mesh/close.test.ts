import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Left } from '../support/open-and-close.ts'

const program = resolve(import.meta.dirname, '../support/open-and-close.ts')

test('a closed node leaves no timer, socket, listener or open file, and its state opens again at once', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 50_000 })
  const { before, after, ...left } = JSON.parse(stdout) as Left
  expect(after).toEqual(before)
  expect(left).toEqual({ openFiles: [], sameNode: true, records: 200 })
})
