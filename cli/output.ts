/**
 * Data to standard output, words to standard error, so that `onehop get posts | jq` works while somebody reads.
 * With --json every line of standard output is one JSON object, errors too.
 */
import { stripVTControlCharacters } from 'node:util'
import { toJson } from '../protocol/api/fields.ts'

export interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface OutputOptions {
  readonly json: boolean
  readonly stdout: Stream
  readonly stderr: Stream
  readonly environment: NodeJS.ProcessEnv
}

type Paint = (text: string) => string

export interface Output {
  readonly json: boolean
  /** Whether a person is watching standard error: progress and QR codes are for people. */
  readonly watched: boolean
  /** Whether colours and other escape sequences may be written. */
  readonly painted: boolean
  /** Of that person's terminal. */
  readonly columns: number
  /** One JSON object on a line of standard output; bytes become hex, u64 decimal text. */
  line(value: object): void
  /** Text on standard output: what the command was asked for. */
  data(text: string): void
  /** Text on standard error: everything around it. */
  words(text: string): void
  /** Unfinished text on standard error, for progress that overwrites itself. */
  raw(text: string): void
  readonly bold: Paint
  readonly dim: Paint
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
}

const narrowest = 40
const widthUnknown = 80

export function createOutput({ json, stdout, stderr, environment }: OutputOptions): Output {
  const plain = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb'
  // Painted text may go to either stream, so both have to be a terminal.
  const painted = !plain && stdout.isTTY === true && stderr.isTTY === true
  const paint =
    (start: number, end: number): Paint =>
    (text) =>
      painted ? `\u001b[${start}m${text}\u001b[${end}m` : text
  return {
    json,
    painted,
    watched: stderr.isTTY === true && environment.TERM !== 'dumb',
    columns: Math.max(narrowest, stderr.columns ?? widthUnknown),
    line: (value) => void stdout.write(`${JSON.stringify(toJson(value))}\n`),
    data: (text) => void stdout.write(`${text}\n`),
    words: (text) => void stderr.write(`${text}\n`),
    raw: (text) => void stderr.write(text),
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
  }
}

/** Rows in columns, two spaces between. Cells may be painted; the last column is never padded. */
export function columns(rows: readonly (readonly string[])[], indent = ''): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, shownWidth(cell))
  return rows
    .map((row) =>
      (
        indent +
        row
          .map((cell, i) =>
            i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - shownWidth(cell)),
          )
          .join('  ')
      ).trimEnd(),
    )
    .join('\n')
}

function shownWidth(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length
}

/** Text of strangers for a terminal: what could move the cursor or colour the screen is taken out. */
export function safeText(text: string): string {
  return stripVTControlCharacters(text).replaceAll(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    ' ',
  )
}
