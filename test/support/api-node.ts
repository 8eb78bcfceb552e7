import { createDispatch } from '../../daemon/api/dispatch.ts'
import { openHttpServer } from '../../daemon/api/http.ts'
import { LeaveChanges } from '../../daemon/api/leave.ts'
import { createNodeInfo } from '../../daemon/api/node-info.ts'
import type { Call, Operations } from '../../daemon/api/operations.ts'
import { type Admitted, createSessions } from '../../daemon/api/sessions.ts'
import { createSignedRequests } from '../../daemon/api/signed-requests.ts'
import { systemClock } from '../../daemon/clock.ts'
import { signSession } from '../../protocol/api/session.ts'
import type { EventOf, ReplyOf, RequestOf, UnaryName } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { createSeededRandom } from './seeded-random.ts'

const random = createSeededRandom(11)
export const testCrypto = portableCrypto(random.bytes)
const nodeKeys = deviceFromSeed(testCrypto, random.bytes(32))

export const owner = new Uint8Array(32).fill(1)
export const device = deviceFromSeed(testCrypto, random.bytes(32))
export const strangerDevice = deviceFromSeed(testCrypto, random.bytes(32))
export const adminToken = toHex(random.bytes(32))
export const replicaSet = Uint8Array.of(1, 2, 3)

/** Apps are in test/mesh/app-tokens.test.ts. */
export const noAppTokens = { find: () => undefined, admitsOrigin: () => false }

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** A node's API with operations that hold nothing: enough to see who gets through to them. */
export function createApiNode(more: Partial<Operations> = {}, clock: Clock = systemClock) {
  const revoked = new Set<string>()
  const who = {
    crypto: testCrypto,
    clock,
    node: nodeKeys.key,
    admit(identity: Uint8Array, key: Uint8Array): Admitted {
      if (toHex(identity) !== toHex(owner)) throw new OnehopError('UNKNOWN_IDENTITY', 'not hosted')
      if (toHex(key) !== toHex(device.key)) throw new OnehopError('FORBIDDEN', 'not a device of the owner')
      if (revoked.has(toHex(key))) throw new OnehopError('REVOKED', 'revoked')
      return 'resident'
    },
  }
  const sessions = createSessions({ ...who, random })
  const signedRequests = createSignedRequests(who)
  const leave = new LeaveChanges()
  const opened: Call[] = []
  const operations: Partial<Operations> = {
    ...sessions.operations,
    ...createNodeInfo({
      node: nodeKeys.key,
      version: '0.1.0',
      roles: () => ['host'],
      region: '/geo/africa',
      clock: systemClock,
      addresses: () => ['/ip4/127.0.0.1/tcp/1'],
    }),
    'schema.put': async () => ({ schema: new Uint8Array(32), app: 'demo' }),
    'view.get': async () => encode({ view: Uint8Array.of(9), requestsBetweenNodes: 0 }),
    'record.put': async ({ records }) => ({
      results: records.map(() => ({
        outcome: 'stored' as const,
        id: new Uint8Array(32),
        code: null,
        message: null,
      })),
      clockMs: 1,
    }),
    'record.list': async () => ({
      records: [],
      asOf: 5n,
      more: { clock: 2n ** 63n + 1n, id: new Uint8Array(32).fill(7) },
    }),
    'identity.get': async () => {
      throw new TypeError('a fault with a secret in it')
    },
    'replica-set.get': async ({ owner: asked }) => {
      if (toHex(asked) !== toHex(owner)) throw new OnehopError('NOT_FOUND', 'no replica set')
      return { replicaSet, source: 'local', heard: [], gone: [] }
    },
    'admin.config': async () => ({ settings: [] }),
    'live.open': async ({ from }, call) => {
      opened.push(call)
      const start = from?.position ?? 0
      return { reply: { position: positionAt(start) }, events: countUp(start, call.signal) }
    },
    ...more,
  }
  const dispatch = createDispatch(operations, silentLog, { viewCollections: async () => undefined })
  return {
    node: nodeKeys.key,
    dispatch,
    leave,
    sessions,
    signedRequests,
    /** Calls of live.open, for their signals. */
    opened,
    revoke(key: Uint8Array) {
      revoked.add(toHex(key))
      leave.tell(owner)
    },
    openHttp: (
      options: {
        pages?: string
        origins?: string[]
        hosts?: string[]
        requestTimeoutMs?: number
        clock?: Clock
      } = {},
    ) =>
      openHttpServer({
        host: '127.0.0.1',
        port: 0,
        rules: { hosts: options.hosts ?? [], origins: options.origins ?? [] },
        dispatch,
        leave,
        sessions,
        signedRequests,
        appTokens: noAppTokens,
        adminToken,
        pages: options.pages,
        clock: options.clock ?? systemClock,
        log: silentLog,
        ...(options.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: options.requestTimeoutMs }),
      }),
  }
}

export type ApiNode = ReturnType<typeof createApiNode>

function positionAt(position: number): EventOf<'live.open'>['position'] {
  return { source: nodeKeys.key, epoch: 1, position }
}

/** One event after the other until the call ends; between them the event loop goes round, as with a real source. */
async function* countUp(start: number, signal: AbortSignal): AsyncGenerator<EventOf<'live.open'>> {
  for (let position = start + 1; !signal.aborted; position++) {
    await new Promise((resolve) => setImmediate(resolve))
    yield { type: 'changed', position: positionAt(position), records: [] }
  }
}

export type Caller = <N extends UnaryName>(operation: N, request: RequestOf<N>) => Promise<ReplyOf<N>>

/** The token of a session that the device opens. */
export async function openSession(
  call: Caller,
  keys = device,
  identity: Uint8Array = owner,
): Promise<string> {
  const who = { owner: identity, device: keys.key }
  const { node, nonce, expiresMs } = await call('session.challenge', who)
  const signature = signSession(testCrypto, { node, nonce, ...who, expiresMs }, keys.seed)
  const { token } = await call('session.open', { ...who, nonce, expiresMs, signature })
  return toHex(token)
}
