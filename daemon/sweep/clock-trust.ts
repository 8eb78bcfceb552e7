import { dayMs } from '../../protocol/record/ends.ts'

/** Clocks that are this much apart do not mean the same day. */
const apartMs = dayMs
/** For so long a clock that nobody else can tell about must have gone evenly, after it leapt. */
const lonelyMs = 30 * dayMs

export interface Look {
  readonly nowMs: number
  readonly monotonicMs: number
  /** What the clocks of other nodes say at this moment. */
  readonly othersMs: readonly number[]
}

/** What is kept from one look to the next, over restarts too. */
export interface Trust {
  /** When it was last looked at, by itself. */
  readonly lookMs: number
  /** For how long it has been seen to go evenly, and nobody gainsaid it. */
  readonly evenMs: number
  readonly isTrusted: boolean
}

/**
 * Whether this node's clock may decide what is over: one that is ten years ahead would take away all that expires in those. Where
 * others are heard most of them must agree. A node that hears nobody believes its clock until it leaps; a box that was off for long
 * looks the same as one whose clock leapt.
 */
export class ClockTrust {
  #trust: Trust | undefined
  #monotonicMs: number | undefined
  readonly #isNew: boolean

  /** `isNew`: nothing is kept here that a wrong clock could take away. */
  constructor(trust: Trust | undefined, isNew: boolean) {
    this.#trust = trust
    this.#isNew = isNew
  }

  look({ nowMs, monotonicMs, othersMs }: Look): Trust {
    const before = this.#trust ?? { lookMs: nowMs, evenMs: 0, isTrusted: this.#isNew }
    const passedMs = monotonicMs - (this.#monotonicMs ?? monotonicMs)
    const isEven = Math.abs(nowMs - before.lookMs - passedMs) <= apartMs
    const agreeing = othersMs.filter((otherMs) => Math.abs(otherMs - nowMs) <= apartMs)
    const isAgreed = agreeing.length * 2 > othersMs.length
    // What others gainsay is wrong for as long as it goes on evenly.
    const isGainsaid = othersMs.length > 0 && !isAgreed
    const evenMs = isEven && !isGainsaid ? before.evenMs + passedMs : 0
    const isTrusted = othersMs.length > 0 ? isAgreed : isEven && (before.isTrusted || evenMs >= lonelyMs)
    this.#monotonicMs = monotonicMs
    this.#trust = { lookMs: nowMs, evenMs, isTrusted }
    return this.#trust
  }
}
