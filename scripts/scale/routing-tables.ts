import { peersEnough } from '../../daemon/net/dialer.ts'
import { Draw } from '../trial/data/draw.ts'
import { mix } from './mix.ts'
import type { Population } from './population.ts'

/** The DHT's own figures, which are its defaults: contacts in a bucket, and holders of a record. */
export const bucketSize = 20
/** A node dials whom it hears of until it has enough peers, and in the mean as many others dial it. */
export const connections = 2 * peersEnough

/**
 * Whom each node knows: in Kademlia, up to twenty others for every length of the prefix it shares with them. Drawn from all
 * who share it, the same whenever it is asked for.
 */
export class RoutingTables {
  readonly #population: Population
  readonly #seed: number

  constructor(population: Population, seed: number) {
    this.#population = population
    this.#seed = seed
  }

  /** Places of the nodes in the bucket of those that share exactly so many bits with the node. */
  bucket(slot: number, bits: number): number[] {
    const id = this.#population.ids[slot] as number
    const [from, to] = this.#range((id ^ (0x80000000 >>> bits)) >>> 0, bits + 1)
    const size = to - from
    if (size <= bucketSize) return Array.from({ length: size }, (_, i) => from + i)
    const chosen = new Set<number>()
    for (let i = 0; chosen.size < bucketSize; i++)
      chosen.add(from + (mix(this.#seed ^ (i << 16), slot, bits + 100) % size))
    return [...chosen]
  }

  /** How many nodes share so many bits with the key: the first of them and the one after the last. */
  #range(key: number, bits: number): [number, number] {
    const width = 2 ** (32 - bits)
    const low = Math.floor(key / width) * width
    return [this.#first(low), this.#first(low + width)]
  }

  #first(id: number): number {
    const { ids } = this.#population
    let [low, high] = [0, ids.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ids[middle] as number) < id) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Whom the node is connected to: some of its table, as it heard of them. */
  neighbours(slot: number): number[] {
    const { ids } = this.#population
    const known: number[] = []
    for (let bits = 0; bits < 32; bits++) {
      known.push(...this.bucket(slot, bits))
      const [from, to] = this.#range(ids[slot] as number, bits + 1)
      if (to - from <= 1) break
    }
    return new Draw(mix(this.#seed, slot, 7)).some(known, connections)
  }

  /** Of those that the node knows, the twenty that are nearest to the key. */
  nearestKnown(slot: number, key: number): number[] {
    const shared = Math.clz32((this.#population.ids[slot] as number) ^ key)
    const known: number[] = []
    // Whoever shares as much with the key as the node itself is in these buckets, and nobody else is nearer.
    for (let bits = shared; bits < 32 && known.length < bucketSize; bits++)
      known.push(...this.bucket(slot, bits))
    for (let bits = shared - 1; bits >= 0 && known.length < bucketSize; bits--)
      known.push(...this.bucket(slot, bits))
    return this.#byDistance(known, key).slice(0, bucketSize)
  }

  /** Of all nodes, the twenty that are nearest to the key: they keep its record. */
  nearest(key: number): number[] {
    let [from, to] = [0, this.#population.size]
    for (let bits = 32; bits >= 0; bits--) {
      ;[from, to] = this.#range(key, bits)
      if (to - from >= bucketSize || bits === 0) break
    }
    const all = Array.from({ length: to - from }, (_, i) => from + i)
    return this.#byDistance(all, key).slice(0, bucketSize)
  }

  distance(slot: number, key: number): number {
    return ((this.#population.ids[slot] as number) ^ key) >>> 0
  }

  #byDistance(slots: readonly number[], key: number): number[] {
    return slots.toSorted((a, b) => this.distance(a, key) - this.distance(b, key))
  }
}
