import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

const run = resolve(import.meta.dirname, '../partition/run.ts')

interface Told {
  readonly skipped?: string
  readonly schedules: number
  readonly apart: number
  readonly acknowledged: number
  readonly lost: number
  readonly revived: number
  readonly unequal: number
}

/** `npm run partition` is the whole of it. */
test('nodes that are cut apart and healed lose nothing, show nothing deleted and are equal', async (context) => {
  const child = spawn(process.execPath, [run, '--schedules', '2', '--seed', '9', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  context.onTestFinished(() => void child.kill('SIGTERM'))
  const [out, words] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  expect(child.exitCode, words).toBe(0)
  const told = JSON.parse(out) as Told
  if (told.skipped !== undefined) context.skip(told.skipped)
  expect(told, words).toMatchObject({ schedules: 2, lost: 0, revived: 0, unequal: 0 })
  expect(told.apart).toBeGreaterThan(0)
  expect(told.acknowledged).toBeGreaterThan(100)
}, 180_000)
