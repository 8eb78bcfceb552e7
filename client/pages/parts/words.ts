/** Numbers, times and failures in words for people. */
import { asOnehopError } from '../../../protocol/errors.ts'

const units: readonly (readonly [string, number])[] = [
  ['GB', 2 ** 30],
  ['MB', 2 ** 20],
  ['KB', 2 ** 10],
]

export function bytesInWords(bytes: number): string {
  const [unit, size] = units.find(([, least]) => bytes >= least) ?? ['bytes', 1]
  const value = bytes / size
  return `${unit === 'bytes' || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`
}

const spans: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
]

/** The largest unit that fits: 4 min, 3 d. */
export function spanInWords(ms: number): string {
  const [unit, length] = spans.find(([, least]) => ms >= least) ?? ['s', 1000]
  return `${Math.max(0, Math.floor(ms / length))} ${unit}`
}

/** Recent times as a distance, older ones as a date. */
export function timeInWords(atMs: number, nowMs: number): string {
  const ago = nowMs - atMs
  if (ago < 45_000) return 'now'
  if (ago < 7 * 86_400_000) return spanInWords(Math.max(ago, 60_000))
  return new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' }).format(atMs)
}

export function countInWords(count: number, one: string, many: string): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`
}

/** mm:ss */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Enough of an id to tell two apart. */
export function shortId(hex: string): string {
  return `${hex.slice(0, 6)}…${hex.slice(-4)}`
}

export interface Failure {
  readonly text: string
  /** The way out. */
  readonly help: string
}

/** What happened as a sentence, and what to do about it. */
export function failureInWords(error: unknown): Failure {
  const { message, help } = asOnehopError(error)
  const text = message.charAt(0).toUpperCase() + message.slice(1)
  return { text: /[.!?]$/.test(text) ? text : `${text}.`, help }
}
