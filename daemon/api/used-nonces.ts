import { toHex } from '../../protocol/bytes.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { DeviceKey } from '../../protocol/record/types.ts'
import { serverLimits } from './limits.ts'

/**
 * Which signed requests were answered already, for as long as their signatures are good. In memory; invariants:
 * 1. A nonce of a device is taken once.
 * 2. What is forgotten is never taken again: signatures made before `#forgottenS` are refused, also where the clock
 *    goes back. It begins with the start of the node, which remembers nothing of the time before.
 * 3. Room is refused, never made by forgetting what is still good.
 */
export class UsedNonces {
  /** By device: until when (Unix time in seconds) each of its nonces is remembered. */
  readonly #used = new Map<string, Map<string, number>>()
  #count = 0
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
  take(device: DeviceKey, nonce: string, createdS: number, nowMs: number): void {
    const nowS = Math.floor(nowMs / 1000)
    const full = (): boolean =>
      this.#count >= serverLimits.noncesMax || ofDevice() >= serverLimits.noncesPerDeviceMax
    const name = toHex(device)
    const ofDevice = (): number => this.#used.get(name)?.size ?? 0
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
    const nonces = this.#used.get(name) ?? new Map<string, number>()
    this.#used.set(name, nonces.set(nonce, createdS + apiLimits.signatureWindowS))
    this.#count++
  }

  #sweep(nowS: number): void {
    this.#sweptS = nowS
    this.#forgottenS = Math.max(this.#forgottenS, nowS - apiLimits.signatureWindowS)
    for (const [device, nonces] of this.#used) {
      for (const [nonce, untilS] of nonces) {
        if (untilS >= nowS) continue
        nonces.delete(nonce)
        this.#count--
      }
      if (nonces.size === 0) this.#used.delete(device)
    }
  }
}
