import { equalBytes, toHex } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { DeviceKey, IdentityId } from '../record/types.ts'
import { openOlder, openWrap, type BoxSecret } from './box.ts'
import type { BoxLink, BoxState, DeviceSecrets, IdentityState, LostBox } from './types.ts'

/** Who reads, and by which secret they open what was wrapped to them. */
interface BoxReader {
  readonly recipient: Uint8Array
  readonly secretFor: (recipientBox: Uint8Array | undefined) => Uint8Array | undefined
}

/** In hex, by public key. */
type Secrets = ReadonlyMap<string, BoxSecret>

interface Opened {
  readonly held: Secrets
  /** Of those that hold, which the newest leads to. */
  readonly led: ReadonlySet<string>
  /** Of each epoch that a box that lost or a link names for them; whom to believe, first. */
  readonly others: readonly BoxSecret[]
  /** Of boxes that lost, which no link leads to. */
  readonly unlinked: Secrets
}

interface OpenedLink {
  readonly newer: BoxSecret
  readonly link: BoxLink
  readonly isSuspect: boolean
}

/** Of one epoch: what a device that was revoked made is tried last, and costs so much at most. */
const lostPerEpochMax = 8
const lostOpenedMax = 64
const suspectsOpenedMax = 32

type BoxesOf = Pick<IdentityState, 'boxes' | 'lostBoxes' | 'devices'>

/** What one reader opens of an identity's box secrets: those wrapped to them, and by links what came before those. */
export class BoxSecrets {
  readonly #crypto: CryptoProvider
  readonly #state: BoxesOf
  readonly #reader: BoxReader
  #newest: { readonly secret: BoxSecret | undefined } | undefined
  #all: Opened | undefined

  constructor(crypto: CryptoProvider, state: BoxesOf, reader: BoxReader) {
    this.#crypto = crypto
    this.#state = state
    this.#reader = reader
  }

  /** The newest that holds and was wrapped to this reader; undefined when none was. */
  newest(): BoxSecret | undefined {
    if (this.#newest === undefined) {
      const { boxes } = this.#state
      let secret: BoxSecret | undefined
      for (let i = boxes.length - 1; i >= 0 && secret === undefined; i--)
        secret = this.#unwrap(boxes[i] as BoxState)
      this.#newest = { secret }
    }
    return this.#newest.secret
  }

