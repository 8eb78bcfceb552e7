import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createOutput } from '../../cli/output.ts'
import type { Call } from '../../cli/command.ts'
import { askBack, handOutShares, onSecondScreen, wordGrid, writeWords } from '../../cli/recovery-screen.ts'
import { makeRecoveryWords, readRecoveryWords, sharesOfWords } from '../../protocol/identity/recovery.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(7)
const words = makeRecoveryWords(crypto)

test('nobody goes on before both words were typed as they are; each wrong answer shows all again', async () => {
  const told: string[] = []
  let round = 0
  await askBack(words, {
    random: crypto,
    show: async () => void told.push('shown'),
    async ask(numbers) {
      const right = numbers.map((number) => words[number - 1] as string)
      const answers = [['', ''], [right[0] as string, 'abandon'], right.toReversed(), right]
      return answers[round++] ?? []
    },
    wrong: async (numbers) => void told.push(`wrong ${numbers.length}`),
  })
  expect(told).toEqual(['shown', 'wrong 2', 'shown', 'wrong 1', 'shown', 'wrong 2', 'shown'])
})

test('the grid is read down its columns, and typed from it the words are the same', () => {
  const rows = wordGrid(words).split('\n')
  expect(rows).toHaveLength(6)
  expect(rows[0]).toMatch(new RegExp(`^ *1 ${words[0]} +7 ${words[6]} +13 ${words[12]} +19 ${words[18]}$`))
  const numbered = words.map((word, i) => `${i + 1} ${word}`).join('  ')
  expect(readRecoveryWords(numbered)).toEqual(words)
})

test('a file of words is for its owner alone, and never written over another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-words-'))
  try {
    const path = join(folder, 'words.txt')
    await writeWords(path, words)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readRecoveryWords(readFileSync(path, 'utf8'))).toEqual(words)
    await expect(writeWords(path, makeRecoveryWords(crypto))).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
    })
    expect(readRecoveryWords(readFileSync(path, 'utf8'))).toEqual(words)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('of shares all files are written or none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-shares-'))
  try {
    const stream = { isTTY: false, write: () => undefined }
    const output = createOutput({ json: true, stdout: stream, stderr: stream, environment: {} })
    const screen = { output, context: {} as Call['context'] }
    const file = join(folder, 'share')
    const shares = sharesOfWords(crypto, words)
    await writeWords(`${file}-2`, words)
    await expect(handOutShares(screen, shares, file)).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
    expect(readdirSync(folder)).toEqual(['share-2'])
    const files = await handOutShares(screen, shares, join(folder, 'other'))
    expect(
      readRecoveryWords(
        files
          .slice(1)
          .map((path) => readFileSync(path, 'utf8'))
          .join('\n'),
      ),
    ).toEqual(words)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the screen is cleared and then its scrollback, also after a failure; where that may not help it is said', async () => {
  const shown = async (term: string): Promise<string> => {
    let text = ''
    const stream = { isTTY: true, write: (part: string) => void (text += part) }
    const environment = { TERM: term }
    const output = createOutput({ json: false, stdout: stream, stderr: stream, environment })
    const context = { environment } as Partial<Call['context']> as Call['context']
    const failing = onSecondScreen({ output, context }, async () => {
      output.words('abandon')
      throw new Error('interrupted')
    })
    await expect(failing).rejects.toThrow('interrupted')
    return text
  }
  const [xterm, console] = [await shown('xterm-256color'), await shown('linux')]
  // oxlint-disable-next-line no-control-regex
  expect(xterm).toMatch(/abandon\n\u001b\[H\u001b\[2J\u001b\[3J\u001b\[\?1049l$/)
  expect(console).toContain('close it afterwards')
})
