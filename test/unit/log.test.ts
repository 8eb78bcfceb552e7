import { expect, test } from 'vitest'
import type { LogOptions } from '../../daemon/log.ts'
import { createLog } from '../../daemon/log.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

function create(options: Partial<LogOptions> = {}) {
  const lines: string[] = []
  const log = createLog({
    level: 'info',
    format: 'json',
    clock: createVirtualClock(),
    write: (line) => lines.push(line),
    ...options,
  })
  return { log, lines }
}

test('an event is one line of JSON with its fields', () => {
  const { log, lines } = create()
  log.info('shard.pushed', { count: 3, clock: 5n, missing: undefined })
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: '2026-01-01T00:00:00.000Z',
    level: 'info',
    event: 'shard.pushed',
    count: 3,
    clock: '5',
  })
})

test('bytes are never written, errors with their code and causes', () => {
  const { log, lines } = create()
  const error = new OnehopError('BUSY', 'slow down', { cause: new Error('inner') })
  log.error('failed', { seed: new Uint8Array([1, 2, 3]), error })
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    seed: '<3 bytes>',
    error: { code: 'BUSY', message: 'slow down', cause: { message: 'inner' } },
  })
})

test('levels below the set one are silent', () => {
  const { log, lines } = create({ level: 'warn' })
  log.info('quiet')
  log.warn('loud')
  expect(lines).toHaveLength(1)
  const none = create({ level: 'silent' })
  none.log.error('nothing')
  expect(none.lines).toEqual([])
})

test('a reader gets one line too, whatever a peer put into a field', () => {
  const { log, lines } = create({ format: 'pretty' })
  log.warn('peer.odd', { said: 'one\ntwo', length: 'x'.repeat(10_000) })
  expect(lines[0]?.trimEnd()).not.toContain('\n')
  expect(lines[0]?.length).toBeLessThan(2_200)
  expect(lines[0]).toMatch(/^00:00:00\.000 warn {2}peer\.odd said=one two/)
})
