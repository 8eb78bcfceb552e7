import { describe, expect, test } from 'vitest'
import { apiLimits } from '../../protocol/api/limits.ts'
import { isSubscription, operations } from '../../protocol/api/operations.ts'
import type { OperationName } from '../../protocol/api/operations.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { createApiNode, device, openSession, owner, strangerDevice } from '../support/api-node.ts'
import type { ApiNode, Caller } from '../support/api-node.ts'

export interface ServedApi extends AsyncDisposable {
  /** As a stranger, or with a token from the start where the transport can carry one. */
  connect(token?: string): Promise<Caller>
  /** What a further request with this session's token is made by: bound connections keep theirs. */
  withSession(call: Caller, token: string): Promise<Caller>
}

type Loose = (operation: OperationName, request: unknown) => Promise<unknown>

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
    return 'none'
  } catch (error) {
    return asOnehopError(error).code
  }
}

const unaryOperations = (Object.keys(operations) as OperationName[]).filter((name) => !isSubscription(name))

/** What every transport of the API owes its callers. */
export function apiContract(transport: string, serve: (node: ApiNode) => Promise<ServedApi>): void {
  describe(`the API over ${transport}`, () => {
    test('answers with the declared shape, u64 and bytes included', async () => {
      const node = createApiNode()
      await using served = await serve(node)
      const call = await served.connect()
      expect(await call('node.info', {})).toMatchObject({ node: node.node, region: '/geo/africa' })
      const list = await call('record.list', { owner, app: 'demo', collection: 'post' })
      expect(list.more).toEqual({ clock: 2n ** 63n + 1n, id: new Uint8Array(32).fill(7) })
    })

    test('passes a prepared answer on as it is', async () => {
      await using served = await serve(createApiNode())
      const call = await served.connect()
      const answer = await call('view.get', { owner, app: 'demo', view: 'home' })
      expect(answer).toEqual({ view: Uint8Array.of(9), requestsBetweenNodes: 0 })
    })

    test.each(unaryOperations)('%s lets a stranger in only where it says so', async (operation) => {
      await using served = await serve(createApiNode())
      const call = (await served.connect()) as Loose
      const code = await codeOf(call(operation, { nonsense: 1 }))
      const open = operations[operation].rule === 'anyone' || operations[operation].rule === 'signed'
      // A stranger who gets through is told what is wrong with the request, others are not told even that.
      expect(code).toBe(open ? expectedFor(operation) : 'UNAUTHENTICATED')
    })

    test.each(unaryOperations)('%s lets a session in only where it says so', async (operation) => {
      await using served = await serve(createApiNode())
      const stranger = await served.connect()
      const call = (await served.withSession(stranger, await openSession(stranger))) as Loose
      const code = await codeOf(call(operation, { nonsense: 1 }))
      expect(code).toBe(operations[operation].rule === 'admin' ? 'FORBIDDEN' : expectedFor(operation))
    })

    test('a session opens with a challenge that the device signed, once', async () => {
      await using served = await serve(createApiNode())
      const call = await served.connect()
      const replayed: Parameters<Caller>[1][] = []
      const spying: Caller = (operation, request) => {
        if (operation === 'session.open') replayed.push(request)
        return call(operation, request)
      }
      const bound = await served.withSession(call, await openSession(spying))
      expect(await bound('schema.put', { schema: Uint8Array.of(1) })).toMatchObject({ app: 'demo' })
      const again = (await served.connect()) as Loose
      expect(await codeOf(again('session.open', replayed[0]))).toBe('UNAUTHENTICATED')
    })

    test('nobody opens a session with a key that the identity does not admit, or for another nonce', async () => {
      await using served = await serve(createApiNode())
      const call = await served.connect()
      expect(await codeOf(openSession(call, strangerDevice))).toBe('FORBIDDEN')
      const tampering: Caller = (operation, request) =>
        call(operation, operation === 'session.open' ? { ...request, nonce: new Uint8Array(32) } : request)
      expect(await codeOf(openSession(tampering))).toBe('UNAUTHENTICATED')
      const misSigned: Caller = (operation, request) =>
        call(
          operation,
          operation === 'session.open' ? { ...request, signature: new Uint8Array(64) } : request,
        )
      expect(await codeOf(openSession(misSigned))).toBe('BAD_SIGNATURE')
    })

    test('revoking the device ends its sessions at once', async () => {
      const node = createApiNode()
      await using served = await serve(node)
      const call = await served.connect()
      const bound = await served.withSession(call, await openSession(call))
      expect(await codeOf(bound('schema.put', { schema: Uint8Array.of(1) }))).toBe('none')
      node.revoke(device.key)
      expect(await codeOf(bound('schema.put', { schema: Uint8Array.of(1) }))).toBe('REVOKED')
    })

    test('closing a session ends it', async () => {
      await using served = await serve(createApiNode())
      const call = await served.connect()
      const bound = await served.withSession(call, await openSession(call))
      await bound('session.close', {})
      expect(await codeOf(bound('schema.put', { schema: Uint8Array.of(1) }))).toBe('UNAUTHENTICATED')
    })

    test('a request of the wrong shape is refused with the path that is wrong', async () => {
      await using served = await serve(createApiNode())
      const call = (await served.connect()) as Loose
      const attempt = call('record.put', { records: [Uint8Array.of(1), 'text'] })
      await expect(attempt).rejects.toMatchObject({
        code: 'BAD_REQUEST',
        message: expect.stringContaining('records[1]'),
      })
      const many = Array(apiLimits.recordsPerPutMax + 1).fill(Uint8Array.of(1))
      expect(await codeOf(call('record.put', { records: many }))).toBe('BAD_REQUEST')
    })

    test('a fault is told without what it holds', async () => {
      const node = createApiNode()
      await using served = await serve(node)
      const call = await served.connect()
      const attempt = call('identity.get', { identity: owner })
      await expect(attempt).rejects.toMatchObject({ code: 'INTERNAL', message: 'the node met a fault' })
      expect(node.dispatch.counters()['api.INTERNAL']).toBe(1)
    })

    test('an unknown operation, and one that this node does not do', async () => {
      await using served = await serve(createApiNode())
      const call = (await served.connect()) as Loose
      expect(await codeOf(call('record.erase' as OperationName, {}))).toBe('NOT_FOUND')
      expect(await codeOf(call('search.query', { query: Uint8Array.of(1) }))).toBe('UNSUPPORTED')
    })
  })
}

/** The answer to `{nonsense: 1}` from whoever got through: the stub does some operations and refuses the shape. */
function expectedFor(operation: OperationName): string {
  const done = [
    'node.info',
    'schema.put',
    'view.get',
    'record.put',
    'record.list',
    'identity.get',
    'replica-set.get',
    'session.challenge',
    'session.open',
    'session.close',
  ]
  return done.includes(operation) ? 'BAD_REQUEST' : 'UNSUPPORTED'
}
