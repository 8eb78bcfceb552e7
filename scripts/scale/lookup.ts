/** A lookup as `Finder` does it: the DHT's providers, and a moment later the neighbours. Who is asked when is libp2p's way. */
import { neighboursAfterMs, neighboursAskedMax } from '../../daemon/placement/find.ts'
import type { Draw } from '../trial/data/draw.ts'
import type { Latencies } from './latencies.ts'
import type { Population } from './population.ts'
import { bucketSize, type RoutingTables } from './routing-tables.ts'

/** @libp2p/kad-dht: paths that share no node, and questions under way on each. */
export const pathsMax = 10
const alpha = 10
/** Until a node that is not there is given up: daemon/net/libp2p.ts. */
const dialTimeoutMs = 2_000
const findTimeoutMs = 10_000

export interface LookupParts {
  readonly population: Population
  readonly tables: RoutingTables
  readonly latencies: Latencies
  readonly draw: Draw
  /** Share of the nodes, and so of contacts in a table, that are on. */
  readonly availability: number
  /** Holders of the shard. */
  readonly providers: number
}

export interface Lookup {
  /** Requests to other nodes, each with its reply. */
  readonly requests: number
  /** How far from the asker the node stood, in questions one after the other, that told of a holder. */
  readonly hops: number
  readonly ms: number
  readonly found: boolean
}

interface Path {
  /** Nearest first. */
  readonly queue: { readonly slot: number; readonly hops: number }[]
  running: number
  /** Of those that answered, the nearest. */
  closest: number[]
}

interface Answer {
  readonly atMs: number
  readonly path: Path
  readonly slot: number
  readonly hops: number
  readonly isThere: boolean
}

export function lookUp(parts: LookupParts, asker: number, key: number): Lookup {
  const { tables, draw, availability, providers } = parts
  const keepers = new Set(tables.nearest(key))
  const starting = draw.some(tables.nearestKnown(asker, key), bucketSize)
  const seen = new Set([asker, ...starting])
  const paths: Path[] = Array.from({ length: Math.min(pathsMax, starting.length) }, () => ({
    queue: [],
    running: 0,
    closest: [],
  }))
  for (const [i, slot] of starting.entries()) paths[i % paths.length]?.queue.push({ slot, hops: 1 })
  const answers: Answer[] = []
  let requests = 0
  const mayAdd = (path: Path, slot: number): boolean =>
    path.closest.length < bucketSize ||
    tables.distance(slot, key) < tables.distance(path.closest.at(-1) as number, key)
  const ask = (path: Path, nowMs: number): void => {
    path.queue.sort((a, b) => tables.distance(a.slot, key) - tables.distance(b.slot, key))
    while (path.running < alpha) {
      const next = path.queue.shift()
      if (next === undefined) return
      if (!mayAdd(path, next.slot)) continue
      const isThere = draw.fraction() < availability
      const atMs = nowMs + (isThere ? rttMs(parts, asker, next.slot) : dialTimeoutMs)
      requests++
      path.running++
      answers.push({ atMs, path, isThere, ...next })
    }
  }
  for (const path of paths) ask(path, 0)
  while (answers.length > 0) {
    const answer = takeFirst(answers)
    const { path, slot, hops, atMs } = answer
    if (atMs > findTimeoutMs) break
    path.running--
    if (answer.isThere) {
      if (keepers.has(slot)) {
        const asked = askProviders(parts, asker, providers, atMs)
        if (asked.ms > neighboursAfterMs) requests += Math.min(neighboursAskedMax, parts.population.size - 1)
        return { requests: requests + asked.requests, hops, ms: asked.ms, found: asked.found }
      }
      path.closest = [...path.closest, slot]
        .toSorted((a, b) => tables.distance(a, key) - tables.distance(b, key))
        .slice(0, bucketSize)
      for (const nearer of tables.nearestKnown(slot, key)) {
        if (seen.has(nearer) || tables.distance(nearer, key) >= tables.distance(slot, key)) continue
        if (!mayAdd(path, nearer)) continue
        seen.add(nearer)
        path.queue.push({ slot: nearer, hops: hops + 1 })
      }
    }
    ask(path, atMs)
  }
  return { requests, hops: 0, ms: findTimeoutMs, found: false }
}

/** One after the other, until one is there. */
function askProviders(
  parts: LookupParts,
  asker: number,
  providers: number,
  fromMs: number,
): { requests: number; ms: number; found: boolean } {
  const { draw, population, availability } = parts
  let ms = fromMs
  for (let requests = 1; requests <= providers; requests++) {
    if (draw.fraction() < availability)
      return { requests, ms: ms + rttMs(parts, asker, draw.whole(population.size)), found: true }
    ms += dialTimeoutMs
  }
  return { requests: providers, ms, found: false }
}

function rttMs({ latencies, population, draw }: LookupParts, a: number, b: number): number {
  return latencies.drawMs(population.country[a] as number, population.country[b] as number, draw)
}

function takeFirst(answers: Answer[]): Answer {
  let first = 0
  for (let i = 1; i < answers.length; i++)
    if ((answers[i] as Answer).atMs < (answers[first] as Answer).atMs) first = i
  return answers.splice(first, 1)[0] as Answer
}
