import { readData } from '../trial/data/folder.ts'
import type { Draw } from '../trial/data/draw.ts'
import { builtInCountries, type Country } from './countries.ts'

const slices = [1, 100, 200, 300, 400, 500, 600, 688]
const nearMs = 40
const farMs = 180

/** Round trips between countries, and how one and the same pair of devices varies from time to time. */
export class Latencies {
  readonly source: string
  readonly #betweenMs: Float64Array
  readonly #count: number
  /** A pair's round trip at one time, as a multiple of its median. */
  readonly #swings: Float64Array

  constructor(
    countries: readonly Country[],
    rttMs: (a: Country, b: Country) => number,
    swings: readonly number[],
    source: string,
  ) {
    this.source = source
    this.#count = countries.length
    this.#betweenMs = Float64Array.from(countries.flatMap((a) => countries.map((b) => rttMs(a, b))))
    this.#swings = Float64Array.from(swings)
  }

  /** Between two countries, by their places in the list. */
  drawMs(a: number, b: number, draw: Draw): number {
    const swing = this.#swings[draw.whole(this.#swings.length)] as number
    return (this.#betweenMs[a * this.#count + b] as number) * swing
  }
}

export function loadLatencies(countries: readonly Country[]): Latencies {
  const text = readData('cardano-rtt/data/internet/country_rtt_stat.csv.gz')
  const swings = readSwings()
  if (text === undefined || swings === undefined || countries === builtInCountries) {
    const rttMs = (a: Country, b: Country): number => (a.continent === b.continent ? nearMs : farMs)
    return new Latencies(countries, rttMs, [0.8, 1, 1, 1, 1.2, 2.5], 'built in, as the data folder is absent')
  }
  const known = new Map<string, number>()
  for (const line of text.split('\n').slice(1)) {
    const [a, b, , average] = line.split(',')
    if (average === undefined) continue
    known.set(`${a} ${b}`, Number(average))
    known.set(`${b} ${a}`, Number(average))
  }
  // Pairs that nobody measured are as far apart as their continents are on the average.
  const sums = new Map<string, { ms: number; pairs: number }>()
  const name = (a: Country, b: Country): string => [a.continent, b.continent].toSorted().join(' ')
  for (const a of countries)
    for (const b of countries) {
      const ms = known.get(`${a.code} ${b.code}`)
      if (ms === undefined) continue
      const sum = sums.get(name(a, b)) ?? { ms: 0, pairs: 0 }
      sums.set(name(a, b), { ms: sum.ms + ms, pairs: sum.pairs + 1 })
    }
  const rttMs = (a: Country, b: Country): number => {
    const sum = sums.get(name(a, b))
    return known.get(`${a.code} ${b.code}`) ?? (sum === undefined ? farMs : sum.ms / sum.pairs)
  }
  return new Latencies(countries, rttMs, swings, 'cardano-rtt, netlatency')
}

/** Personal devices of one network, at eight times. */
function readSwings(): number[] | undefined {
  const frames: number[][] = []
  for (const slice of slices) {
    const text = readData(`netlatency/Seattle/SeattleData_${slice}`)
    if (text === undefined) return undefined
    frames.push(text.trim().split(/\s+/).map(Number))
  }
  return (frames[0] as number[]).flatMap((_, pair) => {
    const seen = frames.map((frame) => frame[pair] as number).filter((rtt) => rtt > 0)
    const median = seen.toSorted((a, b) => a - b)[seen.length >> 1]
    return median === undefined || seen.length < slices.length ? [] : seen.map((rtt) => rtt / median)
  })
}
