import { segmentOf } from '../../../protocol/scope.ts'
import { Draw } from './draw.ts'
import { readData } from './folder.ts'

export interface Town {
  /** As /geo/africa/ng/lagos. */
  readonly scope: string
  readonly name: string
  readonly population: number
  readonly latitude: number
  readonly longitude: number
}

/** The two continents and three countries in which the six homes stand. */
export const countries = [
  { code: 'NG', scope: '/geo/africa/ng' },
  { code: 'KE', scope: '/geo/africa/ke' },
  { code: 'DE', scope: '/geo/europe/de' },
] as const

/** The towns of the homes; also what stands in where the list of places is absent. */
export const homeTowns: readonly Town[] = [
  town('/geo/africa/ng', 'Lagos', 9_000_000, 6.45407, 3.39467),
  town('/geo/africa/ng', 'Kano', 3_626_068, 12.00012, 8.51672),
  town('/geo/africa/ke', 'Nairobi', 2_750_547, -1.28333, 36.81667),
  town('/geo/europe/de', 'Berlin', 3_426_354, 52.52437, 13.41053),
  town('/geo/europe/de', 'Hamburg', 1_739_117, 53.55073, 9.99302),
  town('/geo/europe/de', 'Munich', 1_260_391, 48.13743, 11.57549),
] as Town[]

/** A population of 5,000 and more, districts of larger towns apart. */
export function readTowns(): Town[] | undefined {
  const text = readData('places-geonames/cities-pop5000.tsv.gz')
  if (text === undefined) return undefined
  const towns: Town[] = []
  for (const line of text.split('\n').slice(1)) {
    const [, name = '', , code, feature, , population, latitude, longitude] = line.split('\t')
    const country = countries.find((one) => one.code === code)
    if (country === undefined || feature === 'PPLX') continue
    const made = town(country.scope, name, Number(population), Number(latitude), Number(longitude))
    if (made !== undefined) towns.push(made)
  }
  return towns
}

/** Around each home some made-up places, so that towns without a home exist too. */
export function makeTowns(seed: number): Town[] {
  const draw = new Draw(seed)
  const around = homeTowns.flatMap((home) =>
    Array.from({ length: 40 }, (_, i) =>
      town(
        home.scope.slice(0, home.scope.lastIndexOf('/')),
        `${home.name} ${i + 1}`,
        5_000 + Math.floor((home.population * draw.fraction() ** 3) / 8),
        home.latitude + draw.fraction() * 2 - 1,
        home.longitude + draw.fraction() * 2 - 1,
      ),
    ),
  )
  return [...homeTowns, ...around.filter((one) => one !== undefined)]
}

/** By population: someone for every so many people. */
export class TownChooser {
  readonly #towns: readonly Town[]
  readonly #sums: number[] = []
  #total = 0

  constructor(towns: readonly Town[]) {
    this.#towns = towns
    for (const { population } of towns) this.#sums.push((this.#total += population))
  }

  choose(draw: Draw): Town {
    const at = draw.fraction() * this.#total
    let [low, high] = [0, this.#sums.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sums[middle] as number) > at) high = middle
      else low = middle + 1
    }
    return this.#towns[low] as Town
  }
}

/** Index into `homeTowns` of the one that lies nearest. */
export function nearestHome({ latitude, longitude }: Town): number {
  const distances = homeTowns.map((home) => {
    const [a, b] = [radians(latitude), radians(home.latitude)]
    return Math.acos(
      Math.min(
        1,
        Math.sin(a) * Math.sin(b) + Math.cos(a) * Math.cos(b) * Math.cos(radians(longitude - home.longitude)),
      ),
    )
  })
  return distances.indexOf(Math.min(...distances))
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}

function town(
  country: string,
  name: string,
  population: number,
  latitude: number,
  longitude: number,
): Town | undefined {
  const segment = segmentOf(name)
  if (segment === undefined) return undefined
  return { scope: `${country}/${segment}`, name, population, latitude, longitude }
}
