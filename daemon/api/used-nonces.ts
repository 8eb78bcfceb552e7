import { toHex } from '../../protocol/bytes.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import { serverLimits } from './limits.ts'
import type { Admitted } from './sessions.ts'

export interface Taken {
  readonly owner: IdentityId
  readonly device: DeviceKey
  readonly nonce: string
  readonly createdS: number
  readonly as: Admitted
}

interface Remembered {
  /** Unix time in seconds. */
  readonly untilS: number
  readonly owner: string
  readonly isVisitor: boolean
}

/**
 * Which signed requests were answered already, for as long as their signatures are good. In memory; invariants:
 * 1. A nonce of a device is taken once.
 * 2. What is forgotten is never taken again: signatures made before `#forgottenS` are refused, also where the clock
 *    goes back. It begins with the start of the node, which remembers nothing of the time before.
 * 3. Room is refused, never made by forgetting what is still good.
 */
export class UsedNonces {
  /** By device and nonce. */
  readonly #used = new Map<string, Map<string, Remembered>>()
  /** How many by identity: whoever admits ten devices must not fill what all share. */
  readonly #ofOwner = new Map<string, number>()
  #count = 0
  #visitors = 0
  #forgottenS: number
  #sweptS: number

  constructor(nowMs: number) {
    this.#forgottenS = Math.floor(nowMs / 1000)
    this.#sweptS = this.#forgottenS
  }

  get size(): number {
    return this.#count
  }

  /** Call when everything else about the signature is good. Throws UNAUTHENTICATED or BUSY. */
  take({ owner, device, nonce, createdS, as }: Taken, nowMs: number): void {
    const nowS = Math.floor(nowMs / 1000)
    const isVisitor = as === 'visitor'
    const full = (): boolean =>
      this.#count >= serverLimits.noncesMax ||
      (isVisitor && this.#visitors >= serverLimits.visitorNoncesMax) ||
      ofOwner() >= serverLimits.noncesPerIdentityMax ||
      ofDevice() >= serverLimits.noncesPerDeviceMax
    const name = toHex(device)
    const person = toHex(owner)
    const ofDevice = (): number => this.#used.get(name)?.size ?? 0
    const ofOwner = (): number => this.#ofOwner.get(person) ?? 0
    if ((full() && nowS !== this.#sweptS) || nowS - this.#sweptS > apiLimits.signatureWindowS)
      this.#sweep(nowS)
    if (createdS < this.#forgottenS) {
      throw new OnehopError('UNAUTHENTICATED', 'the signature is older than what this node remembers', {
        help: 'Sign again: the node has started, or its clock was set, after the signature was made.',
      })
    }
    if (this.#used.get(name)?.has(nonce) === true) {
      throw new OnehopError('UNAUTHENTICATED', 'a request with this nonce was answered already', {
        help: 'Sign every request anew, with a nonce of its own.',
      })
    }
    if (full()) throw new OnehopError('BUSY', 'too many signed requests in a short time')
    const nonces = this.#used.get(name) ?? new Map<string, Remembered>()
    this.#used.set(
      name,
      nonces.set(nonce, { untilS: createdS + apiLimits.signatureWindowS, owner: person, isVisitor }),
    )
    this.#ofOwner.set(person, ofOwner() + 1)
    this.#count++
    if (isVisitor) this.#visitors++
  }

  #sweep(nowS: number): void {
    this.#sweptS = nowS
    this.#forgottenS = Math.max(this.#forgottenS, nowS - apiLimits.signatureWindowS)
    for (const [device, nonces] of this.#used) {
      for (const [nonce, { untilS, owner, isVisitor }] of nonces) {
        if (untilS >= nowS) continue
        nonces.delete(nonce)
        const left = (this.#ofOwner.get(owner) ?? 0) - 1
        if (left > 0) this.#ofOwner.set(owner, left)
        else this.#ofOwner.delete(owner)
        this.#count--
        if (isVisitor) this.#visitors--
      }
      if (nonces.size === 0) this.#used.delete(device)
    }
  }
}
