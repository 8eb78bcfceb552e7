/** Reaching and being reached through relays: the places that this node has at those of `network.relays`. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { Connection, Libp2p, PeerId, Stream, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import { DialSchedule } from './dial-schedule.ts'
import type { Gater } from './gater.ts'
import { netLimits } from './net-limits.ts'
import { isRelayed, nodeIdOf, peerIdOf, throughRelay, transportOf } from './node-id.ts'
import type { MissingRelay, NodeId } from './rpc.ts'

const checkMs = 500
const reserveMs = 5_000

interface Reservation {
  readonly relay: PeerId
  readonly details: {
    /** Id of the connection over which it was asked for. */
    readonly connection: string
    /** That connection's far address, then what the relay says of itself, each with its /p2p part. */
    readonly reservation: { readonly addrs: readonly Uint8Array[] }
  }
}

/** The parts of libp2p's relay transport that are not in its types. */
interface RelayTransport extends Transport {
  onStop(stream: Stream, connection: Connection): Promise<void>
  readonly reservationStore: EventTarget & {
    /** Peers not to be asked again. */
    relayFilter: { has(peer: Uint8Array): boolean; add(peer: Uint8Array): void }
    hasReservation(relay: PeerId): boolean
    addRelay(relay: PeerId, kind: 'configured'): Promise<unknown>
  }
}

export class Relays {
  readonly #gater: Gater
  readonly #configured: ReadonlyMap<NodeId, readonly Multiaddr[]>
  readonly #published = new Map<NodeId, readonly Multiaddr[]>()
  readonly #missing = new Map<NodeId, MissingRelay>()
  #transport: RelayTransport | undefined

  /** By node: where the operator says it is. */
  constructor(gater: Gater, configured: ReadonlyMap<NodeId, readonly Multiaddr[]>) {
    this.#gater = gater
    this.#configured = configured
  }

  /** For libp2p's list of transports. Dials through any relay; is dialled through those that gave a place. */
  transport() {
    const create = circuitRelayTransport({
      maxInboundStopStreams: netLimits.relayedMax,
      reservationCompletionTimeout: reserveMs,
      // Who has to wait is forgotten when another has been asked, also when a place is renewed.
      reservationConcurrency: Number.POSITIVE_INFINITY,
    })
    return (components: Parameters<typeof create>[0]): Transport => {
      const transport = create(components) as RelayTransport
      const store = transport.reservationStore
      // It would never again ask a relay that once did not answer or did not relay yet; the schedule below does.
      store.relayFilter = { has: () => false, add() {} }
      // It would take any peer that calls for a relay, ask it for a place, and publish whatever addresses that peer makes up.
      const { onStop } = transport
      transport.onStop = async (stream, connection) => {
        if (store.hasReservation(connection.remotePeer)) await onStop(stream, connection)
        else stream.abort(new Error('no place was asked for at this relay'))
      }
      this.#transport = transport
      return transport
    }
  }

