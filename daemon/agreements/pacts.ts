import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Invitation } from '../../protocol/placement/invitation.ts'
import {
  decodePact,
  decodePactAnswer,
  decodePactAsk,
  encodePact,
  encodePactAnswer,
  encodePactAsk,
  isPactOf,
  packPact,
  signPact,
  verifyPact,
  type PactAsk,
  type SignedPact,
} from '../../protocol/placement/pact.ts'
import type { Clock } from '../../protocol/ports.ts'
import { array, bytes, decodeAs, nullable, struct, text, type Typed } from '../../protocol/shape.ts'
import type { Store, StoreBatch } from '../../storage/types.ts'
import type { NodeId, Routing, Rpc } from '../net/rpc.ts'
import type { Invitations } from './invitations.ts'

/** By the other's node key. */
export const pactKind = 'pact'
const shape = struct({
  packed: bytes(1, 512),
  label: text(limits.nameBytesMax),
  addresses: array(text(256), limits.addressesPerNodeMax),
  /** Of the invitation: whoever did not hear the answer comes with it again. */
  secretHash: nullable(bytes(32)),
})

export function readPactRow(bytes: Uint8Array): Typed<typeof shape> {
  return decodeAs(shape, bytes, pactKind, { bytesMax: 8_192 })
}

const pactsMax = 1_024
const joinTimeoutMs = 20_000

/** What this node and another agreed on, from this node's side. */
export interface Agreement {
  readonly node: NodeId
  readonly label: string
  /** Where it can be dialled, as its invitation said. */
  readonly addresses: readonly string[]
  /** What this node keeps for it at most, and the other way round. */
  readonly givesBytes: number
  readonly getsBytes: number
  readonly madeMs: number
}

interface Kept extends Agreement {
  readonly secretHash: Uint8Array | undefined
  readonly signed: SignedPact
}

export interface PactsParts {
  readonly rpc: Rpc
  readonly routing: Routing
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly store: Pick<Store, 'documents' | 'write'>
  readonly seed: Uint8Array
  /** What this node calls itself. */
  readonly name: string
  readonly invitations: Invitations
}

/** Neighbours who know each other: what each keeps for the other, signed by both. */
export class Pacts {
  readonly #parts: PactsParts
  readonly #kept = new Map<NodeId, Kept>()
  readonly #listeners = new Set<(agreement: Agreement) => void>()

  private constructor(parts: PactsParts) {
    this.#parts = parts
    parts.rpc.handle('shard/pact', async ({ from, body }) =>
      encodePactAnswer(await this.#answer(from, decodePactAsk(body))),
    )
  }

  static async open(parts: PactsParts): Promise<Pacts> {
    const pacts = new Pacts(parts)
    for (const { bytes: stored } of await parts.store.documents.list(pactKind, { limit: pactsMax })) {
      const { packed, ...rest } = readPactRow(stored)
      const signed = verifyPact(parts.crypto, packed)
      if (signed !== undefined) pacts.#set(signed, rest)
    }
    return pacts
  }

  get(node: NodeId): Agreement | undefined {
    return this.#kept.get(node)
  }

  list(): readonly Agreement[] {
    return [...this.#kept.values()]
  }

  /** Calls back with each that comes into being; returns the way to stop. */
  onMade(listener: (agreement: Agreement) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes up an invitation of another node. It may be done again: whoever got no answer asks once more. */
  async join(invitation: Invitation, label: string, signal: AbortSignal): Promise<Agreement> {
    const { rpc, routing, crypto, clock, seed, name } = this.#parts
    const inviter = toHex(invitation.node)
    if (inviter === rpc.self)
      throw new OnehopError('BAD_REQUEST', 'this node wrote the invitation itself', {
        help: 'Send it to a friend who has a node too.',
      })
    this.#requireRoomFor(inviter)
    const document = encodePact({
      inviter: invitation.node,
      invited: fromHex(rpc.self, 32) as Uint8Array,
      inviterBytes: invitation.inviterBytes,
      invitedBytes: invitation.invitedBytes,
      madeMs: Math.floor(clock.nowMs()),
    })
    const signature = signPact(crypto, document, seed)
    await routing.learn({ node: inviter, addresses: invitation.addresses })
    const body = encodePactAsk({ secret: invitation.secret, label: name, document, signature })
    const options = { signal, timeoutMs: joinTimeoutMs }
    const answer = await rpc.request(inviter, 'shard/pact', body, options).catch((error: unknown) => {
      signal.throwIfAborted()
      throw inWords(asOnehopError(error))
    })
    const theirs = decodePactAnswer(answer)
    const signed = verifyPact(crypto, packPact(document, theirs, signature))
    if (signed === undefined)
      throw new OnehopError('BAD_SIGNATURE', 'the inviter did not sign what its invitation says')
    const { addresses } = invitation
    const called = label || invitation.name || this.#kept.get(inviter)?.label || ''
    return this.#keep(signed, { label: called, addresses, secretHash: undefined })
  }

  /** Keeps what was promised until it runs out, and promises nothing more. False where there was no pact. */
  async end(node: NodeId): Promise<boolean> {
    const { store } = this.#parts
    await store.documents.delete(pactKind, fromHex(node, 32) as Uint8Array)
    return this.#kept.delete(node)
  }

  async #answer(from: NodeId, { secret, label, document, signature }: PactAsk): Promise<Uint8Array> {
    const { crypto, invitations, rpc, seed } = this.#parts
    const hash = crypto.sha256(secret)
    const pact = decodePact(document)
    const before = this.#kept.get(from)
    const isAgain = before?.secretHash !== undefined && equalBytes(before.secretHash, hash)
    const invited = invitations.get(hash)
    const isMeant =
      toHex(pact.inviter) === rpc.self &&
      toHex(pact.invited) === from &&
      isPactOf(crypto, document, signature, pact.invited) &&
      (isAgain
        ? pact.inviterBytes === before.givesBytes && pact.invitedBytes === before.getsBytes
        : pact.inviterBytes === invited?.inviterBytes && pact.invitedBytes === invited.invitedBytes)
    if (!isMeant) throw notOpen()
    this.#requireRoomFor(from)
    const own = signPact(crypto, document, seed)
    const signed = verifyPact(crypto, packPact(document, own, signature)) as SignedPact
    // At once: another who comes with it while this is written finds it taken. What a failing disk kept of it is still open after a restart.
    invitations.taken(hash)
    await this.#keep(signed, {
      label: isAgain ? before.label : invited?.label || label || before?.label || '',
      addresses: [],
      secretHash: hash,
    })
    return own
  }

