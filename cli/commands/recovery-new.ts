import { makeRecovery, replaceRecovery } from '../../client/identity/recovery.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { requireIdentity } from '../owner.ts'
import { handOutWords, wordsFileOption } from '../recovery-screen.ts'

export const recoveryNew: Command = {
  name: 'recovery new',
  summary: 'new recovery words, in place of those before or of none',
  operands: [],
  options: { 'words-file': wordsFileOption },
  examples: [
    ['onehop recovery new', 'somebody saw the old ones, or there were none'],
    ['onehop recovery new --words-file ~/words.txt', 'in a script; then put the file away'],
  ],
  notes: [
    'The words before are good for nothing from then on but for reading what was private until then. Who has the new ones',
    'is you: see onehop init --help. They come into force when two of them were typed back, or the file is on disk.',
  ].join('\n'),
  async run(call) {
    const { flags, context, output } = call
    const { signal } = context
    const identity = await requireIdentity(context)
    const daemon = await context.daemon()
    // Entries that other devices made meanwhile come first.
    const { log } = await daemon.call('identity.get', { identity: identity.id }, { signal })
    await identity.learn(log)
    const crypto = await context.crypto()
    const { words } = makeRecovery(crypto)
    const file = flags.text('words-file')
    const hadWords = identity.state.recovery !== undefined
    await handOutWords(call, words, file)
    await replaceRecovery({ identity, transport: { call: daemon.call }, words, crypto, signal })
    if (output.json) output.line({ identity: identity.id, wordsFile: file ?? null, replaced: hadWords })
    else
      output.words(
        output.green(
          hadWords ? 'The new words are in force, the old ones no more.' : 'The words are in force.',
        ),
      )
    return exitCodes.ok
  },
}
