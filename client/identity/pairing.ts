import { equalBytes } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { provePossession } from '../../protocol/identity/make.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'
import {
  decodePairingMessage,
  encodePairingMessage,
  parsePairingLink,
  startPhonePairing,
  stepPhonePairing,
} from '../../protocol/pairing/index.ts'
import type {
  PairingRole,
  PhonePairing,
  PhonePairingAction,
  PhonePairingEvent,
  PhonePairingStep,
} from '../../protocol/pairing/index.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import { abortReason } from '../deadline.ts'
import type { FrameLink } from '../frame-link.ts'
import { deviceOf, joinIdentity, makeIdentity, openIdentity } from './identity.ts'
import type { Identity } from './identity.ts'
import type { KeyStore } from '../key-store.ts'
import { placeShard, publish } from '../placement.ts'
import { defaultCrypto } from '../random.ts'
import { apiProtocol, dialNode, pairingProtocol, streamTransport } from './secure-node.ts'
import type { DialNode, SecureNode } from './secure-node.ts'
import { openSession } from '../session.ts'
import type { Transport } from '../transport.ts'

export interface PairOptions {
  readonly keys: KeyStore
  readonly crypto?: CryptoProvider | undefined
  /** owner: this device has, or now makes, the identity, and admits the node. app: an owner's device admits this one. */
  readonly role?: PairingRole | undefined
  /** What the node shows its person; at most 64 bytes. */
  readonly label?: string | undefined
  readonly dial?: DialNode | undefined
  /** Published at the node once it hosts the identity. */
  readonly schemas?: readonly Schema[] | undefined
  /** Copies beside the node, see PlaceOptions. */
  readonly copies?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Paired {
  readonly identity: Identity
  /** The node's key, proven by the connection. */
  readonly node: Uint8Array
  readonly addresses: readonly string[]
  /** The API over the same connection, speaking for the identity. Hand it to `connect`, or close it. */
  readonly transport: Transport
  /** Who holds the shard; empty when it was not placed. */
  readonly members: readonly Uint8Array[]
  /** Why schema or placement did not work: pairing itself stands, `app.place()` tries again. */
  readonly problem: OnehopError | undefined
}

export interface PairingRun {
  /** Show these. The person types them at the node. */
  readonly digits: string
  /** The person says that the node took them. Nothing is admitted before: a swapped QR would say so by itself. */
  confirm(): void
  readonly done: Promise<Paired>
  cancel(): void
}

/** Resolves when there are digits to show. Rejects with PAIRING_BURNT, PAIRING_LOCKED, UNREACHABLE and others. */
export async function pair(link: string, options: PairOptions): Promise<PairingRun> {
  const { keys, crypto = defaultCrypto(), role = 'owner', label = '', dial = dialNode, signal } = options
  const offer = parsePairingLink(link)
  const device = await deviceOf({ keys, crypto })
  const secure = await dial({ node: offer.node, addresses: offer.addresses, signal })
  try {
    if (!equalBytes(secure.node, offer.node)) throw new OnehopError('FORBIDDEN', 'another node answered')
    const parties = {
      node: secure.node,
      transport: secure.local,
      device: device.key,
      box: device.boxKey,
      role,
      label,
    }
    const stream = await secure.openStream(pairingProtocol)
    const driver = new Driver(stream, device, { ...options, crypto })
    const onAbort = (): void => driver.fail(abortReason(signal))
    signal?.addEventListener('abort', onAbort, { once: true })
    const digits = await driver.start(startPhonePairing(crypto, offer.secret, parties, crypto.random(32)))
    const done = driver.identity
      .then((identity) => settle(secure, identity, offer.addresses, { ...options, crypto }))
      .catch(async (error: unknown) => {
        await secure.close()
        throw error
      })
      .finally(() => signal?.removeEventListener('abort', onAbort))
    // The caller may wait for the person's answer before it waits for the end.
    done.catch(() => undefined)
    return {
      digits,
      done,
      confirm: () => driver.take({ type: 'accepted' }),
      cancel: () => driver.fail(new OnehopError('ABORTED', 'pairing was cancelled')),
    }
  } catch (error) {
    await secure.close()
    throw error
  }
}

/** Carries the pure machine's messages and does what it asks. The machine decides. */
class Driver {
  readonly #stream: FrameLink
  readonly #device: DeviceSecrets
  readonly #ports: PairOptions & { readonly crypto: CryptoProvider }
  readonly #digits = Promise.withResolvers<string>()
  readonly #identity = Promise.withResolvers<Identity>()
  #pairing: PhonePairing | undefined
  #made: Identity | undefined
  /** Its log with the node admitted, which counts once the node took it. */
  #admitted: Uint8Array | undefined
  /** Actions run one after the other, in the order in which the machine asked for them. */
  #tail: Promise<void> = Promise.resolve()

