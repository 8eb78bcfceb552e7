import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Clock, Log } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { decodeRecord } from '../protocol/record/wire.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { requireUrl } from './address.ts'
import { App, stranger } from './app.ts'
import type { AppParts } from './app-parts.ts'
import { catchUp } from './catch-up.ts'
import { systemClock } from './clock.ts'
import { Copies } from './copies.ts'
import { abortReason } from './deadline.ts'
import { FollowerSecrets } from './readers/follower-secrets.ts'
import { GroupSecrets } from './groups/group-secrets.ts'
import { Groups } from './groups/groups.ts'
import { httpTransport } from './http.ts'
import { idOf } from './id.ts'
import { Identities } from './identity/identities.ts'
import { openIdentity } from './identity/identity.ts'
import type { Identity } from './identity/identity.ts'
import { memoryKeyStore } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import { clientLimits } from './limits.ts'
import { isAtHome } from './home.ts'
import { Nearest } from './nearest.ts'
import { Outbox } from './outbox.ts'
import { OwnGroups, ownSchema } from './groups/own-groups.ts'
import type { Lacking } from './outbox.ts'
import { probe } from './race.ts'
import { defaultCrypto } from './random.ts'
import { Reader } from './reader.ts'
import { Readers } from './readers/readers.ts'
import { Sealing } from './sealing.ts'
import { Seats } from './seats.ts'
import { SeenTokens } from './seen-token.ts'
import { openSession } from './session.ts'
import type { Transport } from './transport.ts'
import type { OpenSocket } from './websocket.ts'
import { Writer } from './writer.ts'
import type { UnnumberedDraft } from './writer.ts'
import type { Write } from './item.ts'

export interface ConnectOptions<S extends Schema> {
  readonly schema: S
  /** Any node: `http://host:port`, or a multiaddr that ends in /http. Several make the first start surer. */
  readonly node?: string | readonly string[] | undefined
  /** In place of `node`: one connection, which the app closes with itself. */
  readonly transport?: Transport | undefined
  /** Whose nodes to stay near, and whose data to read where no owner is named; this identity's when not given. */
  readonly owner?: IdentityId | string | undefined
  /** Where keys and unsent records are kept; in memory when not given, which forgets them with the page. */
  readonly keys?: KeyStore | undefined
  /** What `keys` hold when not given; without any the app can only read. */
  readonly identity?: Identity | undefined
  readonly crypto?: CryptoProvider | undefined
  readonly clock?: Clock | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly openSocket?: OpenSocket | undefined
  readonly log?: Log | undefined
  /** Closes the app. */
  readonly signal?: AbortSignal | undefined
}

export { App } from './app.ts'

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Whose nodes are found for reading shards that the near node does not hold. */
const othersMax = 16

/**
 * An app's connection to the nearest node. Needs no network itself: a device that is offline writes into its outbox,
 * and reads fail with UNREACHABLE until a node answers. Rejects with BAD_REQUEST for what is no address of a node, and
 * with ABORTED when the signal aborts before it has connected.
 */
