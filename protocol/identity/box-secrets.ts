import { equalBytes, toHex } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { IdentityId } from '../record/types.ts'
import { openOlder, openWrap, type BoxSecret } from './box.ts'
import type { BoxState, DeviceSecrets, IdentityState } from './types.ts'

/** Who reads, and by which secret they open what was wrapped to them. */
interface BoxReader {
  readonly recipient: Uint8Array
  readonly secretFor: (recipientBox: Uint8Array | undefined) => Uint8Array | undefined
}

/** What one reader opens of an identity's box secrets: those wrapped to them, and along the links all before those. */
export class BoxSecrets {
  readonly #crypto: CryptoProvider
  readonly #state: Pick<IdentityState, 'boxes' | 'lostBoxes'>
  readonly #reader: BoxReader
  #newest: { readonly secret: BoxSecret | undefined } | undefined
  #all: ReadonlyMap<string, BoxSecret> | undefined

  constructor(crypto: CryptoProvider, state: Pick<IdentityState, 'boxes' | 'lostBoxes'>, reader: BoxReader) {
    this.#crypto = crypto
    this.#state = state
    this.#reader = reader
  }

  /** The newest that holds and was wrapped to this reader; undefined when none was. */
  newest(): BoxSecret | undefined {
    this.#newest ??= { secret: this.#first(this.#state.boxes.toReversed()) }
    return this.#newest.secret
  }

  /** The identity's newest; undefined where a newer epoch leaves this reader out. */
  current(): BoxSecret | undefined {
    const [newest, last] = [this.newest(), this.#state.boxes.at(-1)]
    return newest !== undefined && last !== undefined && isOf(last, newest) ? newest : undefined
  }

  /** The one that holds first, then those that lost. */
  ofEpoch(epoch: number): readonly BoxSecret[] {
    const newest = this.newest()
    if (newest?.epoch === epoch && this.#state.lostBoxes.length === 0) return [newest]
    const found = [...this.#reached().values()].filter((secret) => secret.epoch === epoch)
    const isHeld = (secret: BoxSecret): boolean => this.#state.boxes.some((box) => isOf(box, secret))
    return [...found.filter(isHeld), ...found.filter((secret) => !isHeld(secret))]
  }

  of(publicKey: Uint8Array): BoxSecret | undefined {
    const newest = this.newest()
    if (newest !== undefined && equalBytes(newest.publicKey, publicKey)) return newest
    return this.#reached().get(toHex(publicKey))
  }

  /** Those that lost and that whoever is given the newest alone does not reach. */
  unlinked(): readonly BoxSecret[] {
    const newest = this.current()
    if (newest === undefined || this.#state.lostBoxes.length === 0) return []
    const linked = this.#follow([newest])
    return [...this.#reached()].flatMap(([name, secret]) => (linked.has(name) ? [] : [secret]))
  }

  /** Whether one of those was made with this X25519 key. */
  isUnlinkedBy(boxKey: Uint8Array): boolean {
    return this.unlinked().some((secret) =>
      this.#state.lostBoxes.some(
        (box) =>
          isOf(box, secret) && [...box.wraps.values()].some((wrap) => equalBytes(wrap.senderBoxKey, boxKey)),
      ),
    )
  }

  #reached(): ReadonlyMap<string, BoxSecret> {
    this.#all ??= this.#follow([this.newest(), ...this.#state.lostBoxes.map((box) => this.#first([box]))])
    return this.#all
  }

  #first(boxes: readonly BoxState[]): BoxSecret | undefined {
    const name = toHex(this.#reader.recipient)
    for (const box of boxes) {
      const wrap = box.wraps.get(name)
      const own = wrap && this.#reader.secretFor(wrap.recipientBox)
      const secret = wrap && own && openWrap(this.#crypto, box, wrap, own)
      if (secret !== undefined) return secret
    }
    return undefined
  }

  #follow(from: readonly (BoxSecret | undefined)[]): Map<string, BoxSecret> {
    const boxes = new Map(
      [...this.#state.lostBoxes, ...this.#state.boxes].map((box) => [toHex(box.publicKey), box]),
    )
    const found = new Map<string, BoxSecret>()
    const waiting = from.filter((secret) => secret !== undefined)
    for (let secret = waiting.shift(); secret !== undefined; secret = waiting.shift()) {
      const name = toHex(secret.publicKey)
      if (found.has(name)) continue
      found.set(name, secret)
      for (const link of boxes.get(name)?.links ?? []) {
        const before = found.has(toHex(link.publicKey)) ? undefined : openOlder(this.#crypto, secret, link)
        if (before !== undefined) waiting.push(before)
      }
    }
    return found
  }
}

/** A device's own, or those of the recovery words. */
export function deviceBoxes(
  crypto: CryptoProvider,
  state: IdentityState,
  { key, boxSecret }: Pick<DeviceSecrets, 'key' | 'boxSecret'>,
): BoxSecrets {
  return new BoxSecrets(crypto, state, { recipient: key, secretFor: () => boxSecret })
}

/** A group's, by what its member opens of their own. */
export function memberBoxes(
  crypto: CryptoProvider,
  group: IdentityState,
  member: IdentityId,
  own: Pick<BoxSecrets, 'of'>,
): BoxSecrets {
  const secretFor = (box: Uint8Array | undefined) => box && own.of(box)?.secret
  return new BoxSecrets(crypto, group, { recipient: member, secretFor })
}

function isOf(box: Pick<BoxState, 'publicKey'>, secret: BoxSecret): boolean {
  return equalBytes(box.publicKey, secret.publicKey)
}
