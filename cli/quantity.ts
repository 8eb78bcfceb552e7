/** Sizes and spans of time as people type them. */
import { UsageError } from './failure.ts'

const sizes = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 } as const
const spansMs = { min: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `500MB`, `1.5 GB`, `0`. */
export function readBytes(text: string, what: string): number {
  const found = /^(\d+(?:\.\d+)?) ?(b|kb|mb|gb|tb)?$/i.exec(text.trim())
  const bytes =
    found === null
      ? Number.NaN
      : Number(found[1]) * sizes[(found[2] ?? 'b').toLowerCase() as keyof typeof sizes]
  const whole = Math.round(bytes)
  if (Number.isSafeInteger(whole)) return whole
  throw new UsageError(`${what} is a size, not ${JSON.stringify(text)}`, 'For instance 500MB, 1.5GB or 0.')
}

/** `30min`, `12h`, `7d`. */
export function readSpan(text: string, what: string): number {
  const found = /^(\d+) ?(min|h|d)$/.exec(text.trim())
  const ms = found === null ? 0 : Number(found[1]) * spansMs[found[2] as keyof typeof spansMs]
  if (ms > 0 && Number.isSafeInteger(ms)) return ms
  throw new UsageError(
    `${what} is a span of time, not ${JSON.stringify(text)}`,
    'For instance 30min, 12h or 7d.',
  )
}
