import { readRecoveryWords, sharesOfWords } from '../../protocol/identity/recovery.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { handOutShares, readWords } from '../recovery-screen.ts'

export const recoveryShares: Command = {
  name: 'recovery shares',
  summary: 'your recovery words in three shares, of which two are enough',
  operands: [],
  options: {
    'words-file': { type: 'string', value: 'FILE', help: 'read the words there; - is standard input' },
    'shares-file': {
      type: 'string',
      value: 'FILE',
      help: 'write the shares to FILE-1, FILE-2 and FILE-3, not to the terminal',
    },
  },
  examples: [
    ['onehop recovery shares', 'types the words, shows one share after the other'],
    ['onehop recovery shares --words-file ~/words.txt --shares-file ~/share', 'in a script'],
  ],
  notes: [
    'For three people or places: none of them alone can do anything, and one may be lost. Shares are SLIP-0039, 33 words',
    'each; wherever the 24 words are asked for, two shares one after the other do as well. Neither the node nor any other',
    'machine takes part. Each run makes a set of its own: shares of two sets do not mix. A set is good as long as the words',
    'are (onehop recovery new ends both).',
  ].join('\n'),
  async run(call) {
    const { flags, context, output } = call
    const words = readRecoveryWords(await readWords(call, flags.text('words-file')))
    const crypto = await context.crypto()
    const files = await handOutShares(call, sharesOfWords(crypto, words), flags.text('shares-file'))
    if (output.json) output.line({ threshold: 2, files })
    return exitCodes.ok
  },
}
