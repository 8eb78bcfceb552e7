import { Draw } from './draw.ts'
import { type Follow, makeFollows, readFollows } from './follows.ts'
import { makePeople, type Person } from './people.ts'
import { makePicture } from './pictures.ts'
import { makeTitles, readTitles, type Title } from './titles.ts'
import { makeTowns, readTowns } from './towns.ts'

export interface Post {
  readonly author: number
  readonly title: string
  readonly url: string | undefined
  readonly preview: Uint8Array | undefined
  /** Unix milliseconds, all different, within the last weeks: a node refuses what a client dates further back. */
  readonly writtenMs: number
}

export interface Dataset {
  readonly source: string
  readonly people: readonly Person[]
  /** Oldest first. */
  readonly posts: readonly Post[]
  readonly follows: readonly Follow[]
}

/** The size of the real thing, which what is made up takes over. */
const wholeSize = { people: 10_382, posts: 20_100, follows: 24_000 } as const
const seed = 20_160_926

/** Posts that bring a picture along; a few hundred of all. */
const previewEvery = 64
/** Real times are moved into so many days before now, their order kept. */
const spanMs = 40 * 86_400_000
const stampEveryMs = 2

/**
 * Titles, authors, towns and the follow graph are real where the data lies beside the repository, else drawn from a
 * seed with the same sizes and tails. `people` cuts it down to that many: the first to appear, with what they wrote.
 */
export function loadDataset(nowMs: number, peopleMax = Number.POSITIVE_INFINITY): Dataset {
  const [titles, towns] = [readTitles(), readTowns()]
  const draw = new Draw(seed)
  const isReal = titles !== undefined && towns !== undefined
  const all = titles ?? makeTitles(wholeSize.people, wholeSize.posts, seed)
  const known = all.reduce((most, { author }) => Math.max(most, author), 0) + 1
  const count = Math.min(known, peopleMax)
  const people = makePeople(count, towns ?? makeTowns(seed), seed)
  const kept = all.filter(({ author }) => author < count)
  const follows = readFollows(count)
  return {
    source:
      isReal && follows !== undefined
        ? 'real posts, towns and follows'
        : 'made up from a seed, as the real data is not here (ONEHOP_DATA)',
    people,
    posts: stamped(kept, nowMs, draw),
    follows: follows ?? makeFollows(count, Math.round((wholeSize.follows * count) / wholeSize.people), seed),
  }
}

function stamped(titles: readonly Title[], nowMs: number, draw: Draw): Post[] {
  const firstMs = titles[0]?.writtenMs ?? 0
  const lengthMs = Math.max(1, (titles.at(-1)?.writtenMs ?? 0) - firstMs)
  // Ends some minutes ago, so that what the trial itself writes is newer than all of it.
  const endMs = nowMs - 600_000
  let lastMs = 0
  return titles.map(({ author, title, url, writtenMs }, i) => {
    const movedMs = Math.floor(endMs - spanMs + ((writtenMs - firstMs) / lengthMs) * spanMs)
    lastMs = Math.max(movedMs, lastMs + stampEveryMs)
    return {
      author,
      title,
      url: url === '' || url.length > 2_000 ? undefined : url,
      preview: i % previewEvery === 0 ? makePicture(draw, 64, 48, 24) : undefined,
      writtenMs: lastMs,
    }
  })
}