  /** Own addresses through relays: of each relay the first before the second of any. */
  addresses(): Multiaddr[] {
    const lists = [...this.#published.values()]
    const longest = Math.max(0, ...lists.map((list) => list.length))
    return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? []))
      .flat()
      .slice(0, netLimits.relayedAddressesMax)
  }

  /** Those of the config that gave no place, and why. */
  missing(): readonly MissingRelay[] {
    return [...this.#missing.values()]
  }

  /** Asks for places as long as it runs, whenever a relay is connected and has given none. */
  async run(options: {
    readonly libp2p: Pick<Libp2p, 'getConnections' | 'peerId'>
    readonly clock: Clock
    readonly random: Random
    readonly log: Log
    readonly signal: AbortSignal
    /** Called when addresses() is another. */
    readonly onChange: () => void
  }): Promise<void> {
    const { libp2p, clock, log, signal } = options
    const store = this.#transport?.reservationStore
    if (store === undefined || this.#configured.size === 0) return
    const onReserved = ({ detail }: CustomEvent<Reservation>): void => {
      const relay = nodeIdOf(detail.relay)
      if (relay === undefined) return
      const isOutbound = libp2p
        .getConnections(detail.relay)
        .some(({ id, direction }) => id === detail.details.connection && direction === 'outbound')
      // Where a relay that dialled us came from is no door of its.
      const said = detail.details.reservation.addrs.slice(isOutbound ? 0 : 1)
      this.#published.set(relay, this.#doors(relay, said))
      log.info('net.relay-reserved', { relay })
      options.onChange()
    }
    const onRemoved = ({ detail }: CustomEvent<Reservation>): void => {
      const relay = nodeIdOf(detail.relay)
      if (relay === undefined || !this.#published.delete(relay)) return
      log.warn('net.relay-lost', { relay })
      options.onChange()
    }
    const events: [string, (event: CustomEvent<Reservation>) => void][] = [
      ['relay:created-reservation', onReserved],
      ['relay:removed', onRemoved],
    ]
    for (const [name, listener] of events) store.addEventListener(name, listener as EventListener)

    const schedule = new DialSchedule({
      firstPauseMs: 1_000,
      longestPauseMs: 60_000,
      longestAlonePauseMs: 60_000,
      jitter: () => (options.random.bytes(1)[0] ?? 0) / 256,
    })
    schedule.want(this.#configured.keys())
    const isSettled = (relay: NodeId): boolean => {
      const peer = peerIdOf(relay)
      if (libp2p.peerId.equals(peer) || store.hasReservation(peer)) return true
      return libp2p.getConnections(peer).every(({ remoteAddr }) => isRelayed(remoteAddr))
    }
    const note = (relay: NodeId): void => {
      const peer = peerIdOf(relay)
      if (libp2p.peerId.equals(peer) || store.hasReservation(peer)) this.#missing.delete(relay)
      else if (!this.#missing.has(relay))
        this.#missing.set(relay, { relay, refusal: undefined, sinceMs: clock.monotonicMs() })
      // What it once answered is no reason any more.
      else if (libp2p.getConnections(peer).length === 0) this.#refused(relay, undefined)
    }
    while (!signal.aborted) {
      for (const relay of this.#configured.keys()) note(relay)
      const asked = schedule.due(clock.monotonicMs(), isSettled).map(async (relay) => {
        await store.addRelay(peerIdOf(relay), 'configured').catch((error: unknown) => {
          schedule.failed(relay, clock.monotonicMs(), false)
          this.#refused(relay, refusalOf(error))
          if (!signal.aborted) log.warn('net.relay-refused', { relay, error })
        })
      })
      await Promise.all(asked)
      await clock.sleep(checkMs, signal).catch(() => {})
    }
    for (const [name, listener] of events) store.removeEventListener(name, listener as EventListener)
  }

  #refused(relay: NodeId, refusal: string | undefined): void {
    const known = this.#missing.get(relay)
    if (known !== undefined) this.#missing.set(relay, { ...known, refusal })
  }

  /** Where others find the relay: the operator's word first, of the relay's own what we would dial ourselves. */
  #doors(relay: NodeId, said: readonly Uint8Array[]): readonly Multiaddr[] {
    const doors = new Map<string, Multiaddr>()
    for (const address of [...(this.#configured.get(relay) ?? []), ...said.map(readAddress)]) {
      const door = address === undefined ? undefined : transportOf(address)
      if (door !== undefined && !isRelayed(door) && this.#gater.permits(peerIdOf(relay), door))
        doors.set(door.toString(), throughRelay(relay, door))
    }
    // Names are dialled by those alone who have them in their config too.
    const isName = (address: Multiaddr): boolean => address.toString().startsWith('/dns')
    return [...doors.values()].sort((a, b) => Number(isName(a)) - Number(isName(b)))
  }
}

/** In words for whoever named the relay. */
function refusalOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  return name === 'UnsupportedProtocolError' ? 'it relays for nobody (network.relay there)' : message
}

function readAddress(bytes: Uint8Array): Multiaddr | undefined {
  try {
    return multiaddr(bytes)
  } catch {
    return undefined
  }
}
