import { candidateOf } from '../../protocol/placement/candidate.ts'
import type { Candidate } from '../../protocol/placement/rendezvous.ts'
import type { Seat } from '../../protocol/placement/replica-set.ts'
import type { Country } from './countries.ts'
import { mix } from './mix.ts'

/** One of ten nodes belongs to somebody who runs some ten; the others are run by whoever lives there. */
const sharedOneIn = 10
const perOperator = 10
/** Two of a street have one prefix, on the average. */
const perPrefix = 2
/** As many of each: a disk's spare room, a spare disk, a server. */
const offersBytes = [1, 10, 100].map((gib) => gib * 2 ** 30)

export const offerWeights = offersBytes.map((bytes) => Math.log2(1 + bytes / 2 ** 20))

/** What a seat and a candidate say of the node at a place. */
export interface PlacedCandidate extends Candidate {
  readonly slot: number
}

/**
 * All nodes. What is fixed of each follows from its place and the seed, so that a million cost a few bytes each. A place is
 * taken anew when whoever had it leaves for good: by another node in the same street.
 */
export class Population {
  readonly size: number
  readonly countries: readonly Country[]
  /** Where each stands in the DHT; ascending, so that all that share a prefix are neighbours in the list. */
  readonly ids: Uint32Array
  readonly country: Uint8Array
  readonly #seed: number
  readonly #generation: Uint16Array
  /** Whoever was a candidate before will be again: spelling one anew costs more than choosing. */
  readonly #spelt: (PlacedCandidate | undefined)[]

  constructor(size: number, seed: number, countries: readonly Country[]) {
    this.size = size
    this.countries = countries
    this.#seed = seed
    this.#spelt = Array.from({ length: size })
    this.ids = Uint32Array.from({ length: size }, (_, i) => mix(seed, i, 1)).toSorted()
    this.#generation = new Uint16Array(size)
    const sums: number[] = []
    let sum = 0
    for (const { weight } of countries) sums.push((sum += weight))
    this.country = Uint8Array.from({ length: size }, (_, i) => {
      const at = (mix(seed, i, 2) / 2 ** 32) * sum
      return sums.findIndex((bound) => bound > at)
    })
  }

  /** Whoever is there from now on has another key. */
  leave(slot: number): void {
    this.#generation[slot] = (this.#generation[slot] as number) + 1
    this.#spelt[slot] = undefined
  }

  /** Undefined where the node is run by whoever lives there. */
  operatorOf(slot: number): number | undefined {
    if (mix(this.#seed, slot, 3) % sharedOneIn !== 0) return undefined
    return mix(this.#seed, slot, 4) % Math.max(2, Math.round(this.size / sharedOneIn / perOperator))
  }

  offeredBytes(slot: number): number {
    return offersBytes[mix(this.#seed, slot, 5) % offersBytes.length] as number
  }

  continentOf(slot: number): string {
    return (this.countries[this.country[slot] as number] as Country).continent
  }

  seat(slot: number): Seat {
    const { code, continent } = this.countries[this.country[slot] as number] as Country
    const operator = this.operatorOf(slot)
    const prefix = mix(this.#seed, slot, 6) % Math.max(1, Math.round(this.size / perPrefix))
    const host = [(prefix >> 16) & 255, (prefix >> 8) & 255, prefix & 255, slot & 255].join('.')
    return {
      node: this.#key(slot),
      role: 'replica',
      addresses: [`/ip4/${host}/tcp/4181`],
      operator: operator === undefined ? `node ${slot}` : `operator ${operator}`,
      region: `/geo/${continent}/${code.toLowerCase()}`,
    }
  }

  candidate(slot: number): PlacedCandidate {
    const known = this.#spelt[slot]
    if (known !== undefined) return known
    const candidate = { ...candidateOf(this.seat(slot), this.offeredBytes(slot)), slot }
    this.#spelt[slot] = candidate
    return candidate
  }

  /** Nobody signs here: bytes that differ are key enough. */
  #key(slot: number): Uint8Array {
    const key = new Uint8Array(32)
    for (const [i, value] of [slot, this.#generation[slot] as number, this.#seed].entries())
      for (let byte = 0; byte < 4; byte++) key[i * 4 + byte] = value >>> (24 - byte * 8)
    return key
  }
}
