/**
 * Short texts by the hundred thousand, with words as unevenly spread as people's: cut from real posts where the data lies beside
 * the repository, else made of made-up words after Zipf. The same seed gives the same texts.
 */
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'

const root = process.env.ONEHOP_DATA ?? resolve(import.meta.dirname, '../../../shared/data')
const sources = [
  'hn-posts-20k/hacker_news.csv.gz',
  'udhr/udhr-articles.jsonl',
  'afrisenti/data/swa/test.tsv',
  'afrisenti/data/hau/test.tsv',
  'afrisenti/data/yor/test.tsv',
]

export interface Texts {
  /** What they are cut from. */
  readonly of: 'posts' | 'made-up words'
  next(): string
  /** From 0 to below `n`. */
  below(n: number): number
}

export function makeTexts(seed: number): Texts {
  const below = seededBelow(seed)
  const lines = sources.flatMap(readLines)
  if (lines.length === 0) {
    const word = zipfWords(below)
    return { of: 'made-up words', below, next: () => Array.from({ length: 5 + below(20) }, word).join(' ') }
  }
  // Two or three pieces of what somebody wrote: whole texts would come again and again.
  const piece = (): string => {
    const words = (lines[below(lines.length)] as string).split(' ')
    const length = 2 + below(8)
    const start = below(Math.max(1, words.length - length))
    return words.slice(start, start + length).join(' ')
  }
  return { of: 'posts', below, next: () => Array.from({ length: 2 + below(2) }, piece).join(' ') }
}

function readLines(name: string): string[] {
  const path = resolve(root, name)
  if (!existsSync(path)) return []
  const bytes = readFileSync(path)
  const lines = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n')
  return lines.map((line) => textOf(name, line)).filter((text) => text.length > 0)
}

function textOf(name: string, line: string): string {
  if (name.endsWith('.jsonl')) return line === '' ? '' : (JSON.parse(line) as { text: string }).text
  if (name.endsWith('.tsv')) return (line.split('\t').at(-2) ?? '').replaceAll(/@\S+/g, '')
  // The title is the second column, quoted where it has a comma.
  return (
    /^\d+,(?:"((?:[^"]|"")*)"|([^,]*)),/
      .exec(line)
      ?.slice(1)
      .find((part) => part !== undefined) ?? ''
  )
}

function zipfWords(below: (n: number) => number): () => string {
  const words = Array.from({ length: 50_000 }, (_, i) => `w${(i * 7919).toString(36)}`)
  return () => words[Math.floor(Math.exp((below(1_000_000) / 1_000_000) * Math.log(words.length)))] as string
}

/** Lehmer's generator with 48271: enough for texts. */
function seededBelow(seed: number): (n: number) => number {
  let state = (seed % 2_147_483_646) + 1
  return (n) => {
    state = (state * 48_271) % 2_147_483_647
    return state % n
  }
}