  /** Throws NO_QUOTA. */
  #requireRoomFor(node: NodeId): void {
    if (!this.#kept.has(node) && this.#kept.size >= pactsMax)
      throw new OnehopError('NO_QUOTA', `this node has pacts with ${pactsMax} others and makes no more`, {
        help: 'onehop neighbours end NODE ends one.',
      })
  }

  async #keep(
    signed: SignedPact,
    kept: Pick<Kept, 'label' | 'addresses' | 'secretHash'>,
  ): Promise<Agreement> {
    const { store, invitations } = this.#parts
    const { label, addresses, secretHash } = kept
    await store.write((batch: StoreBatch) => {
      const row = encode([signed.packed, label, addresses, secretHash ?? null])
      store.documents.putIn(batch, pactKind, this.#otherOf(signed), row)
      if (secretHash !== undefined) invitations.takeIn(batch, secretHash)
    })
    const agreement = this.#set(signed, kept)
    for (const listener of this.#listeners) listener(agreement)
    return agreement
  }

  #set(signed: SignedPact, kept: Pick<Kept, 'label' | 'addresses' | 'secretHash'>): Kept {
    const isInviter = toHex(signed.inviter) === this.#parts.rpc.self
    const agreement: Kept = {
      ...kept,
      signed,
      node: toHex(this.#otherOf(signed)),
      givesBytes: isInviter ? signed.inviterBytes : signed.invitedBytes,
      getsBytes: isInviter ? signed.invitedBytes : signed.inviterBytes,
      madeMs: signed.madeMs,
    }
    this.#kept.set(agreement.node, agreement)
    return agreement
  }

  #otherOf({ inviter, invited }: SignedPact): Uint8Array {
    return toHex(inviter) === this.#parts.rpc.self ? invited : inviter
  }
}

function notOpen(): OnehopError {
  return new OnehopError('FORBIDDEN', 'this invitation is not open', {
    help: 'It ran out, was taken back, or somebody else came with it: ask for another (onehop invite).',
  })
}

/** What the other node refuses comes without its way out; and an address that nobody answers at is no fault of the asker's. */
function inWords(error: OnehopError): OnehopError {
  if (error.code === 'FORBIDDEN') return notOpen()
  if (error.code !== 'TIMEOUT' && error.code !== 'UNREACHABLE') return error
  return new OnehopError('UNREACHABLE', 'the node that wrote the invitation does not answer', {
    cause: error,
    help: 'See that it is on, and reachable from here (network.announce or network.relays there), then take it up again: it is good still.',
  })
}
