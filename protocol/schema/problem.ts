/** One thing that is wrong with a document or a value, where, and what to do about it. */
export interface Problem {
  /** Such as `collections.posts.fields.title.max`; empty for the whole. */
  readonly path: string
  readonly message: string
  readonly fix: string
}

/** Collects everything that is wrong, so that an author mends a document in one go. */
export class Problems {
  readonly list: Problem[] = []

  add(path: string, message: string, fix: string): void {
    this.list.push({ path, message, fix })
  }
}

/** For a command line or an error: one line for each problem. */
export function describeProblems(problems: readonly Problem[]): string {
  return problems
    .map(({ path, message, fix }) => `${path === '' ? '' : `${path}: `}${ended(message)} ${ended(fix)}`)
    .join('\n')
}

function ended(sentence: string): string {
  return /[.?!]$/.test(sentence) ? sentence : `${sentence}.`
}

/** The known word that was most likely meant; undefined when none is near. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined
  // A third of the letters may be wrong: `audiance` finds `audience`, `x` finds nothing.
  let least = Math.floor(Math.max(word.length, 3) / 3) + 1
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [nearest, least] = [candidate, distance]
  }
  return nearest
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
