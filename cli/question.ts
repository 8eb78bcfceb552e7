/** Lines asked of the person at the terminal. */
import { createInterface } from 'node:readline/promises'
import type { Context } from './command.ts'

type Terminal = Pick<Context, 'stdin' | 'signal'>

/** Rejects with an AbortError when `signal` aborts, or at Ctrl-C and Ctrl-D. */
export type Ask = (question: string) => Promise<string>

/**
 * Lends the terminal for several questions. No history: what was typed must not come back by the arrow keys. Ctrl-C
 * means what it means everywhere else: in raw mode the terminal hands it over as a key, and the process must learn of
 * it, or it would take two.
 */
export async function withLines<T>(
  { stdin, signal }: Terminal,
  action: (ask: Ask) => Promise<T>,
  interrupt: () => void = () => void process.kill(process.pid, 'SIGINT'),
): Promise<T> {
  const lines = createInterface({ input: stdin, output: process.stderr, terminal: true, historySize: 0 })
  const left = new AbortController()
  lines.on('SIGINT', interrupt)
  lines.on('close', () => left.abort(Object.assign(new Error('no more input'), { name: 'AbortError' })))
  const both = AbortSignal.any([signal, left.signal])
  try {
    return await action((question) => lines.question(question, { signal: both }))
  } finally {
    lines.close()
  }
}

/** One line, without the spaces around it. */
export async function askLine(terminal: Terminal, question: string): Promise<string> {
  return (await withLines(terminal, (ask) => ask(question))).trim()
}
