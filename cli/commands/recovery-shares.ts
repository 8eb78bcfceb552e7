import { openIdentity } from '../../client/identity/identity.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import {
  namesRecoveryKey,
  readRecoveryWords,
  recoveryFromWords,
  sharesOfWords,
} from '../../protocol/identity/recovery.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import type { Command, Context } from '../command.ts'
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
    'machine takes part; it is asked for your identity log alone, as words that are in force no more open nothing. Each run makes a set of its own: shares of two sets do not mix. A set is good as long as the words',
    'are (onehop recovery new ends both).',
  ].join('\n'),
  async run(call) {
    const { flags, context, output } = call
    const words = readRecoveryWords(await readWords(call, flags.text('words-file')))
    const crypto = await context.crypto()
    const { state, isCurrent } = await ownLog(context)
    if (state !== undefined) checkInForce(state, recoveryFromWords(crypto, words).key)
    if (!isCurrent && !output.json) output.words(output.yellow(uncheckedWords(state)))
    const files = await handOutShares(call, sharesOfWords(crypto, words), flags.text('shares-file'))
    if (output.json) output.line({ threshold: 2, files, checked: isCurrent })
    return exitCodes.ok
  },
}

interface OwnLog {
  /** Undefined where this command line belongs to nobody. */
  readonly state: IdentityState | undefined
  /** A node that runs here was asked what other devices added to it. */
  readonly isCurrent: boolean
}

async function ownLog(context: Context): Promise<OwnLog> {
  const identity = await openIdentity({ keys: context.keys(), crypto: await context.crypto() })
  if (identity === undefined) return { state: undefined, isCurrent: false }
  const daemon = await context.findDaemon()
  if (daemon === undefined) return { state: identity.state, isCurrent: false }
  try {
    const { log } = await daemon.call('identity.get', { identity: identity.id }, { signal: context.signal })
    await identity.learn(log)
    return { state: identity.state, isCurrent: true }
  } catch (error) {
    // A node of somebody else's that has not heard of this person.
    if (error instanceof OnehopError && error.code === 'UNKNOWN_IDENTITY')
      return { state: identity.state, isCurrent: false }
    throw error
  }
}

/** Throws REVOKED, BAD_REQUEST: shares of such words would be found to open nothing on the day they are needed. */
function checkInForce(state: IdentityState, key: Uint8Array): void {
  if (state.recovery !== undefined && equalBytes(state.recovery.key, key)) return
  if (namesRecoveryKey(state.entries, key))
    throw new OnehopError('REVOKED', 'these recovery words were replaced by newer ones', {
      help: 'Use the newer words. Was it not you, but who has a device of yours? onehop recover --take-back, with these.',
    })
  throw new OnehopError('BAD_REQUEST', `these are not the recovery words of ${toHex(state.id)}`, {
    help: `${
      state.recovery === undefined ? 'It has none: onehop recovery new makes them' : 'Check them'
    }. Shares of somebody else's words are made at a command line of theirs.`,
  })
}

function uncheckedWords(state: IdentityState | undefined): string {
  return state === undefined
    ? 'This command line belongs to nobody: whether these words are in force was not looked up.'
    : 'No node could be asked whether other words were put in force elsewhere.'
}
