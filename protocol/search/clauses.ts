/** What a query asks for, part by part: `river "old town" -rain harb* Lagoss~`. */
import { analyse, type Analyser, countTerms } from './analysis.ts'
import { searchLimits } from './limits.ts'

export type Clause =
  | { readonly kind: 'term'; readonly term: string }
  /** Terms one right after the other. */
  | { readonly kind: 'phrase'; readonly terms: readonly string[] }
  /** Whatever begins so. */
  | { readonly kind: 'prefix'; readonly start: string }
  /** Whatever is so many letters away at most: put in, left out, another, or two that changed places. */
  | { readonly kind: 'near'; readonly term: string; readonly distance: 1 | 2 }

export interface WeighedClause {
  readonly clause: Clause
  /** Names it in statistics. */
  readonly name: string
  /** How often the query says it. */
  readonly times: number
}

export interface ParsedQuery {
  /** In the order of their first appearance: the order in which scores are summed. */
  readonly clauses: readonly WeighedClause[]
  /** Documents with one of these are left out. */
  readonly without: readonly WeighedClause[]
}

/** A minus, then words in quotes or one word; after a word a star or a tilde. */
const part = /(-?)(?:"([^"]*)"?|([^\s"]+))/gu

/** Words alone give the terms of `analyse`. What is too much is left out, equally everywhere. */
export function parseQuery(text: string, analyser: Analyser): ParsedQuery {
  const clauses = new Map<string, WeighedClause>()
  const without = new Map<string, WeighedClause>()
  let broad = 0
  for (const [, minus, quoted, word = ''] of text.matchAll(part)) {
    const mayBeBroad = broad < searchLimits.broadClausesMax
    const found =
      quoted === undefined ? wordClauses(word, analyser, mayBeBroad) : phraseClauses(quoted, analyser)
    if (found.some(isBroad)) broad++
    const into = minus === '-' ? without : clauses
    for (const clause of found) {
      const name = clauseName(clause)
      const known = into.get(name)
      if (known === undefined && into.size === searchLimits.queryTermsMax) continue
      into.set(name, { clause, name, times: (known?.times ?? 0) + 1 })
    }
  }
  return { clauses: [...clauses.values()], without: [...without.values()] }
}

/** Many words have to be looked at for it. */
export function isBroad({ kind }: Clause): boolean {
  return kind === 'prefix' || kind === 'near'
}

export function clauseName(clause: Clause): string {
  switch (clause.kind) {
    case 'term':
      return clause.term
    case 'phrase':
      return `"${clause.terms.join(' ')}"`
    case 'prefix':
      return `${clause.start}*`
    case 'near':
      return `${clause.term}~${clause.distance}`
  }
}

/** The clause of that name; terms have none of the signs in them. Undefined for what names none. */
export function clauseOf(name: string): Clause | undefined {
  if (name.startsWith('"')) {
    const terms = name.slice(1, -1).split(' ')
    const isPhrase = name.endsWith('"') && terms.length > 1 && terms.length <= searchLimits.phraseTermsMax
    return isPhrase && terms.every((term) => term !== '') ? { kind: 'phrase', terms } : undefined
  }
  if (name.endsWith('*')) return { kind: 'prefix', start: name.slice(0, -1) }
  const near = /^(.+)~([12])$/u.exec(name)
  if (near !== null) return { kind: 'near', term: near[1] as string, distance: near[2] === '1' ? 1 : 2 }
  return { kind: 'term', term: name }
}

function wordClauses(word: string, analyser: Analyser, mayBeBroad: boolean): Clause[] {
  if (!mayBeBroad) return analyse(word, analyser).map((term) => ({ kind: 'term', term }))
  const star = /^(.*[^*])\*+$/u.exec(word)?.[1]
  // What is begun has no ending to be taken off.
  const start = star === undefined ? undefined : analyse(star, 'plain')
  const [begun, ...more] = start ?? []
  if (begun !== undefined && more.length === 0 && Array.from(begun).length >= searchLimits.prefixCharsMin)
    return [{ kind: 'prefix', start: begun }]
  const near = /^(.*[^~])~([12])?$/u.exec(word)
  const [missed, ...others] = near === null ? [] : analyse(near[1] as string, analyser)
  const distance = missed === undefined ? undefined : nearDistance(missed, near?.[2])
  if (missed !== undefined && others.length === 0 && distance !== undefined)
    return [{ kind: 'near', term: missed, distance }]
  return analyse(word, analyser).map((term) => ({ kind: 'term', term }))
}

function phraseClauses(quoted: string, analyser: Analyser): Clause[] {
  const terms = analyse(quoted, analyser).slice(0, searchLimits.phraseTermsMax)
  const [first] = terms
  if (first === undefined) return []
  return terms.length === 1 ? [{ kind: 'term', term: first }] : [{ kind: 'phrase', terms }]
}

/** Of short words every other is near. */
function nearDistance(term: string, said: string | undefined): 1 | 2 | undefined {
  const { length } = Array.from(term)
  const most = length < 3 ? undefined : length < 6 ? 1 : 2
  return said === '1' && most !== undefined ? 1 : most
}

/** Near misses count less the farther they are: in parts of 1 that floats have exactly. */
export const nearWeights = [1, 0.5, 0.25] as const

/** How much a text's words count for the clause: for whoever checks a hit. */
export function countClause(clause: Clause, words: readonly string[]): number {
  switch (clause.kind) {
    case 'term':
      return words.reduce((sum, word) => sum + (word === clause.term ? 1 : 0), 0)
    case 'phrase': {
      let count = 0
      for (let at = 0; at + clause.terms.length <= words.length; at++)
        if (clause.terms.every((term, i) => words[at + i] === term)) count++
      return count
    }
    case 'prefix':
      return words.reduce((sum, word) => sum + (word.startsWith(clause.start) ? 1 : 0), 0)
    case 'near': {
      let count = 0
      for (const [word, times] of countTerms(words)) {
        const distance = editDistance(clause.term, word, clause.distance)
        if (distance <= clause.distance) count += times * (nearWeights[distance] as number)
      }
      return count
    }
  }
}

/**
 * Letters put in, left out, changed, or two neighbours swapped (optimal string alignment), by code points; more than `most`
 * where it is more.
 */
export function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most * 2) return most + 1
  const left = Array.from(a)
  const right = Array.from(b)
  if (Math.abs(left.length - right.length) > most) return most + 1
  let [before, above] = [[] as number[], right.map((_, i) => i)]
  above.push(right.length)
  for (let i = 1; i <= left.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1] ? 0 : 1
      let value = Math.min(
        (above[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (above[j - 1] as number) + same,
      )
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1])
        value = Math.min(value, (before[j - 2] as number) + 1)
      row.push(value)
      least = Math.min(least, value)
    }
    if (least > most && Math.min(...above) > most) return most + 1
    ;[before, above] = [above, row]
  }
  return Math.min(above[right.length] as number, most + 1)
}
