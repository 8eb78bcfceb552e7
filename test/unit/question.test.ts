import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { askLine, withHiddenLines, withLines } from '../../cli/question.ts'

function terminal() {
  const stopping = new AbortController()
  const stdin = new PassThrough()
  return { stdin, signal: stopping.signal, stopping }
}

test('what is typed is answered, question by question', async () => {
  const at = terminal()
  const asked = withLines(at, async (ask) => [await ask('one? '), await ask('two? ')])
  at.stdin.write('1\r')
  setImmediate(() => at.stdin.write('2\r'))
  expect(await asked).toEqual(['1', '2'])
  const line = askLine(at, 'name? ')
  at.stdin.write('  Ada \r')
  expect(await line).toBe('Ada')
})

test('Ctrl-C interrupts the process, whose signal then ends the question', async () => {
  const at = terminal()
  let interrupts = 0
  const asked = withLines(
    at,
    (ask) => ask('? '),
    () => {
      interrupts++
      at.stopping.abort()
    },
  )
  at.stdin.write('\u0003')
  await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
  expect(interrupts).toBe(1)
})

test('Ctrl-D and the end of input end the question, and the process goes on', async () => {
  const at = terminal()
  const asked = askLine(at, '? ')
  at.stdin.write('\u0004')
  await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
  const ended = terminal()
  const waiting = askLine(ended, '? ')
  ended.stdin.end()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
})

test('before a secret is asked the terminal is raw, and it is until the last was typed', async () => {
  const at = terminal()
  const happened: string[] = []
  const setRawMode = (isRaw: boolean): void => void happened.push(isRaw ? 'raw' : 'cooked')
  Object.assign(at.stdin, { isTTY: true, setRawMode })
  const written = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    happened.push(String(text))
    return true
  })
  try {
    const asked = withHiddenLines(at, async (ask) => [await ask('one? '), await ask('two? ')])
    at.stdin.write('first\r')
    setImmediate(() => at.stdin.write('second\r'))
    expect(await asked).toEqual(['first', 'second'])
  } finally {
    written.mockRestore()
  }
  expect(happened).toEqual(['raw', 'one? ', '\n', 'two? ', '\n', 'cooked'])
})
