import type { Machine } from './machine.ts'

/** What `--json` writes. Times are as a client saw them. */
export interface Figures {
  machine: Machine
  nodes: number
  nodesReadyS: number
  users: number
  recordsWritten: number
  recordsPerS: number
  /** The fewest holders that any shard's records were all found at; its home is one of them. */
  copiesPerShardMin: number
  /** Shards whose records differ between two of their holders' disks at the end. */
  replicaMismatches: number
  dht: { queued: number; lookups: number; found: number; p50Ms: number }
  nearest: { chosenIsNearest: boolean; movedMs: number }
  privacy: { privateRecords: number; plaintextFound: number; publicTextFound: boolean }
  page: {
    pages: number
    p50Ms: number
    p99Ms: number
    /** Per page. */
    requests: number
    requestsBetweenNodes: number
    /** By those pages that show pictures: these come within the view. */
    imageRequestsBetweenNodes: number
    pictures: number
    /** In the model, and not on the page. */
    picturesMissing: number
    feedMismatches: number
  }
  search: SearchFigures[]
  kill: { firstReadMs: number; recordsMissing: number; copiesRestoredS: number }
  partition: { recordsLost: number; convergedS: number }
  island: { localOk: boolean; worldSaysMissing: boolean; recordsLost: number }
}

export interface SearchFigures {
  readonly scope: string
  /** The scope of the aggregator that answered. */
  readonly level: string
  readonly queries: number
  readonly hits: number
  readonly identicalToCentral: boolean
  readonly freshP50Ms: number
}

const copiesWanted = 4

/** Names of the figures that are not as they must be, with what was found; empty when all is well. */
export function judge(figures: Partial<Figures>): string[] {
  const failures: string[] = []
  const must = (name: string, holds: boolean, found: unknown): void => {
    if (!holds) failures.push(`${name} is ${JSON.stringify(found)}`)
  }
  const measured = <K extends keyof Figures>(name: K, check: (value: Figures[K]) => void): void => {
    const value = figures[name]
    if (value === undefined) failures.push(`${name} was not measured`)
    else check(value)
  }
  measured('nodes', (nodes) => must('nodes', nodes === 8, nodes))
  measured('nodesReadyS', (seconds) => must('nodesReadyS', seconds > 0, seconds))
  measured('users', (users) => must('users', users > 0, users))
  measured('recordsWritten', (records) => must('recordsWritten', records > 0, records))
  measured('recordsPerS', (rate) => must('recordsPerS', rate > 0, rate))
  measured('copiesPerShardMin', (copies) => must('copiesPerShardMin', copies >= copiesWanted, copies))
  measured('replicaMismatches', (count) => must('replicaMismatches', count === 0, count))
  measured('dht', ({ lookups, found }) => must('dht.found', lookups > 0 && found === lookups, found))
  measured('nearest', ({ chosenIsNearest, movedMs }) => {
    must('nearest.chosenIsNearest', chosenIsNearest, chosenIsNearest)
    must('nearest.movedMs', movedMs <= 1_000, movedMs)
  })
  measured('privacy', ({ privateRecords, plaintextFound, publicTextFound }) => {
    must('privacy.privateRecords', privateRecords > 0, privateRecords)
    must('privacy.plaintextFound', plaintextFound === 0, plaintextFound)
    // A search that cannot find what is there proves nothing.
    must('privacy.publicTextFound', publicTextFound, publicTextFound)
  })
  measured('page', (page) => {
    must('page.pages', page.pages > 0, page.pages)
    must('page.pictures', page.pictures > 0, page.pictures)
    must('page.requests', page.requests === 1, page.requests)
    must('page.requestsBetweenNodes', page.requestsBetweenNodes === 0, page.requestsBetweenNodes)
    must(
      'page.imageRequestsBetweenNodes',
      page.imageRequestsBetweenNodes === 0,
      page.imageRequestsBetweenNodes,
    )
    must('page.picturesMissing', page.picturesMissing === 0, page.picturesMissing)
    must('page.feedMismatches', page.feedMismatches === 0, page.feedMismatches)
  })
  measured('search', (levels) => {
    must('search', levels.length >= 3, levels.length)
    for (const { scope, queries, hits, identicalToCentral } of levels) {
      must(`search ${scope} hits`, queries > 0 && hits > 0, hits)
      must(`search ${scope} identicalToCentral`, identicalToCentral, identicalToCentral)
    }
  })
  measured('kill', ({ recordsMissing, firstReadMs }) => {
    must('kill.recordsMissing', recordsMissing === 0, recordsMissing)
    must('kill.firstReadMs', firstReadMs <= 1_000, firstReadMs)
  })
  measured('partition', ({ recordsLost }) => must('partition.recordsLost', recordsLost === 0, recordsLost))
  measured('island', ({ localOk, worldSaysMissing, recordsLost }) => {
    must('island.localOk', localOk, localOk)
    must('island.worldSaysMissing', worldSaysMissing, worldSaysMissing)
    must('island.recordsLost', recordsLost === 0, recordsLost)
  })
  return failures
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, z) => a - z)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Two places behind the point: more would pretend. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
