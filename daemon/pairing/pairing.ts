import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { decodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import {
  checkAppLog,
  checkOwnerLog,
  decodePairingMessage,
  encodePairingMessage,
  failedMessage,
  nodePairingStart,
  pairingLimits,
  pairingLink,
  stepNodePairing,
} from '../../protocol/pairing/index.ts'
import type { NodePairingAction, NodePairingEvent } from '../../protocol/pairing/index.ts'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import type { Operations } from '../api/operations.ts'
import type { FrameStream } from '../net/frame-stream.ts'
import type { Network } from '../net/rpc.ts'
import { qrSvg, qrTerminal } from './qr.ts'
import { pairingStatus } from './status.ts'
import { TypedCode } from './typed-code.ts'

export const pairingProtocol = '/onehop/pair/1'

export interface PairingPorts {
  readonly network: Pick<Network, 'serveStream'>
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** This node's Ed25519 and X25519 keys. */
  readonly node: Uint8Array
  readonly box: Uint8Array
  /** Signs possessionMessage(identity, node, box) with the node's seed. */
  readonly prove: (identity: Uint8Array) => Uint8Array
  /** Whether anybody lives at this node, or this one does: an app needs an owner's device that admits it. */
  readonly lives: (identity?: Uint8Array) => boolean
  /** The phone page's address, as a phone on this network opens it. */
  readonly page: () => string
  /** Where phones can dial this node: multiaddrs of WebSocket listeners first. */
  readonly addresses: () => readonly string[]
  /** Stores the log, which was verified, and hosts the identity from now on. */
  readonly host: (admitted: {
    readonly state: IdentityState
    readonly log: Uint8Array
    readonly label: string
    readonly quotaBytes: number | undefined
  }) => Promise<void>
  /** Keeps what a device of somebody who lives here calls itself. */
  readonly keepLabel: (identity: Uint8Array, device: Uint8Array, label: string) => Promise<void>
  /** Stores the log of an identity that is hosted already. Answers the log as it is then. */
  readonly append: (identity: Uint8Array, log: Uint8Array) => Promise<Uint8Array>
}

type PairingOperations = Pick<Operations, Extract<keyof Operations, `${'admin.' | ''}pair.${string}`>>

export interface Pairing {
  readonly operations: PairingOperations
  close(): void
}

/** Strangers' streams that have not said hello yet. */
const streamsMax = 16
const helloWaitMs = 10_000

/** Carries the pure machine's messages and does what it asks. The machine decides. */
export function createPairing(ports: PairingPorts): Pairing {
  const { crypto, clock, random, node, box, prove, lives } = ports
  const streams = new Map<number, FrameStream>()
  let pairing = nodePairingStart
  let link: string | null = null
  const typed = new TypedCode(ports)
  let quotaBytes: number | undefined
  let nextChannel = 1
  let stopTimer = (): void => {}

  /** Changes the state at once; what is left to do is for `perform`. */
  const step = (event: NodePairingEvent): readonly NodePairingAction[] => {
    const before = pairing.phase.state
    const next = stepNodePairing(pairing, event, {
      crypto,
      random,
      node,
      box,
      prove,
      hasPeople: lives(),
      nowMs: clock.monotonicMs(),
    })
    pairing = next.pairing
    if (pairing.phase.state !== 'waiting') typed.close()
    const { phase } = pairing
    if (phase.state !== before) {
      ports.log.info('pairing', {
        state: phase.state,
        ...(phase.state === 'burnt' ? { reason: phase.reason } : {}),
      })
    }
    stopTimer()
    if ('expiresAtMs' in phase) {
      stopTimer = clock.after(phase.expiresAtMs - clock.monotonicMs(), () => {
        void perform(step({ type: 'tick' }))
      })
    }
    return next.actions
  }

  /** Never rejects: a phone that went away is told nothing. */
  const perform = async (actions: readonly NodePairingAction[]): Promise<void> => {
    for (const action of actions) {
      const stream = streams.get(action.channel)
      if (action.type === 'send') await send(stream, encodePairingMessage(action.message))
      else if (action.type === 'close') stream?.close()
      else await admit(action)
    }
  }

  const send = async (stream: FrameStream | undefined, frame: Uint8Array): Promise<void> => {
    try {
      await stream?.send(frame)
    } catch (error) {
      ports.log.debug('pairing-unsent', { error })
    }
  }

  const admit = async ({ channel, parties, log }: NodePairingAction & { type: 'admit' }): Promise<void> => {
    try {
      const state = replay(crypto, decodeLog(crypto, log))
      checkOwnerLog(state, parties, box)
      await ports.host({ state, log, label: parties.label, quotaBytes })
      await ports.keepLabel(state.id, parties.device, parties.label)
      await perform(step({ type: 'admitted', identity: state.id, log: undefined }))
    } catch (error) {
      ports.log.warn('pairing-refused', { error })
      await send(streams.get(channel), encodePairingMessage(failedMessage(error)))
    }
  }

  const serve = async (stream: FrameStream): Promise<void> => {
    const transport = fromHex(stream.remote, 32)
    if (transport === undefined || streams.size >= streamsMax) {
      stream.close()
      return
    }
    const channel = nextChannel++
    streams.set(channel, stream)
    const stopWaiting = clock.after(helloWaitMs, () => stream.close())
    try {
      for await (const frame of stream.source) {
        try {
          const message = decodePairingMessage(frame)
          stopWaiting()
          await perform(step({ type: 'message', channel, transport, message }))
        } catch (error) {
          ports.log.debug('pairing-broken', { error })
          // Before the loop is left, which closes the stream.
          await send(stream, encodePairingMessage(failedMessage(error)))
          break
        }
      }
    } finally {
      stopWaiting()
      stream.close()
      streams.delete(channel)
      await perform(step({ type: 'gone', channel }))
    }
  }
  ports.network.serveStream(pairingProtocol, serve)

  const status = (): ReturnType<typeof pairingStatus> =>
    pairingStatus(pairing, { link, typedCode: typed.code }, clock.monotonicMs())

  /** The state as of now: a lifetime may have ended since the last event. */
  const refreshed = async (): Promise<{ pairing: ReturnType<typeof pairingStatus> }> => {
    await perform(step({ type: 'tick' }))
    return { pairing: status() }
  }

  return {
    operations: {
      ...typed.operations,
      async 'admin.pair.open'(request) {
        const lifetimeS = Math.max(1, request.lifetimeS ?? pairingLimits.lifetimeSDefault)
        const secret = random.bytes(pairingLimits.secretBytes)
        const offered = pairingLink(ports.page(), { node, secret, addresses: ports.addresses(), lifetimeS })
        const actions = step({ type: 'open', secret, lifetimeMs: lifetimeS * 1000 })
        link = offered
        typed.close()
        quotaBytes = request.quotaBytes
        // Where it cannot be had (a runtime without WebAssembly), the QR and the link are enough.
        await typed
          .offer(offered)
          .catch((error: unknown) => ports.log.warn('pairing-no-typed-code', { error }))
        await perform(actions)
        return { pairing: status() }
      },
      async 'admin.pair.show'({ qr }) {
        const now = await refreshed()
        const shown = now.pairing.link
        if (qr === undefined || shown === null) return { ...now, qr: null }
        return { ...now, qr: qr === 'svg' ? await qrSvg(shown) : await qrTerminal(shown) }
      },
      async 'admin.pair.code'({ code, identity }) {
        if (identity !== undefined && lives() && !lives(identity)) {
          throw new OnehopError('UNKNOWN_IDENTITY', `${toHex(identity)} does not live at this node`, {
            help: 'Name somebody who does: onehop status lists them.',
          })
        }
        await perform(step({ type: 'code', code, identity }))
        if (pairing.phase.state !== 'burnt') return { pairing: status() }
        const burnt = `the link was burnt: ${pairing.phase.reason}`
        throw new OnehopError(pairing.locked ? 'PAIRING_LOCKED' : 'PAIRING_BURNT', burnt)
      },
      async 'admin.pair.admit'({ log }) {
        const { phase } = pairing
        if (phase.state !== 'awaiting-admission') {
          throw new OnehopError('BAD_REQUEST', 'no app waits to be admitted')
        }
        const state = replay(crypto, decodeLog(crypto, log))
        if (!equalBytes(state.id, phase.identity)) {
          throw new OnehopError(
            'BAD_IDENTITY',
            'this is the log of another identity than the one that admits',
          )
        }
        checkAppLog(state, phase.parties)
        const whole = await ports.append(phase.identity, log)
        await ports.keepLabel(phase.identity, phase.parties.device, phase.parties.label)
        await perform(step({ type: 'admitted', identity: phase.identity, log: whole }))
        return { pairing: status() }
      },
      async 'admin.pair.cancel'() {
        await perform(step({ type: 'cancel' }))
        return { pairing: status() }
      },
      async 'admin.pair.unlock'() {
        await perform(step({ type: 'unlock' }))
        return { pairing: status() }
      },
    },
    close() {
      stopTimer()
      for (const stream of streams.values()) stream.close()
    },
  }
}
