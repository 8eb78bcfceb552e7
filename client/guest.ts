/** A copy near where the person is for some days: chosen by the distance that this device measures, and gone by itself when its time is over. */
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { equalBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Clock } from '../protocol/ports.ts'
import { addressUrl } from './address.ts'
import type { Identity } from './identity/identity.ts'
import { commitSet, proposeSet, type Placed } from './placement.ts'
import { probe, type Runner } from './race.ts'
import type { CallOptions, Transport } from './transport.ts'

const measureMs = 2_000

export interface GuestParts {
  /** To the home, by a session of an owner's device or the administrator. */
  readonly call: Transport['call']
  readonly identity: Identity
  readonly crypto: CryptoProvider
}

export interface GuestHost {
  readonly node: Uint8Array
  readonly addresses: readonly string[]
  readonly region: string
}

/** Those who would take a copy for a while, as the home hears of them. */
export async function guestHosts(
  { call, identity }: Pick<GuestParts, 'call' | 'identity'>,
  options: CallOptions = {},
): Promise<readonly GuestHost[]> {
  return (await call('placement.guests', { owner: identity.id }, options)).nodes
}

/** The nearest by `measure`, which answers milliseconds, or undefined for one that cannot be reached from here. */
export async function nearestHost(
  hosts: readonly GuestHost[],
  measure: (host: GuestHost) => Promise<number | undefined>,
): Promise<{ readonly host: GuestHost; readonly latencyMs: number } | undefined> {
  const measured = await Promise.all(
    hosts.map(async (host) => ({ host, latencyMs: await measure(host).catch(() => undefined) })),
  )
  const reached = measured.flatMap(({ host, latencyMs }) =>
    latencyMs === undefined ? [] : [{ host, latencyMs }],
  )
  return reached.toSorted((a, b) => a.latencyMs - b.latencyMs)[0]
}

/** Milliseconds from here to the node, by the first of its addresses that it answers at; undefined where it answers at none. */
export async function distanceTo(
  { node, addresses }: GuestHost,
  dial: (url: string) => Pick<Transport, 'call'>,
  clock: Clock,
  signal?: AbortSignal,
): Promise<number | undefined> {
  for (const url of addresses.flatMap((address) => addressUrl(address) ?? [])) {
    const transport = dial(url)
    const ask = (): Promise<Runner> => probe(transport, { url, node }, clock, measureMs, signal)
    try {
      await ask() // opens the connection
      return (await ask()).latencyMs
    } catch {
      signal?.throwIfAborted()
    }
  }
  return undefined
}

/** Throws NO_QUOTA where it does not take it; nothing is signed then. */
export async function beGuest(
  { call, identity, crypto }: GuestParts,
  node: Uint8Array,
  {
    days,
    owner,
    ...options
  }: CallOptions & { readonly days: number; readonly owner?: IdentityId | undefined },
): Promise<Placed> {
  const guest = { nodes: [node], forS: Math.round(days * 86_400) }
  const proposed = await proposeSet({ call }, identity, crypto, { ...options, owner, guest })
  if (!proposed.set.members.some((member) => equalBytes(member.node, node)))
    throw new OnehopError('NO_QUOTA', 'that node takes no guest now, or does not answer', {
      help: 'Ask another one: onehop neighbours --all shows who offers space.',
    })
  return commitSet({ call }, identity, crypto, proposed, options)
}
