/** One word that is near, and how many edits away. */
export interface NearWord {
  readonly word: string
  readonly distance: number
}

const surrogate = /[\ud800-\udfff]/

/**
 * Of words in order those within so many edits, as `editDistance` of the protocol has it. What words begin alike is compared once, and where
 * no ending could mend it all that begin so are passed over: of a hundred thousand words a few thousand letters are looked at.
 */
export function* nearWords(words: Iterable<string>, term: string, most: number): Generator<NearWord> {
  const wanted = Array.from(term)
  const width = wanted.length + 1
  /** Row n: after the first n letters of the word, the distance to each beginning of the term. */
  const rows: number[][] = [Array.from({ length: width }, (_, i) => i)]
  let last: readonly string[] = []
  /** All that begin with so many letters of `last` are too far; 0 where that is not known. */
  let hopeless = 0
  for (const word of words) {
    const letters = surrogate.test(word) ? Array.from(word) : word.split('')
    let same = 0
    while (same < letters.length && same < last.length && letters[same] === last[same]) same++
    if (hopeless > 0 && same >= hopeless) continue
    hopeless = 0
    last = letters
    rows.length = same + 1
    for (let i = same + 1; i <= letters.length; i++) {
      rows.push(nextRow(rows, letters, wanted, i))
      if (least(rows[i]) > most && least(rows[i - 1]) > most) {
        hopeless = i
        break
      }
    }
    const distance = hopeless === 0 ? (rows[letters.length]?.[width - 1] as number) : most + 1
    if (distance <= most) yield { word, distance }
  }
}

function nextRow(
  rows: readonly (readonly number[])[],
  letters: readonly string[],
  wanted: readonly string[],
  i: number,
): number[] {
  const above = rows[i - 1] as readonly number[]
  const row = [i]
  for (let j = 1; j <= wanted.length; j++) {
    const same = letters[i - 1] === wanted[j - 1] ? 0 : 1
    let value = Math.min(
      (above[j] as number) + 1,
      (row[j - 1] as number) + 1,
      (above[j - 1] as number) + same,
    )
    if (i > 1 && j > 1 && letters[i - 1] === wanted[j - 2] && letters[i - 2] === wanted[j - 1])
      value = Math.min(value, (rows[i - 2]?.[j - 2] as number) + 1)
    row.push(value)
  }
  return row
}

function least(row: readonly number[] | undefined): number {
  let value = Number.POSITIVE_INFINITY
  for (const one of row ?? []) if (one < value) value = one
  return value
}
