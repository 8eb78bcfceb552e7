/**
 * Recovery words at the terminal and in files. They are shown on the terminal's second screen, which leaves nothing in
 * its scrollback where the terminal has one; where it has none, what it keeps is cleared as far as it obeys. They never
 * go to standard output, which may be a file or a log.
 */
import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import { systemRandom } from '../client/random.ts'
import { OnehopError } from '../protocol/errors.ts'
import { drawAskedBack, wrongAnswers } from '../protocol/identity/recovery.ts'
import type { Call, Option } from './command.ts'
import { NeedsAction } from './failure.ts'
import { columns } from './output.ts'
import { withLines } from './question.ts'

type Screen = Pick<Call, 'context' | 'output'>

const enterSecondScreen = '\u001b[?1049h\u001b[H'
/**
 * Cleared as well: some terminals show it again to whoever enters it next. The scrollback after the screen, as clearing
 * pushes into it where there is no second one.
 */
const leaveSecondScreen = '\u001b[H\u001b[2J\u001b[3J\u001b[?1049l'
/** What calls itself so may have no second screen, and need not clear its scrollback. */
const keepingTerminals = /^(linux|screen|vt\d)/
/** Beyond, it is no file of words. */
const wordsBytesMax = 4_096

export const wordsFileOption = {
  type: 'string',
  value: 'FILE',
  help: 'write the recovery words there, not to the terminal',
} as const satisfies Option

/** To the person: into the file that is named, else onto the terminal and two of them asked back. */
export async function handOutWords(
  screen: Screen,
  words: readonly string[],
  file: string | undefined,
  otherwise = '',
): Promise<void> {
  const { output, context } = screen
  if (file !== undefined) {
    await writeWords(file, words)
    if (!output.json)
      output.words(`Your recovery words are in ${file}. Put it where no other machine reads it.`)
    return
  }
  if (output.json || !output.watched || context.stdin.isTTY !== true) {
    throw new NeedsAction('BAD_REQUEST', 'recovery words can be shown at a terminal only', {
      help: `Run this at a terminal, or say where they go (--words-file FILE)${otherwise}.`,
    })
  }
  await showWords(screen, words)
}

/** Shows them until they were written down. What is typed to prove it stays nowhere either. */
async function showWords(screen: Screen, words: readonly string[]): Promise<void> {
  const { output, context } = screen
  await withLines(context, (ask) =>
    askBack(words, {
      random: { random: (length: number) => systemRandom.bytes(length) },
      show: () =>
        onSecondScreen(screen, async () => {
          output.words(output.bold('Your 24 recovery words. Write them on paper, in this order:'))
          output.words(`\n${wordGrid(words)}\n`)
          output.words('From them alone everything of yours comes back. Whoever has them is you.')
          output.words('They are shown now and never again.')
          await ask('\nPress Enter when they are written down. ')
        }),
      ask: (numbers) =>
        onSecondScreen(screen, async () => {
          const answers: string[] = []
          for (const number of numbers) answers.push(await ask(`Word ${number}: `))
          return answers
        }),
      async wrong(numbers) {
        const which = numbers.length === 1 ? 'That is not word' : 'Those are not words'
        output.words(output.yellow(`${which} ${numbers.join(' and ')}.`))
        await ask('Press Enter to see the words again. ')
      },
    }),
  )
}

/** One after the other: each goes to another place or person, who does not see the next. */
export async function handOutShares(
  screen: Screen,
  shares: readonly (readonly string[])[],
  file: string | undefined,
): Promise<readonly string[]> {
  const { output, context } = screen
  if (file !== undefined) {
    const files = shares.map((_, i) => `${file}-${i + 1}`)
    // All or none: one share of a set that has no other would only mislead.
    const taken = files.find((path) => existsSync(path))
    if (taken !== undefined)
      throw new OnehopError('STORE_UNWRITABLE', `${taken} is there already`, {
        help: 'Name files that are not there yet.',
      })
    for (const [i, share] of shares.entries()) await writeWords(files[i] as string, share)
    if (!output.json) output.words(`The shares are in ${files.join(', ')}. Each belongs in another place.`)
    return files
  }
  if (output.json || !output.watched || context.stdin.isTTY !== true) {
    throw new NeedsAction('BAD_REQUEST', 'shares can be shown at a terminal only', {
      help: 'Run this at a terminal, or say where they go: --shares-file FILE makes FILE-1, FILE-2 and FILE-3.',
    })
  }
  await withLines(context, async (ask) => {
    for (const [i, share] of shares.entries()) {
      await onSecondScreen(screen, async () => {
        output.words(output.bold(`Share ${i + 1} of ${shares.length}: 33 words, in this order:`))
        output.words(`\n${wordGrid(share)}\n`)
        output.words('Give it to one person or put it in one place. Alone it tells nothing.')
        await ask('\nPress Enter when it is written down. ')
      })
    }
  })
  return []
}

