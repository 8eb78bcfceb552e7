import type { ReplyOf, RequestOf, UnaryName } from '../protocol/api/operations.ts'
import { OnehopError } from '../protocol/errors.ts'
import { fromHex } from '../protocol/bytes.ts'
import { addressUrl } from './address.ts'
import { httpTransport } from './http.ts'
import type { HttpTransportOptions } from './http.ts'
import { idOf } from './id.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface AdminOptions extends HttpTransportOptions {
  /** 64 hex digits, from the node's token file. Good on the node's own machine only. */
  readonly token: string
}

type AdminName = Extract<UnaryName, `admin.${string}`>
type Host = RequestOf<'admin.host.add'>['hosts'][number]
type Id = Uint8Array | string

/** The administration of a node, for the command line and the dashboard. */
export interface Admin {
  readonly transport: Transport
  call<N extends UnaryName>(operation: N, request: RequestOf<N>, options?: CallOptions): Promise<ReplyOf<N>>
  status(request?: RequestOf<'admin.status'>): Promise<ReplyOf<'admin.status'>>
  config(): Promise<ReplyOf<'admin.config'>>
  devices(identity: Id): Promise<ReplyOf<'admin.devices'>['devices']>
  hostAdd(hosts: readonly Host[]): Promise<ReplyOf<'admin.host.add'>['results']>
  hostRemove(identities: readonly Id[]): Promise<number>
  hostQuota(identity: Id, quotaBytes: number): Promise<number>
  denySet(nodes: readonly Id[]): Promise<void>
  provide(owners: readonly Id[]): Promise<number>
  prove(identity: Id): Promise<ReplyOf<'admin.prove'>>
  stop(): Promise<void>
  readonly pair: {
    open(request?: RequestOf<'admin.pair.open'>): Promise<ReplyOf<'admin.pair.open'>['pairing']>
    show(qr?: 'terminal' | 'svg'): Promise<ReplyOf<'admin.pair.show'>>
    code(code: string, identity?: Id): Promise<ReplyOf<'admin.pair.code'>['pairing']>
    admit(log: Uint8Array): Promise<ReplyOf<'admin.pair.admit'>['pairing']>
    cancel(): Promise<ReplyOf<'admin.pair.cancel'>['pairing']>
    unlock(): Promise<ReplyOf<'admin.pair.unlock'>['pairing']>
  }
  close(): Promise<void>
}

export function connectAdmin(options: AdminOptions): Admin {
  const token = fromHex(options.token.trim(), 32)
  if (token === undefined) {
    throw new OnehopError('UNAUTHENTICATED', 'the admin token is 64 hex digits', {
      help: "Read it from the node's state folder; onehop paths names it.",
    })
  }
  const address = addressUrl(options.address)
  if (address === undefined)
    throw new OnehopError('BAD_REQUEST', `${options.address} is no address of a node`)
  const transport = httpTransport({ ...options, address })
  const call: Admin['call'] = (operation, request, callOptions = {}) =>
    transport.call(operation, request, { ...callOptions, token })
  const ids = (given: readonly Id[]): Uint8Array[] => given.map((id) => idOf(id, 32))
  const pairing = async <N extends Extract<AdminName, `admin.pair.${string}`>>(
    operation: N,
    request: RequestOf<N>,
  ): Promise<ReplyOf<'admin.pair.open'>['pairing']> => (await call(operation, request)).pairing
  return {
    transport,
    call,
    status: (request = {}) => call('admin.status', request),
    config: () => call('admin.config', {}),
    devices: async (identity) => (await call('admin.devices', { identity: idOf(identity, 32) })).devices,
    hostAdd: async (hosts) => (await call('admin.host.add', { hosts })).results,
    hostRemove: async (given) => (await call('admin.host.remove', { identities: ids(given) })).removed,
    hostQuota: async (identity, quotaBytes) =>
      (await call('admin.host.quota', { identity: idOf(identity, 32), quotaBytes })).usedBytes,
    async denySet(nodes) {
      await call('admin.deny.set', { nodes: ids(nodes) })
    },
    provide: async (owners) => (await call('admin.provide', { owners: ids(owners) })).queued,
    prove: (identity) => call('admin.prove', { identity: idOf(identity, 32) }),
    async stop() {
      await call('admin.stop', {})
    },
    pair: {
      open: (request = {}) => pairing('admin.pair.open', request),
      show: (qr) => call('admin.pair.show', qr === undefined ? {} : { qr }),
      code: (code, identity) =>
        pairing('admin.pair.code', {
          code,
          ...(identity === undefined ? {} : { identity: idOf(identity, 32) }),
        }),
      admit: (log) => pairing('admin.pair.admit', { log }),
      cancel: () => pairing('admin.pair.cancel', {}),
      unlock: () => pairing('admin.pair.unlock', {}),
    },
    close: () => transport.close(),
  }
}