export async function connect<S extends Schema>(options: ConnectOptions<S>): Promise<App<S>> {
  const { schema, clock = systemClock, crypto = defaultCrypto(), log = silentLog } = options
  const given = typeof options.node === 'string' ? [options.node] : (options.node ?? [])
  const addresses = given.map(requireUrl)
  const isAborted = (): boolean => options.signal?.aborted === true
  if (isAborted()) throw abortReason(options.signal)
  const keys = options.keys ?? memoryKeyStore()
  const identity = options.identity ?? (await openIdentity({ keys, crypto }))
  const owner = options.owner === undefined ? identity?.id : idOf(options.owner, 32)
  if (options.transport === undefined && addresses.length === 0) {
    throw new OnehopError('BAD_REQUEST', 'connect needs a node or a transport', {
      help: "Give the address of any node: connect({ schema, node: 'http://HOST:PORT' }).",
    })
  }

  const speaking = (transport: Transport, node: Uint8Array | undefined): Transport =>
    identity === undefined
      ? transport
      : openSession(transport, { crypto, clock, owner: identity.id, device: identity.device, node })
  const dial = (url: string, node: Uint8Array | undefined): Transport => {
    const { fetch, openSocket } = options
    return speaking(httpTransport({ address: url, clock, fetch, openSocket }), node)
  }
  const about: AppParts['callAbout'] = (...call) => callAbout(...call)
  const identities = new Identities(crypto, () => transport, about)
  if (identity !== undefined) identities.learn(identity.state)
  const near = (of: IdentityId, bootstrap: readonly string[]): Nearest =>
    new Nearest({
      owner: of,
      bootstrap,
      dial,
      clock,
      crypto,
      keys,
      // Before a member is chosen, the log that proves who the members are comes from whoever was asked for the set.
      identities: (from) => identities.from(from),
    })

  const nearest = options.transport === undefined && owner !== undefined ? near(owner, addresses) : undefined
  const transport: Transport =
    options.transport === undefined
      ? (nearest ?? dial(addresses[0] as string, undefined))
      : speaking(options.transport, undefined)
  let measuredMs = 0
  let isOnline = true
  const offsetMs = (): number => nearest?.offsetMs ?? measuredMs
  try {
    if (nearest !== undefined) await nearest.start({ signal: options.signal })
    else
      measuredMs = (
        await probe(
          transport,
          { url: transport.address, node: undefined },
          clock,
          clientLimits.raceMs,
          options.signal,
        )
      ).offsetMs
  } catch (cause) {
    // Offline is a state, not a failure; anything else the first call would meet again.
    const error = isAborted() ? abortReason(options.signal) : asOnehopError(cause)
    if (isAborted() || !error.retryable) {
      await transport.close()
      throw error
    }
    isOnline = false
    log.info('offline', { code: error.code, message: error.message })
  }

  const groupSecrets = new GroupSecrets(crypto, identities, identity)
  const followerSecrets = new FollowerSecrets(identity, () => parts)
  const sealing = new Sealing(crypto, identity, groupSecrets, followerSecrets)
  const seen = new SeenTokens()
  const reader = new Reader({ schema, crypto, clock, identities, sealing, seen, offsetMs })
  const others = new Map<string, Nearest>()

  const callAbout: AppParts['callAbout'] = async (of, operation, request, callOptions = {}) => {
    const { signal, timeoutMs } = callOptions
    const bare = { signal, timeoutMs }
    const elsewhere = others.get(toHex(of))
    if (elsewhere !== undefined) return elsewhere.call(operation, request, bare)
    try {
      return await transport.call(operation, request, bare)
    } catch (cause) {
      const { code } = asOnehopError(cause)
      const isOther = owner === undefined || !equalBytes(of, owner)
      // What a home alone does was asked of this person's own.
      const isElsewhere = code === 'NOT_HOSTED' || (code === 'UNREACHABLE' && isAtHome(operation))
      if (!isElsewhere || !isOther || options.transport !== undefined) throw cause
      return found(of).call(operation, request, bare)
    }
  }
  const callHome: AppParts['callHome'] = async (operation, request, callOptions = {}) => {
    const self = identity?.id
    if (self === undefined || options.transport !== undefined)
      return transport.call(operation, request, callOptions)
    const nodes = nearest !== undefined && equalBytes(nearest.owner, self) ? nearest : found(self)
    return nodes.callHome(operation, request, callOptions)
  }
  /** The nodes of a shard that the near one does not hold. */
  const found = (of: IdentityId): Nearest => {
    const nodes = others.get(toHex(of)) ?? near(of, [transport.address, ...addresses])
    remember(others, toHex(of), nodes)
    return nodes
  }
  const isOwn = (of: IdentityId): boolean => identity !== undefined && equalBytes(of, identity.id)
  const at = (of: IdentityId): Pick<Transport, 'call' | 'address'> =>
    isOwn(of) ? transport : (others.get(toHex(of)) ?? transport)
  const supply = async (lacking: Lacking, of: IdentityId): Promise<void> => {
    if (lacking === 'NOT_HOSTED') {
      const nodes = isOwn(of) ? nearest : options.transport === undefined ? found(of) : undefined
      await nodes?.refresh()
    } else if (lacking === 'UNKNOWN_SCHEMA')
      for (const one of [schema, ownSchema]) await at(of).call('schema.put', { schema: one.bytes })
    else if (identity !== undefined)
      await at(of).call('identity.append', { identity: identity.id, log: identity.log() })
  }
  const send = (of: IdentityId, records: readonly Uint8Array[], signal: AbortSignal) =>
    at(of).call('record.put', { records }, { signal })
  const addressOf = (of?: IdentityId): string => (of === undefined ? transport : at(of)).address
  const headerOf = (record: Uint8Array) => decodeRecord(crypto, record).header
  const outbox =
    identity &&
    (await Outbox.open({ keys, clock, addressOf, send, headerOf, device: identity.device, log, supply }))
  const writer = identity && new Writer({ keys, crypto, clock, identity, offsetMs })
  const leaving = new AbortController()
  const caughtUp =
    identity === undefined || writer === undefined || !isOnline
      ? undefined
      : catchUp(transport, identity, writer, {
          timeoutMs: clientLimits.catchUpMs,
          signal: leaving.signal,
        }).catch((cause: unknown) => {
          log.info('not-caught-up', { code: asOnehopError(cause).code })
        })
  const isOwner = identity?.role === 'owner' && owner !== undefined && equalBytes(owner, identity.id)
  const seats =
    isOwner && nearest !== undefined
      ? new Seats({ call: (...call) => callHome(...call), identity, crypto, clock, keys, log })
      : undefined
  const copies = new Map<string, Copies>()
  const copiesOf = (of: IdentityId): Copies => {
    const name = toHex(of)
    const known = copies.get(name) ?? new Copies({ call: (...call) => at(of).call(...call) }, clock, of)
    copies.set(name, known)
    return known
  }

  const parts: AppParts = {
    schema,
    app: schema.id,
    crypto,
    clock,
    keys,
    transport,
    identities,
    sealing,
    reader,
    seen,
    owner(given) {
      const id = given === undefined ? owner : idOf(given, 32)
      if (id === undefined) throw new OnehopError('BAD_REQUEST', 'say whose: { owner }')
      return id
    },
    self() {
      if (identity === undefined) throw stranger()
      return identity.id
    },
    isSelf: (id) => identity !== undefined && equalBytes(identity.id, id),
    callAbout,
    callHome,
    async write(draft: UnnumberedDraft): Promise<Write> {
      const [write] = await parts.writeAll([draft])
      if (write === undefined) throw new OnehopError('INTERNAL', 'the writer wrote nothing')
      return write
    },
    async writeAll(drafts): Promise<readonly Write[]> {
      if (writer === undefined || outbox === undefined) throw stranger()
      await caughtUp
      outbox.checkRoom(drafts.length)
      const written = await writer.write(drafts)
      const accepted = outbox.add(written)
      seats?.keepFilled(leaving.signal)
      return written.map((one, i) =>
        toWrite(one, accepted[i] as Write['accepted'], copiesOf(one.record.header.owner), seen),
      )
    },
    followersBox: () => readers.current(),
    freshenGroup: (group) => groups.freshen(group),
  }
  const readers = new Readers(parts, {
    ...{ identity, keys, secrets: followerSecrets },
    nowMs: () => clock.nowMs() + offsetMs(),
  })

  const ofSelf = new Reader({ schema: ownSchema, crypto, clock, identities, sealing, seen, offsetMs })
  const ownParts: AppParts = { ...parts, schema: ownSchema, app: ownSchema.id, reader: ofSelf }
  const groups = new Groups(parts, identity, groupSecrets, new OwnGroups(ownParts, identity))

  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    options.signal?.removeEventListener('abort', onAbort)
    if (!isAborted()) await seats?.settled()
    leaving.abort(new OnehopError('CLOSED', 'this app was closed'))
    await Promise.all([outbox?.close(), caughtUp, ...[...copies.values()].map((one) => one.close())])
    await Promise.all([transport.close(), ...[...others.values()].map((other) => other.close())])
  }
  const closeOnce = (): Promise<void> => (closing ??= close())
  const onAbort = (): void => void closeOnce()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (isAborted()) {
    await closeOnce()
    throw abortReason(options.signal)
  }
  seats?.keepFilled(leaving.signal)
  return new App(schema, parts, { identity, owner, nearest, outbox, groups, readers, close: closeOnce })
}

function toWrite(
  { record, bytes }: Awaited<ReturnType<Writer['write']>>[number],
  accepted: Write['accepted'],
  copies: Copies,
  seen: SeenTokens,
): Write {
  const { header, id } = record
  const key = header.merge === 'append' && header.key.length === 0 ? id : header.key
  // From now on a node that lacks it is behind what this reader knows.
  accepted.then(
    () => seen.add(record),
    () => undefined,
  )
  let durable: Write['durable'] | undefined
  return {
    local: { id, owner: header.owner, key, number: header.number, clock: header.clock, bytes },
    accepted,
    get durable() {
      if (durable === undefined) {
        durable = accepted.then(() => copies.whenDurable(id))
        durable.catch(() => undefined)
      }
      return durable
    },
  }
}

function remember(others: Map<string, Nearest>, name: string, found: Nearest): void {
  others.set(name, found)
  if (others.size <= othersMax) return
  const [oldest] = others
  if (oldest === undefined) return
  others.delete(oldest[0])
  void oldest[1].close()
}
