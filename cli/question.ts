/** Lines asked of the person at the terminal. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Context } from './command.ts'

type Terminal = Pick<Context, 'stdin' | 'signal'>

/** Rejects with an AbortError when `signal` aborts, or at Ctrl-C and Ctrl-D. */
export type Ask = (question: string) => Promise<string>

type Interrupt = () => void

/**
 * Ctrl-C means what it means everywhere else: in raw mode the terminal hands it over as a key, and the process must
 * learn of it, or it would take two.
 */
const interruptProcess: Interrupt = () => void process.kill(process.pid, 'SIGINT')

/** Lends the terminal for several questions. */
export function withLines<T>(
  terminal: Terminal,
  action: (ask: Ask) => Promise<T>,
  interrupt = interruptProcess,
): Promise<T> {
  return withTerminal(terminal, process.stderr, interrupt, action)
}

/** The same, and what is typed does not show. */
export function withHiddenLines<T>(terminal: Terminal, action: (ask: Ask) => Promise<T>): Promise<T> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  return withTerminal(terminal, nowhere, interruptProcess, (ask) =>
    // The terminal shows what is typed until it is raw: whoever reads the question must find it so.
    action(async (question) => {
      process.stderr.write(question)
      try {
        return await ask('')
      } finally {
        process.stderr.write('\n')
      }
    }),
  )
}

/** Raw from the beginning, and between the questions. No history: what was typed must not come back by the arrow keys. */
async function withTerminal<T>(
  { stdin, signal }: Terminal,
  output: NodeJS.WritableStream,
  interrupt: Interrupt,
  action: (ask: Ask) => Promise<T>,
): Promise<T> {
  const lines = createInterface({ input: stdin, output, terminal: true, historySize: 0 })
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
