/** What every implementation of Rpc bounds, as *Requests between nodes* lists it. Run beside the suite in rpc.ts. */
import { afterEach, describe, expect, test } from 'vitest'
import { decodeFrame, encodeFrame } from '../../daemon/net/frame.ts'
import type { FrameStream } from '../../daemon/net/frame-stream.ts'
import { netLimits } from '../../daemon/net/net-limits.ts'
import type { RpcBudgets } from '../../daemon/net/rpc-endpoint.ts'
import type { Network, NodeId } from '../../daemon/net/rpc.ts'
import { utf8 } from '../../protocol/bytes.ts'
import type { OnehopError } from '../../protocol/errors.ts'
import type { Method } from '../../protocol/methods.ts'
import { until } from '../support/until.ts'
import { eventually, failure, type RpcWorld } from './rpc.ts'

const never = new AbortController().signal
const body = utf8('hello')

/** A request as bytes: for peers that do not wait their turn as ours do. */
export function requestFrame(id: number, method: 'test/echo' | 'test/big' | 'test/wait'): Uint8Array {
  return encodeFrame({ kind: 'request', id, timeoutMs: 60_000, method, body })
}

export function rpcLimitsContract(name: string, createWorld: () => Promise<RpcWorld>): void {
  describe(`limits of rpc over ${name}`, () => {
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
      b.rpc.handle('test/echo', async ({ body: asked }) => asked)
      return { a, b, to: b.rpc.self }
    }
    const openRaw = (a: Network<Method>, to: NodeId): Promise<FrameStream> =>
      a.openStream(to, '/onehop/test/1', never)

    test('a peer beyond its bytes hears BUSY, and small requests pass in what is left', async () => {
      // So slow that nothing grows back during the test.
      const { a, to } = await two({ bytesPerS: 0.001, bytesBurst: 1_500_000 })
      const big = new Uint8Array(600_000)
      const outcomes = await Promise.all(
        Array.from({ length: 5 }, () =>
          a.rpc.request(to, 'test/echo', big, { signal: never }).then(
            () => 'ok',
            (error: OnehopError) => error.code,
          ),
        ),
      )
      expect(outcomes.toSorted()).toEqual(['BUSY', 'BUSY', 'BUSY', 'ok', 'ok'])
      expect(await a.rpc.request(to, 'test/echo', body, { signal: never })).toEqual(body)
    })

    test('handlers that do not heed their signals are bounded, cancelled ones too', async () => {
      const { a, b, to } = await two()
      const gate = Promise.withResolvers<void>()
      let running = 0
      b.rpc.handle('test/wait', async () => {
        running++
        await gate.promise
        return body
      })
      for (let wanted = netLimits.requestsInFlightMax; wanted <= netLimits.handlersMax; wanted *= 2) {
        const controller = new AbortController()
        const calls = Array.from({ length: netLimits.requestsInFlightMax }, () =>
          failure(a.rpc, to, 'test/wait', body, { signal: controller.signal }),
        )
        await until(() => running === wanted)
        controller.abort()
        expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(new Set(['ABORTED']))
      }
      expect(running).toBe(netLimits.handlersMax)
      expect(await failure(a.rpc, to, 'test/wait')).toMatchObject({ code: 'BUSY' })
      expect(await failure(a.rpc, to, 'test/echo')).toMatchObject({ code: 'BUSY' })
      expect(running).toBe(netLimits.handlersMax)
      gate.resolve()
      await eventually(() => a.rpc.request(to, 'test/echo', body, { signal: never }))
    })

    test('a peer that goes on after ten thousand refusals in a row loses its stream', async () => {
      const { a, b, to } = await two({ requestsPerS: 0.001, requestsBurst: 1 })
      const stream = await openRaw(a, to)
      const codes: string[] = []
      const reading = (async () => {
        for await (const bytes of stream.source) {
          const frame = decodeFrame(bytes)
          codes.push(frame.kind === 'error' ? frame.code : frame.kind)
        }
      })()
      for (let id = 1; id <= netLimits.refusalsMax + 1; id++) await stream.send(requestFrame(id, 'test/echo'))
      await until(() => codes.length === netLimits.refusalsMax + 1)
      expect(codes.filter((code) => code === 'BUSY').length).toBe(netLimits.refusalsMax)
      expect(codes.filter((code) => code === 'reply').length).toBe(1)
      expect(stream.signal.aborted).toBe(false)
      await stream.send(requestFrame(netLimits.refusalsMax + 2, 'test/echo'))
      await reading
      expect(stream.signal.aborted).toBe(true)
      expect(b.rpc.connected()).toContain(a.rpc.self)
    })

    test('a peer holds eight streams of a family open, and another when one has gone', async () => {
      const { a, to } = await two()
      const streams: FrameStream[] = []
      for (let i = 0; i < netLimits.streamsPerFamilyMax; i++) {
        const stream = await openRaw(a, to)
        await stream.send(requestFrame(1, 'test/echo'))
        const answer = (await stream.source[Symbol.asyncIterator]().next()) as IteratorYieldResult<Uint8Array>
        expect(decodeFrame(answer.value).kind).toBe('reply')
        streams.push(stream)
      }
      // Reset as it opens, or at once after: whichever the opener sees.
      const isServed = async (): Promise<boolean> => {
        const stream = await openRaw(a, to).catch(() => undefined)
        await stream?.send(requestFrame(1, 'test/echo')).catch(() => {})
        for await (const answer of stream?.source ?? []) return decodeFrame(answer).kind === 'reply'
        return false
      }
      expect(await isServed()).toBe(false)
      expect(streams.some(({ signal }) => signal.aborted)).toBe(false)
      streams[0]?.close()
      await until(isServed)
    })
  })
}
