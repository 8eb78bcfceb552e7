import { OnehopError } from '../protocol/errors.ts'
import type { Clock, Log } from '../protocol/ports.ts'

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof levels)[number]

export interface LogOptions {
  readonly level: LogLevel
  /** One JSON object a line for machines, or a line to read. */
  readonly format: 'json' | 'pretty'
  readonly clock: Pick<Clock, 'nowMs'>
  /** Takes one line, newline included. Standard error when not given. */
  readonly write?: (line: string) => void
}

/** Cut there: a peer's text must not fill the disk. */
const textLengthMax = 2_000
const causeDepthMax = 4

export function createLog(options: LogOptions): Log {
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  const lowest = levels.indexOf(options.level)
  const at = (level: Exclude<LogLevel, 'silent'>): Log['info'] => {
    if (levels.indexOf(level) < lowest) return () => {}
    return (event, fields = {}) => {
      const time = new Date(options.clock.nowMs()).toISOString()
      const plain = Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [name, printable(value)]),
      )
      write(
        options.format === 'json'
          ? `${JSON.stringify({ time, level, event, ...plain })}\n`
          : `${time.slice(11, 23)} ${level.padEnd(5)} ${event}${prettyFields(plain)}\n`,
      )
    }
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function prettyFields(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('')
    .replaceAll(/[\n\r]+/g, ' ')
}

function printable(value: unknown, depth = 0): unknown {
  if (typeof value === 'string')
    return value.length > textLengthMax ? `${value.slice(0, textLengthMax)}…` : value
  if (typeof value === 'bigint') return value.toString()
  // Bytes may be a key or somebody's note; their length says enough.
  if (value instanceof Uint8Array) return `<${value.length} bytes>`
  if (value instanceof Error) {
    return {
      name: value.name,
      ...(value instanceof OnehopError ? { code: value.code } : {}),
      message: printable(value.message),
      ...(value.cause === undefined || depth >= causeDepthMax
        ? {}
        : { cause: printable(value.cause, depth + 1) }),
    }
  }
  if (value === null || typeof value !== 'object') return value
  if (depth >= causeDepthMax) return '…'
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => printable(item, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, printable(item, depth + 1)]))
}