  constructor(
    stream: FrameLink,
    device: DeviceSecrets,
    ports: PairOptions & { readonly crypto: CryptoProvider },
  ) {
    this.#stream = stream
    this.#device = device
    this.#ports = ports
    this.#digits.promise.catch(() => undefined)
    this.#identity.promise.catch(() => undefined)
  }

  get identity(): Promise<Identity> {
    return this.#identity.promise
  }

  start(step: PhonePairingStep): Promise<string> {
    this.#adopt(step)
    void this.#read()
    return this.#digits.promise
  }

  take(event: PhonePairingEvent): void {
    if (this.#pairing === undefined) return
    const { crypto } = this.#ports
    const prove = (identity: Uint8Array): Uint8Array => provePossession(crypto, identity, this.#device)
    this.#adopt(stepPhonePairing(this.#pairing, event, { crypto, prove }))
  }

  fail(error: OnehopError): void {
    this.#digits.reject(error)
    this.#identity.reject(error)
    this.#stream.close()
  }

  async #read(): Promise<void> {
    try {
      for await (const frame of this.#stream.source)
        this.take({ type: 'message', message: decodePairingMessage(frame) })
    } catch (cause) {
      this.fail(asOnehopError(cause))
      return
    }
    // What the last message asked for is still under way.
    await this.#tail
    this.take({ type: 'gone' })
  }

  #adopt({ pairing, actions }: PhonePairingStep): void {
    this.#pairing = pairing
    this.#tail = this.#tail.then(async () => {
      try {
        for (const action of actions) await this.#perform(action)
        await this.#tell(pairing)
      } catch (cause) {
        this.fail(asOnehopError(cause))
      }
    })
  }

  async #tell(pairing: PhonePairing): Promise<void> {
    if (pairing.state === 'code') this.#digits.resolve(pairing.digits)
    if (pairing.state === 'failed') this.fail(pairing.error)
    if (pairing.state !== 'paired') return
    const { log } = pairing
    if (this.#admitted !== undefined) await this.#made?.learn(this.#admitted)
    this.#identity.resolve(
      log === undefined ? (this.#made as Identity) : await joinIdentity(this.#ports, log),
    )
  }

  async #perform(action: PhonePairingAction): Promise<void> {
    switch (action.type) {
      case 'send':
        return this.#stream.send(encodePairingMessage(action.message))
      case 'close':
        return this.#stream.close()
      case 'identify': {
        this.#made = (await openIdentity(this.#ports)) ?? (await makeIdentity(this.#ports))
        if (this.#made.role !== 'owner')
          throw new OnehopError('FORBIDDEN', "only an owner's device pairs a node with its identity")
        return this.take({ type: 'identity', identity: this.#made.id })
      }
      case 'admit': {
        const identity = this.#made as Identity
        const { node, nodeBox, possession } = action
        // Never an owner, never a reader: stealing the box must not take the person.
        const log = await identity.withDevice({ key: node, boxKey: nodeBox, role: 'node', possession })
        this.#admitted = log
        return this.take({ type: 'log', log })
      }
    }
  }
}

/** What follows pairing: the node learns the app's schema, and the shard gets its holders. */
async function settle(
  secure: SecureNode,
  identity: Identity,
  addresses: readonly string[],
  options: PairOptions & { readonly crypto: CryptoProvider },
): Promise<Paired> {
  const { crypto, schemas = [], copies, signal } = options
  const link = await secure.openStream(apiProtocol)
  const inner = streamTransport(link)
  const bound = openSession(inner, {
    crypto,
    owner: identity.id,
    device: identity.device,
    node: secure.node,
  })
  const transport: Transport = {
    ...bound,
    async close() {
      await bound.close()
      await secure.close()
    },
    live: async () => transport,
  }
  const paired = { identity, node: secure.node, addresses, transport }
  try {
    await publish(transport, identity, schemas, { signal })
    const placed =
      identity.role === 'owner'
        ? await placeShard(transport, identity, crypto, { copies, signal })
        : undefined
    return { ...paired, members: placed?.members ?? [], problem: undefined }
  } catch (cause) {
    return { ...paired, members: [], problem: asOnehopError(cause) }
  }
}
