import type {
  EventOf,
  ReplyOf,
  RequestOf,
  SubscriptionName,
  UnaryName,
} from '../../protocol/api/operations.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { CallOptions, LiveReply, Transport } from '../../client/transport.ts'

export type Handlers = {
  readonly [N in UnaryName]?: (request: RequestOf<N>) => Promise<ReplyOf<N>> | ReplyOf<N>
}

export interface FakeNode {
  readonly transport: Transport
  readonly calls: string[]
  delayMs: number
  /** up: answers; gone: refuses at once; silent: never answers; filling: has not all of the records yet. */
  state: 'up' | 'gone' | 'silent' | 'filling'
}

/** A node that is a few functions, as far away as one likes. */
export function createFakeNode(address: string, clock: Clock, delayMs: number, handlers: Handlers): FakeNode {
  const calls: string[] = []
  const wait = (ms: number, options: CallOptions): Promise<void> => {
    const { signal, timeoutMs = 20_000 } = options
    if (ms <= timeoutMs) return clock.sleep(ms, signal)
    return clock.sleep(timeoutMs, signal).then(() => {
      throw new OnehopError('TIMEOUT', 'silent')
    })
  }
  const node: FakeNode = {
    calls,
    delayMs,
    state: 'up',
    transport: {
      address,
      binds: false,
      async call<N extends UnaryName>(operation: N, request: RequestOf<N>, options: CallOptions = {}) {
        calls.push(operation)
        if (node.state === 'gone') throw new OnehopError('UNREACHABLE', 'gone')
        await wait(node.state === 'silent' ? Number.MAX_SAFE_INTEGER : node.delayMs, options)
        if (node.state === 'filling' && operation.startsWith('record.'))
          throw new OnehopError('LAGGING', 'on its way')
        const handler = handlers[operation] as ((of: RequestOf<N>) => ReplyOf<N>) | undefined
        if (handler === undefined) throw new OnehopError('NOT_FOUND', operation)
        return handler(request)
      },
      open<N extends SubscriptionName>(): Promise<
        LiveReply<N> & { readonly events: AsyncIterable<EventOf<N>> }
      > {
        return Promise.reject(new OnehopError('UNSUPPORTED', 'no live queries here'))
      },
      live: async () => node.transport,
      close: async () => {},
    },
  }
  return node
}
