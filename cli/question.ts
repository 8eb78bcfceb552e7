/** One line asked of the person at the terminal. */
import { createInterface } from 'node:readline/promises'
import type { Context } from './command.ts'

/** Rejects with an AbortError when `signal` aborts, or at Ctrl-C and Ctrl-D. */
export async function askLine(
  { stdin, signal }: Pick<Context, 'stdin' | 'signal'>,
  question: string,
): Promise<string> {
  const lines = createInterface({ input: stdin, output: process.stderr, terminal: true, historySize: 0 })
  const left = new AbortController()
  // In raw mode the terminal hands Ctrl-C over as a key: the process must learn of it, or it would take two.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  lines.on('close', () => left.abort())
  try {
    return (await lines.question(question, { signal: AbortSignal.any([signal, left.signal]) })).trim()
  } finally {
    lines.close()
  }
}
