/** What every implementation of Rpc must do. Run by rpc-memory.test.ts and rpc-libp2p.test.ts. */
import { afterEach, describe, expect, test } from 'vitest'
import type { RpcBudgets } from '../../daemon/net/rpc-endpoint.ts'
import { netLimits } from '../../daemon/net/net-limits.ts'
import type { Network, NodeId, Rpc } from '../../daemon/net/rpc.ts'
import { fromUtf8, utf8 } from '../../protocol/bytes.ts'
import type { OnehopError } from '../../protocol/errors.ts'
import { OnehopError as Failure } from '../../protocol/errors.ts'
import type { Method } from '../../protocol/methods.ts'
import { until } from '../support/until.ts'

export interface RpcWorld extends AsyncDisposable {
  /** Starts node number `index`, or starts it again with the same key, in reach of all others. */
  start(index: number, options?: { budgets?: Partial<RpcBudgets> }): Promise<Network<Method>>
}

const never = new AbortController().signal
const body = utf8('hello')

export function rpcContract(name: string, createWorld: () => Promise<RpcWorld>): void {
  describe(`rpc over ${name}`, () => {
    let world: RpcWorld | undefined
    afterEach(async () => {
      await world?.[Symbol.asyncDispose]()
      world = undefined
    })
    const two = async (
      budgets?: Partial<RpcBudgets>,
    ): Promise<{ a: Network<Method>; b: Network<Method>; to: NodeId }> => {
      world = await createWorld()
      const a = await world.start(0)
      const b = await world.start(1, budgets === undefined ? {} : { budgets })
      return { a, b, to: b.rpc.self }
    }

    test('a reply reaches its request, and the handler knows who asks', async () => {
      const { a, b, to } = await two()
      b.rpc.handle('test/echo', async ({ from, body: asked }) => utf8(`${from} ${fromUtf8(asked)}`))
      const reply = await a.rpc.request(to, 'test/echo', body, { signal: never })
      expect(fromUtf8(reply)).toBe(`${a.rpc.self} hello`)
      expect(a.rpc.connected()).toContain(to)
      await until(() => b.rpc.connected().includes(a.rpc.self))
    })

    test('both sides may ask, and replies overtake each other', async () => {
      const { a, b, to } = await two()
      const gate = Promise.withResolvers<void>()
      b.rpc.handle('test/slow', async () => {
        await gate.promise
        return utf8('slow')
      })
      b.rpc.handle('test/fast', async () => utf8('fast'))
      a.rpc.handle('test/fast', async () => utf8('back'))
      const slow = a.rpc.request(to, 'test/slow', body, { signal: never })
      expect(fromUtf8(await a.rpc.request(to, 'test/fast', body, { signal: never }))).toBe('fast')
      expect(fromUtf8(await b.rpc.request(a.rpc.self, 'test/fast', body, { signal: never }))).toBe('back')
      gate.resolve()
      expect(fromUtf8(await slow)).toBe('slow')
    })

    test('bodies up to the limit pass whole, larger ones are refused on the side that made them', async () => {
      const { a, b, to } = await two()
      b.rpc.handle('test/echo', async ({ body: asked }) => asked)
      b.rpc.handle('test/huge', async () => new Uint8Array(netLimits.bodyBytesMax + 1))
      const big = Uint8Array.from({ length: netLimits.bodyBytesMax }, (_, i) => (i * 7) % 251)
      expect(await a.rpc.request(to, 'test/echo', big, { signal: never })).toEqual(big)
      const tooBig = new Uint8Array(netLimits.bodyBytesMax + 1)
      expect(await failure(a.rpc, to, 'test/echo', tooBig)).toMatchObject({ code: 'TOO_LARGE' })
      expect(await failure(a.rpc, to, 'test/huge')).toMatchObject({ code: 'TOO_LARGE' })
      expect(await a.rpc.request(to, 'test/echo', body, { signal: never })).toEqual(body)
    })

    test('a refusal arrives with its code, a fault without its words', async () => {
      const { a, b, to } = await two()
      b.rpc.handle('test/refuse', () => Promise.reject(new Failure('NOT_HOSTED', 'not here')))
      b.rpc.handle('test/fault', () => Promise.reject(new TypeError('a secret in a message')))
      expect(await failure(a.rpc, to, 'test/refuse')).toMatchObject({
        code: 'NOT_HOSTED',
        message: 'not here',
      })
      const fault = await failure(a.rpc, to, 'test/fault')
      expect(fault.code).toBe('INTERNAL')
      expect(fault.message).not.toContain('secret')
    })

    test('unknown methods and families are UNSUPPORTED, malformed ones BAD_REQUEST, oneself is not asked', async () => {
      const { a, b, to } = await two()
      b.rpc.handle('test/echo', async ({ body: asked }) => asked)
      expect(await failure(a.rpc, to, 'test/other')).toMatchObject({ code: 'UNSUPPORTED' })
      expect(await failure(a.rpc, to, 'nowhere/at-all')).toMatchObject({ code: 'UNSUPPORTED' })
      expect(await failure(a.rpc, to, 'test/No Such')).toMatchObject({ code: 'BAD_REQUEST' })
      expect(await failure(a.rpc, a.rpc.self, 'test/echo')).toMatchObject({ code: 'BAD_REQUEST' })
    })

    test('past its deadline a call ends with TIMEOUT on both sides', async () => {
      const { a, b, to } = await two()
      const aborted = Promise.withResolvers<OnehopError>()
      b.rpc.handle('test/wait', ({ signal }) => untilAborted(signal, aborted.resolve))
      await warm(a, b)
      const error = await failure(a.rpc, to, 'test/wait', body, { timeoutMs: 100 })
      expect(error.code).toBe('TIMEOUT')
      expect(['TIMEOUT', 'ABORTED']).toContain((await aborted.promise).code)
    })

    test('a caller who aborts cancels the handler', async () => {
      const { a, b, to } = await two()
      const started = Promise.withResolvers<void>()
      const aborted = Promise.withResolvers<OnehopError>()
      b.rpc.handle('test/wait', ({ signal }) => {
        started.resolve()
        return untilAborted(signal, aborted.resolve)
      })
      const controller = new AbortController()
      const call = failure(a.rpc, to, 'test/wait', body, { signal: controller.signal })
      await started.promise
      controller.abort()
      expect((await call).code).toBe('ABORTED')
      expect((await aborted.promise).code).toBe('ABORTED')
      const late = failure(a.rpc, to, 'test/wait', body, { signal: controller.signal })
      expect((await late).code).toBe('ABORTED')
    })

    test('of 200 calls at once a bounded number is under way, and all are answered', async () => {
      const { a, b, to } = await two()
      let running = 0
      let most = 0
      const gate = Promise.withResolvers<void>()
      b.rpc.handle('test/work', async ({ body: asked }) => {
        most = Math.max(most, ++running)
        await gate.promise
        running--
        return asked
      })
      const calls = Array.from({ length: 200 }, (_, i) =>
        a.rpc.request(to, 'test/work', Uint8Array.of(i), { signal: never }),
      )
      await until(() => running === netLimits.requestsInFlightMax)
      gate.resolve()
      expect((await Promise.all(calls)).map((reply) => reply[0])).toEqual(calls.map((_, i) => i))
      expect(most).toBe(netLimits.requestsInFlightMax)
    })

    test('many big bodies wait for each other instead of for memory', async () => {
      const { a, b, to } = await two()
      b.rpc.handle('test/size', async ({ body: asked }) => utf8(String(asked.length)))
      const big = new Uint8Array(netLimits.bodyBytesMax)
      const replies = await Promise.all(
        Array.from({ length: 24 }, () => a.rpc.request(to, 'test/size', big, { signal: never })),
      )
      expect(new Set(replies.map(fromUtf8))).toEqual(new Set([String(big.length)]))
    })

    test('a peer beyond its budget hears BUSY and is served again later', async () => {
      const { a, b, to } = await two({ requestsPerS: 50, requestsBurst: 10 })
      b.rpc.handle('test/echo', async ({ body: asked }) => asked)
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, () =>
          a.rpc.request(to, 'test/echo', body, { signal: never }).then(
            () => 'ok',
            (error: OnehopError) => error.code,
          ),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'ok').length).toBeGreaterThanOrEqual(10)
      expect(outcomes).toContain('BUSY')
      expect(new Set(outcomes)).toEqual(new Set(['ok', 'BUSY']))
      await eventually(() => a.rpc.request(to, 'test/echo', body, { signal: never }))
    })

    test('a peer that goes fails its calls; when it is back, calls reach it again', async () => {
      const { a, b, to } = await two()
      const states: string[] = []
      a.rpc.onPeer((peer, state) => peer === to && states.push(state))
      const started = Promise.withResolvers<void>()
      b.rpc.handle('test/wait', ({ signal }) => {
        started.resolve()
        return untilAborted(signal, () => {})
      })
      const call = failure(a.rpc, to, 'test/wait')
      await started.promise
      await b[Symbol.asyncDispose]()
      expect((await call).code).toBe('UNREACHABLE')
      await until(() => states.includes('disconnected'))
      expect((await failure(a.rpc, to, 'test/wait', body, { timeoutMs: 3_000 })).code).toBe('UNREACHABLE')
      const again = await (world as RpcWorld).start(1)
      again.rpc.handle('test/echo', async ({ body: asked }) => asked)
      expect(again.rpc.self).toBe(to)
      await eventually(() => a.rpc.request(to, 'test/echo', body, { signal: never }))
      expect(states.at(-1)).toBe('connected')
    })

    test.each([
      ['bytes that are no frame', Uint8Array.of(9, 9, 9)],
      ['an answer to nothing asked', Uint8Array.of(2, 0, 0, 0, 1)],
      ['an empty frame', new Uint8Array(0)],
    ])('%s reset the stream and nothing else', async (_, frame) => {
      const { a, b, to } = await two()
      b.rpc.handle('test/echo', async ({ body: asked }) => asked)
      const stream = await a.openStream(to, '/onehop/test/1', never)
      await stream.send(frame)
      for await (const answer of stream.source) expect(answer).toBe(undefined)
      expect(stream.signal.aborted).toBe(true)
      expect(await a.rpc.request(to, 'test/echo', body, { signal: never })).toEqual(body)
    })

    test('raw streams carry frames both ways until one side closes', async () => {
      const { a, b, to } = await two()
      b.serveStream('/onehop/raw-test/1', async (stream) => {
        for await (const frame of stream.source)
          await stream.send(utf8(`${stream.remote} ${fromUtf8(frame)}`))
        await stream.send(utf8('never seen')).catch(() => {})
      })
      const stream = await a.openStream(to, '/onehop/raw-test/1', never)
      const answers = stream.source[Symbol.asyncIterator]()
      for (const word of ['one', 'two']) {
        await stream.send(utf8(word))
        const { value } = (await answers.next()) as IteratorYieldResult<Uint8Array>
        expect(fromUtf8(value)).toBe(`${a.rpc.self} ${word}`)
      }
      stream.close()
      expect((await answers.next()).done).toBe(true)
      await expect(stream.send(utf8('three'))).rejects.toMatchObject({ code: 'CLOSED' })
    })

    test('a closed node leaves no call waiting and takes no new one', async () => {
      const { a, b, to } = await two()
      const started = Promise.withResolvers<void>()
      const aborted = Promise.withResolvers<OnehopError>()
      b.rpc.handle('test/wait', ({ signal }) => {
        started.resolve()
        return untilAborted(signal, aborted.resolve)
      })
      const call = failure(a.rpc, to, 'test/wait')
      await started.promise
      await a[Symbol.asyncDispose]()
      expect((await call).code).toBe('CLOSED')
      expect((await aborted.promise).code).toBe('ABORTED')
      expect((await failure(a.rpc, to, 'test/wait')).code).toBe('CLOSED')
      await until(() => !b.rpc.connected().includes(a.rpc.self))
    })
  })
}

export async function failure(
  rpc: Rpc<Method>,
  to: NodeId,
  method: string,
  bytes = body,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<OnehopError> {
  try {
    await rpc.request(to, method as 'a/b', bytes, { signal: never, ...options })
  } catch (error) {
    return error as OnehopError
  }
  throw new Error(`${method} was answered`)
}

function untilAborted(signal: AbortSignal, tell: (reason: OnehopError) => void): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      tell(signal.reason as OnehopError)
      reject(signal.reason as OnehopError)
    })
  })
}

/** Dialling takes its time; a test of short deadlines starts with an open stream. */
async function warm(a: Network<Method>, b: Network<Method>): Promise<void> {
  b.rpc.handle('test/warm', async ({ body: asked }) => asked)
  await a.rpc.request(b.rpc.self, 'test/warm', body, { signal: never })
}

export async function eventually(call: () => Promise<unknown>): Promise<void> {
  let last: unknown
  const done = await until(async () => {
    try {
      await call()
      return true
    } catch (error) {
      last = error
      return false
    }
  }).catch(() => false)
  if (done === false) throw last
}