export interface AskBack {
  readonly random: Parameters<typeof drawAskedBack>[0]
  show(): Promise<void>
  ask(numbers: readonly number[]): Promise<readonly string[]>
  wrong(numbers: readonly number[]): Promise<void>
}

/** Two of the words are asked back; after a wrong answer all are shown again, and others asked. */
export async function askBack(words: readonly string[], screen: AskBack): Promise<void> {
  for (;;) {
    await screen.show()
    const numbers = drawAskedBack(screen.random)
    const wrong = wrongAnswers(words, numbers, await screen.ask(numbers))
    if (wrong.length === 0) return
    await screen.wrong(wrong)
  }
}

/** Four columns, numbered down each, as a person writes them. */
export function wordGrid(words: readonly string[]): string {
  const rows = Math.ceil(words.length / 4)
  return columns(
    Array.from({ length: rows }, (_, row) =>
      Array.from({ length: 4 }, (__, column) => {
        const at = column * rows + row
        return `${String(at + 1).padStart(2)} ${words[at] ?? ''}`
      }),
    ),
    '  ',
  )
}

/** Mode 0600, on disk when it resolves, and never over another file: it may hold somebody's words. */
export async function writeWords(path: string, words: readonly string[]): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(`${words.join(' ')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    throw new OnehopError('STORE_UNWRITABLE', `cannot write ${path}: ${(cause as Error).message}`, {
      cause,
      help: isThere ? 'Name a file that is not there yet.' : 'Name a file in a folder that you may write to.',
    })
  }
}

/** From a file, from standard input (`-`), or typed where nothing of it stays. */
export async function readWords(screen: Screen, path: string | undefined): Promise<string> {
  const { context, output } = screen
  if (path === '-') return readAll(context.stdin)
  if (path !== undefined) return readWordsFile(path)
  if (output.json || !output.watched || context.stdin.isTTY !== true) {
    throw new NeedsAction('BAD_REQUEST', 'recovery words are typed at a terminal', {
      help: 'Run this at a terminal, or hand them in: --words-file FILE, or --words-file - for standard input.',
    })
  }
  return withLines(context, (ask) =>
    onSecondScreen(screen, async () => {
      output.words(
        output.bold(
          'Type your 24 recovery words, or two shares of 33, with spaces between; several lines are fine.',
        ),
      )
      output.words('An empty line ends.\n')
      const lines: string[] = []
      for (let line = await ask('> '); line.trim() !== ''; line = await ask('> ')) lines.push(line)
      return lines.join('\n')
    }),
  )
}

async function readWordsFile(path: string): Promise<string> {
  try {
    const bytes = await readFile(path)
    return bytes.subarray(0, wordsBytesMax).toString('utf8')
  } catch (cause) {
    throw new OnehopError('BAD_REQUEST', `cannot read ${path}: ${(cause as Error).message}`, {
      cause,
      help: 'Name the file that holds the words.',
    })
  }
}

export async function onSecondScreen<T>({ output, context }: Screen, action: () => Promise<T>): Promise<T> {
  output.raw(enterSecondScreen)
  try {
    return await action()
  } finally {
    output.raw(leaveSecondScreen)
    if (keepingTerminals.test(context.environment['TERM'] ?? ''))
      output.words(
        output.yellow('This terminal may have kept the words in its scrollback: close it afterwards.'),
      )
  }
}
