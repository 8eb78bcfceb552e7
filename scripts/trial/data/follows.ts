import { Draw } from './draw.ts'
import { readData } from './folder.ts'

/** Who follows whom, by number. */
export interface Follow {
  readonly follower: number
  readonly followed: number
}

/** A real graph laid over so many people: its accounts as they first appear, which keeps neighbours together. */
export function readFollows(people: number): Follow[] | undefined {
  const text = readData('twitter-follow-egonets/bofa_careers.edges.tsv.gz')
  if (text === undefined) return undefined
  const edges = text
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t').map(Number) as [number, number])
    .filter(([followed, follower]) => Number.isInteger(followed) && Number.isInteger(follower))
  return fitted(edges, people)
}

/** The same shape: few are followed by thousands, most by nobody. */
export function makeFollows(people: number, edges: number, seed: number): Follow[] {
  const draw = new Draw(seed)
  const made: [number, number][] = []
  for (let i = 0; i < edges; i++) {
    made.push([Math.floor(people * draw.fraction() ** 5), draw.whole(people)])
  }
  return fitted(made, people)
}

/** The first so many of the edges: a follow is a record, and the trial has four minutes for all of them. */
const edgesMax = 24_000

function fitted(edges: readonly (readonly [number, number])[], people: number): Follow[] {
  const accounts = [...new Set(edges.flat())].slice(0, people)
  const numbers = new Map(accounts.map((account, i) => [account, i]))
  const seen = new Set<number>()
  const follows: Follow[] = []
  for (const [from, to] of edges) {
    const [followed, follower] = [numbers.get(from), numbers.get(to)]
    if (followed === undefined || follower === undefined || followed === follower) continue
    const name = follower * people + followed
    if (seen.has(name) || follows.length >= edgesMax) continue
    seen.add(name)
    follows.push({ follower, followed })
  }
  return follows
}
