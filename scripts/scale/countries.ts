import { readData } from '../trial/data/folder.ts'

export interface Country {
  /** ISO 3166 alpha-2. */
  readonly code: string
  readonly continent: string
  /** Share of all nodes, in any unit. */
  readonly weight: number
}

export const builtInCountries: readonly Country[] = [
  { code: 'NG', continent: 'africa', weight: 2 },
  { code: 'KE', continent: 'africa', weight: 1 },
  { code: 'DE', continent: 'europe', weight: 3 },
  { code: 'FR', continent: 'europe', weight: 2 },
  { code: 'US', continent: 'americas', weight: 3 },
  { code: 'BR', continent: 'americas', weight: 2 },
  { code: 'IN', continent: 'asia', weight: 4 },
  { code: 'JP', continent: 'asia', weight: 1 },
]

interface Iso {
  readonly '3166-1': readonly { readonly alpha_2: string; readonly alpha_3: string }[]
}
interface Region {
  readonly type: number
  readonly name: string
  readonly code: string
  readonly parent?: string
  readonly iso3166?: string
}

/**
 * Countries that somebody measured, and how many nodes stand in each: by towns of 5,000 people and more, each of the same
 * weight. Nobody knows where boxes will stand.
 */
export function loadCountries(): readonly Country[] {
  const names = ['iso-codes/iso_3166-1.json', 'un-m49/un-m49.json', 'places-geonames/cities-pop5000.tsv.gz']
  const [iso, regions, towns] = names.map(readData)
  const measured = readData('cardano-rtt/data/internet/country_rtt_stat.csv.gz')
  if (iso === undefined || regions === undefined || towns === undefined || measured === undefined)
    return builtInCountries
  const continents = continentsOf(JSON.parse(regions) as Region[])
  const continentByCode = new Map(
    (JSON.parse(iso) as Iso)['3166-1'].flatMap(({ alpha_2, alpha_3 }) => {
      const continent = continents.get(alpha_3)
      return continent === undefined ? [] : [[alpha_2, continent] as const]
    }),
  )
  const codes = new Set(measured.split('\n').flatMap((line) => line.split(',').slice(0, 2)))
  const counts = new Map<string, number>()
  for (const line of towns.split('\n').slice(1)) {
    const code = line.split('\t')[3]
    if (code !== undefined && codes.has(code)) counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  return [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([code, weight]) => {
      const continent = continentByCode.get(code)
      return continent === undefined ? [] : [{ code, continent, weight }]
    })
}

/** By alpha-3; a region's parents lead to its continent. */
function continentsOf(regions: readonly Region[]): Map<string, string> {
  const byCode = new Map(regions.map((region) => [region.code, region]))
  const found = new Map<string, string>()
  for (const region of regions) {
    if (region.iso3166 === undefined) continue
    let above: Region | undefined = region
    while (above !== undefined && above.type !== 1) above = byCode.get(above.parent ?? '')
    if (above !== undefined) found.set(region.iso3166, above.name.toLowerCase())
  }
  return found
}
