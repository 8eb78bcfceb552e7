import { stemmer } from 'stemmer'
import { searchLimits } from './limits.ts'
import { englishStopWords } from './stop-words.ts'

/** `en`: English stop words and Porter's stemmer. `plain`: neither, for every other language. */
export type Analyser = 'en' | 'plain'

/**
 * Letters, digits and the marks that belong to them, with apostrophes inside a word. Classes of code points rather
 * than Intl.Segmenter: the segmenter's dictionaries differ between runtimes, and one differing term is another
 * ranking. The classes grow with Unicode, but only by code points that were unassigned before.
 */
const word = /[\p{L}\p{N}\p{M}]+(?:['’][\p{L}\p{N}\p{M}]+)*/gu

/** Scripts that are written without spaces: their runs become overlapping pairs of characters. */
const unspaced =
  /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}ー]\p{M}*/gu
const unspacedRun =
  /(?:[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}ー]\p{M}*)+/gu

/** No script without spaces lies below Thai. */
const thaiAndAbove = /[\u0e00-\u{10ffff}]/u

/**
 * The terms of a text in order. Text is composed (NFKC), lower-cased without regard to locale, final sigma
 * made plain. Bounded: what exceeds the limits is left out, equally everywhere.
 */
export function analyse(text: string, analyser: Analyser): string[] {
  const terms: string[] = []
  for (const [found] of fold(text.slice(0, searchLimits.documentCharsMax)).matchAll(word)) {
    for (const part of cut(found)) {
      const term = analyser === 'en' ? english(part) : part.replaceAll(/['’]/g, '')
      if (term !== '') terms.push(shorten(term))
      if (terms.length === searchLimits.documentTermsMax) return terms
    }
  }
  return terms
}

/** Never half a surrogate pair: such a term could not be sent. */
function shorten(term: string): string {
  return term.length <= searchLimits.termCharsMax
    ? term
    : term.slice(0, searchLimits.termCharsMax).replace(/[\ud800-\udbff]$/, '')
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ').normalize('NFKC')
}

function english(part: string): string {
  const plain = part.replace(/['’]s$/, '').replaceAll(/['’]/g, '')
  if (englishStopWords.has(plain)) return ''
  // Porter's rules speak of the letters a to z; other words are left alone.
  return plain.length <= searchLimits.termCharsMax && /^[a-z]+$/.test(plain) ? stemmer(plain) : plain
}

/** A word as it is, save that runs of unspaced script come as pairs. */
function cut(found: string): readonly string[] {
  if (!thaiAndAbove.test(found)) return [found]
  const parts: string[] = []
  let from = 0
  for (const run of found.matchAll(unspacedRun)) {
    if (run.index > from) parts.push(found.slice(from, run.index))
    from = run.index + run[0].length
    const characters = run[0].match(unspaced) as string[]
    if (characters.length === 1) parts.push(run[0])
    for (let i = 1; i < characters.length; i++) parts.push(`${characters[i - 1]}${characters[i]}`)
  }
  if (from < found.length) parts.push(found.slice(from))
  return parts
}

export function countTerms(terms: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1)
  return counts
}
