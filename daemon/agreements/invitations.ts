import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { invitationLimits } from '../../protocol/placement/invitation.ts'
import type { Clock, Random } from '../../protocol/ports.ts'
import { decodeAs, struct, text, uint } from '../../protocol/shape.ts'
import type { Store, StoreBatch } from '../../storage/types.ts'

/** By the SHA-256 of the secret: what is on the disk opens nothing. */
const kind = 'invitation'
const shape = struct({
  inviterBytes: uint(),
  invitedBytes: uint(),
  untilMs: uint(),
  label: text(limits.nameBytesMax),
})

export interface Invited {
  readonly inviterBytes: number
  readonly invitedBytes: number
  /** Who it was meant for; else what whoever comes calls itself. */
  readonly label: string
}

interface Open extends Invited {
  readonly hash: Uint8Array
  /** By the monotonic clock. */
  readonly untilMs: number
}

export interface InvitationsParts {
  readonly store: Pick<Store, 'documents' | 'write'>
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly random: Random
}

/** Invitations that this node wrote and that nobody has taken up. */
export class Invitations {
  readonly #parts: InvitationsParts
  readonly #open = new Map<string, Open>()

  private constructor(parts: InvitationsParts) {
    this.#parts = parts
  }

  static async open(parts: InvitationsParts): Promise<Invitations> {
    const invitations = new Invitations(parts)
    const rows = await parts.store.documents.list(kind, { limit: invitationLimits.openMax })
    for (const { key: hash, bytes } of rows) {
      const { untilMs, ...invited } = decodeAs(shape, bytes, kind)
      // A clock that was set back meanwhile makes none last longer than a new one.
      const leftMs = Math.min(untilMs - parts.clock.nowMs(), invitationLimits.lifetimeSMax * 1000)
      invitations.#open.set(toHex(hash), {
        ...invited,
        hash,
        untilMs: parts.clock.monotonicMs() + leftMs,
      })
    }
    return invitations
  }

  get size(): number {
    this.#current()
    return this.#open.size
  }

  /** The secret that whoever is invited comes with. Throws NO_QUOTA. */
  async write(invited: Invited, lifetimeMs: number): Promise<Uint8Array> {
    const { store, clock, crypto, random } = this.#parts
    const lapsed = this.#current()
    if (this.#open.size >= invitationLimits.openMax)
      throw new OnehopError('NO_QUOTA', `${this.#open.size} invitations are open already`, {
        help: 'They run out by themselves; onehop invite --cancel takes all of them back.',
      })
    const secret = random.bytes(invitationLimits.secretBytes)
    const hash = crypto.sha256(secret)
    await store.write((batch) => {
      for (const old of lapsed) store.documents.deleteIn(batch, kind, old)
      const untilMs = Math.floor(clock.nowMs() + lifetimeMs)
      const { inviterBytes, invitedBytes, label } = invited
      store.documents.putIn(batch, kind, hash, encode([inviterBytes, invitedBytes, untilMs, label]))
    })
    this.#open.set(toHex(hash), { ...invited, hash, untilMs: clock.monotonicMs() + lifetimeMs })
    return secret
  }

  /** What was offered with this secret, by its hash. */
  get(hash: Uint8Array): Invited | undefined {
    this.#current()
    return this.#open.get(toHex(hash))
  }

  /** Within the batch that puts the pact in its place. */
  takeIn(batch: StoreBatch, hash: Uint8Array): void {
    this.#parts.store.documents.deleteIn(batch, kind, hash)
  }

  taken(hash: Uint8Array): void {
    this.#open.delete(toHex(hash))
  }

  /** How many were taken back. */
  async cancelAll(): Promise<number> {
    this.#current()
    const hashes = [...this.#open.values()].map(({ hash }) => hash)
    this.#open.clear()
    await this.#parts.store.write((batch) => {
      for (const hash of hashes) this.takeIn(batch, hash)
    })
    return hashes.length
  }

  /** Forgets those that ran out, and returns their hashes: they leave the disk with the next that is written. */
  #current(): Uint8Array[] {
    const nowMs = this.#parts.clock.monotonicMs()
    const lapsed = [...this.#open.values()].filter(({ untilMs }) => untilMs <= nowMs)
    for (const { hash } of lapsed) this.#open.delete(toHex(hash))
    return lapsed.map(({ hash }) => hash)
  }
}
