/** Lines of a file of any size, with their numbers. Memory holds one chunk and one line. */
export interface Line {
  /** From 1, as editors count. */
  readonly number: number
  /** Undefined for a line that is too long or not UTF-8; `problem` then says which. */
  readonly text: string | undefined
  readonly problem?: string
  /** Of the file, up to the end of this line. */
  readonly bytesRead: number
}

/** Longer than the JSON of any record that a node takes. */
const lineBytesMax = 1024 * 1024
const newline = 0x0a
const byteOrderMark = '\uFEFF'

/** Empty lines are counted and left out. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let kept: Uint8Array[] = []
  let keptBytes = 0
  let number = 0
  let bytesRead = 0

  const end = (): Line | undefined => {
    number++
    const line = keptBytes > lineBytesMax ? tooLong(number, bytesRead) : decode(kept)
    kept = []
    keptBytes = 0
    return line
  }
  const decode = (parts: readonly Uint8Array[]): Line | undefined => {
    try {
      const text = decoder.decode(Buffer.concat(parts))
      const trimmed = (number === 1 && text.startsWith(byteOrderMark) ? text.slice(1) : text).trim()
      return trimmed === '' ? undefined : { number, text: trimmed, bytesRead }
    } catch {
      return { number, text: undefined, problem: 'is not UTF-8', bytesRead }
    }
  }

  for await (const chunk of chunks) {
    let start = 0
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, start)) {
      keptBytes += at - start
      if (keptBytes <= lineBytesMax) kept.push(chunk.subarray(start, at))
      bytesRead += at - start + 1
      start = at + 1
      const line = end()
      if (line !== undefined) yield line
    }
    keptBytes += chunk.length - start
    bytesRead += chunk.length - start
    // What is known to be too long is not kept; only its end is waited for.
    if (keptBytes <= lineBytesMax) kept.push(chunk.subarray(start))
    else kept = []
  }
  const last = keptBytes > 0 ? end() : undefined
  if (last !== undefined) yield last
}

function tooLong(number: number, bytesRead: number): Line {
  return { number, text: undefined, problem: `is longer than ${lineBytesMax / 1024} KiB`, bytesRead }
}
