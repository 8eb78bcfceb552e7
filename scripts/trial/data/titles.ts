import { csvRows } from './csv.ts'
import { Draw } from './draw.ts'
import { readData } from './folder.ts'

/** A post as it was found: by whom (a number, never a name) and in which order. */
export interface Title {
  readonly author: number
  readonly title: string
  readonly url: string
  readonly writtenMs: number
}

/** Oldest first; authors are numbered by first appearance in the file. */
export function readTitles(): Title[] | undefined {
  const text = readData('hn-posts-20k/hacker_news.csv.gz')
  if (text === undefined) return undefined
  const numbers = new Map<string, number>()
  const titles: Title[] = []
  for (const [, title = '', url = '', , , author = '', created = ''] of csvRows(text)) {
    if (title.trim() === '' || author === '') continue
    const number = numbers.get(author) ?? numbers.size
    numbers.set(author, number)
    titles.push({ author: number, title: title.slice(0, 300), url, writtenMs: parseTime(created) })
  }
  return titles.toSorted((a, z) => a.writtenMs - z.writtenMs)
}

/** 8/4/2016 11:52 */
function parseTime(text: string): number {
  const [month = 1, day = 1, year = 1970, hour = 0, minute = 0] = text.split(/[/ :]/).map(Number)
  return Date.UTC(year, month - 1, day, hour, minute)
}

const subjects =
  'database kernel browser compiler startup telescope bicycle battery protocol satellite'.split(' ')
const verbs = 'shows hides learns breaks mends sells opens measures explains teaches'.split(' ')
const objects = 'memory money patterns rivers languages markets sensors proofs music maps'.split(' ')
const ends = 'in the open|for everyone|at night|without a server|over radio|in a week|by hand|at last'.split(
  '|',
)

/** As many, by as many, as unevenly spread. */
export function makeTitles(authors: number, posts: number, seed: number): Title[] {
  const draw = new Draw(seed)
  const titles: Title[] = []
  for (let i = 0; i < posts; i++) {
    // Everybody once, then the busy ones again and again.
    const author = i < authors ? i : Math.floor(authors * draw.fraction() ** 4)
    const title = `A ${draw.of(subjects)} ${draw.of(verbs)} ${draw.of(objects)} ${draw.of(ends)} ${draw.whole(4000)}`
    titles.push({ author, title, url: `https://example.org/${i}`, writtenMs: i * 1_000_000 })
  }
  const order = draw.some(titles, titles.length)
  return order.map((title, i) => ({ ...title, writtenMs: i * 1_000_000 }))
}
