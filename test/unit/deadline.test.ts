import { expect, test } from 'vitest'
import { withSignal } from '../../client/deadline.ts'
import { OnehopError } from '../../protocol/errors.ts'

test('who had given up before it began is told so, and a failure that nobody waits for is no unhandled one', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    const failing = Promise.withResolvers<never>()
    const gone = AbortSignal.abort(new OnehopError('ABORTED', 'the page was left'))
    await expect(withSignal(failing.promise, gone)).rejects.toMatchObject({ code: 'ABORTED' })
    failing.reject(new OnehopError('CLOSED', 'this connection was closed'))
    // Node tells of a rejection that nobody handled once its microtasks have run.
    await new Promise((resolve) => setImmediate(resolve))
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
})