  /** The identity's newest; undefined where a newer epoch leaves this reader out. */
  current(): BoxSecret | undefined {
    const [newest, last] = [this.newest(), this.#state.boxes.at(-1)]
    return newest !== undefined && last !== undefined && isOf(last, newest) ? newest : undefined
  }

  /** The person's first of all, by which private things are named; what else is said to be of epoch 1 is not it. */
  first(): BoxSecret | undefined {
    const [first] = this.#state.boxes
    return first && this.of(first.publicKey)
  }

  /** The one that holds first, then those that lost. */
  ofEpoch(epoch: number): readonly BoxSecret[] {
    const newest = this.newest()
    const { boxes, lostBoxes } = this.#state
    if (newest?.epoch === epoch && lostBoxes.length === 0 && boxes.every(({ links }) => links.length < 2))
      return [newest]
    const { held, others } = this.#open()
    const isOfIt = (secret: BoxSecret): boolean => secret.epoch === epoch
    return [...[...held.values()].filter(isOfIt), ...others.filter(isOfIt).slice(0, lostPerEpochMax)]
  }

  of(publicKey: Uint8Array): BoxSecret | undefined {
    const newest = this.newest()
    if (newest !== undefined && equalBytes(newest.publicKey, publicKey)) return newest
    const { held, others } = this.#open()
    return held.get(toHex(publicKey)) ?? others.find((secret) => equalBytes(secret.publicKey, publicKey))
  }

  /** Those that whoever is given the newest alone does not reach: that lost, or that a stolen device's box does not open. */
  unlinked(): readonly BoxSecret[] {
    const { held, led, unlinked } = this.#open()
    return [...[...held.values()].filter(({ publicKey }) => !led.has(toHex(publicKey))), ...unlinked.values()]
  }

  /** Whether one of those was made by this device. */
  isUnlinkedBy(device: DeviceKey): boolean {
    if (this.current() === undefined) return false
    const own = this.#state.lostBoxes.filter(({ signer }) => equalBytes(signer, device))
    return own.some(({ publicKey }) => this.#open().unlinked.has(toHex(publicKey)))
  }

  /**
   * A box that holds is opened by any wrap to this reader or by a link of a newer one, whatever a stolen device sealed in
   * between; its epoch is what the log says. Of those that lost nothing leads on: each was wrapped by itself. A stolen device
   * may name another epoch for one of those, or take its key for a box that holds: it is of its own epoch all the same.
   */
  #open(): Opened {
    if (this.#all !== undefined) return this.#all
    const { boxes, lostBoxes } = this.#state
    const byKey = new Map(boxes.map((box) => [toHex(box.publicKey), box]))
    const [held, led] = [new Map<string, BoxSecret>(), new Set<string>()]
    const links: OpenedLink[] = []
    for (const box of boxes.toReversed()) {
      const own = toHex(box.publicKey)
      const secret = held.get(own) ?? this.#unwrap(box)
      if (secret === undefined) continue
      if (held.size === 0) led.add(own)
      held.set(own, secret)
      const isSuspect = this.#isShutOut(box)
      for (const link of box.links) {
        const name = toHex(link.publicKey)
        const target = byKey.get(name)
        if (target?.epoch !== link.epoch) links.push({ newer: secret, link, isSuspect })
        if (target === undefined || held.has(name)) continue
        const older = openOlder(this.#crypto, secret, { ...link, epoch: target.epoch })
        if (older === undefined) continue
        held.set(name, older)
        if (led.has(own)) led.add(name)
      }
    }
    const honest = lostBoxes.filter(({ isSuspect }) => !isSuspect).slice(-lostOpenedMax)
    const suspects = lostBoxes.filter(({ isSuspect }) => isSuspect).slice(-suspectsOpenedMax)
    const linked = this.#openLinks(links.filter(({ isSuspect }) => !isSuspect).slice(0, lostOpenedMax))
    const doubtful = this.#openLinks(links.filter(({ isSuspect }) => isSuspect).slice(0, suspectsOpenedMax))
    const reached = new Map([...held, ...byName([...doubtful, ...linked])])
    const lost = this.#openLost(honest, reached)
    const ofSuspects = this.#openLost(suspects, reached)
    const told = new Set([...linked, ...doubtful].map(nameOf))
    const isUnlinked = (secret: BoxSecret): boolean =>
      !held.has(toHex(secret.publicKey)) && !told.has(nameOf(secret))
    // What more than one names for a key the first to be believed names: a box has one link to it.
    const unlinked = byName([...lost, ...ofSuspects].filter(isUnlinked).toReversed())
    const others = new Map<string, BoxSecret>()
    for (const secret of [...lost, ...linked, ...doubtful, ...ofSuspects]) {
      const isHeld = held.get(toHex(secret.publicKey))?.epoch === secret.epoch
      if (!isHeld && !others.has(nameOf(secret))) others.set(nameOf(secret), secret)
    }
    this.#all = { held, led, others: [...others.values()], unlinked }
    return this.#all
  }

  #openLinks(links: readonly OpenedLink[]): BoxSecret[] {
    return links.flatMap(({ newer, link }) => openOlder(this.#crypto, newer, link) ?? [])
  }

  #openLost(boxes: readonly LostBox[], reached: Secrets): BoxSecret[] {
    return boxes.flatMap((box) => {
      const known = reached.get(toHex(box.publicKey))
      return known === undefined ? (this.#unwrap(box) ?? []) : [{ ...known, epoch: box.epoch }]
    })
  }

  /** Of a person's; whose device signs for a group is said in other logs. */
  #isShutOut({ signer }: BoxState): boolean {
    return this.#state.devices.get(toHex(signer))?.revoked !== undefined
  }

  #unwrap(box: BoxState): BoxSecret | undefined {
    const wrap = box.wraps.get(toHex(this.#reader.recipient))
    const own = wrap && this.#reader.secretFor(wrap.recipientBox)
    return wrap && own && openWrap(this.#crypto, box, wrap, own)
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

function byName(secrets: readonly BoxSecret[]): Map<string, BoxSecret> {
  return new Map(secrets.map((secret) => [toHex(secret.publicKey), secret]))
}

function nameOf({ epoch, publicKey }: BoxSecret): string {
  return `${epoch} ${toHex(publicKey)}`
}
