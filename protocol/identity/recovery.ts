/**
 * Recovery words: 24 words of BIP-39's English list, which no device keeps. They yield an Ed25519 and an X25519 key
 * that the identity log names; whoever has the words speaks with rank 0. No message here ever repeats a word.
 */
import { entropyToMnemonic, mnemonicToEntropy, mnemonicToSeedSync } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { concatBytes, emptyBytes, equalBytes, toHex, utf8 } from '../bytes.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { type JoinProblem, joinShares, splitIntoShares } from './slip39/shares.ts'
import type { DeviceSecrets, IdentityState, RecoveryKeys, SignedEntry } from './types.ts'

/** 24 words are 256 bits and 8 of checksum: as strong as the keys they yield. */
const recoveryWordsCount = 24
const entropyBytes = 32

/** Of the three shares two are enough; each has 33 words. */
const shareScheme = { threshold: 2, count: 3 }
const shareWordsCount = 33

/** How many of the words are asked back: enough to see that they were written down, few enough to be answered. */
const askedBackCount = 2

const known: ReadonlySet<string> = new Set(wordlist)

export function makeRecoveryWords(crypto: Pick<CryptoProvider, 'random'>): string[] {
  return wordsOfEntropy(crypto.random(entropyBytes))
}

export function wordsOfEntropy(entropy: Uint8Array): string[] {
  return entropyToMnemonic(entropy, wordlist).split(' ')
}

export function entropyOfWords(words: readonly string[]): Uint8Array {
  return mnemonicToEntropy(words.join(' '), wordlist)
}

/** The words in three shares (SLIP-0039): two give them back, one alone tells nothing. */
export function sharesOfWords(crypto: Pick<CryptoProvider, 'random'>, words: readonly string[]): string[][] {
  return splitIntoShares(crypto, entropyOfWords(words), shareScheme)
}

/**
 * Words as people type them: any case, any spaces, numbered or not; in their place two of their shares, one after the
 * other. BAD_REQUEST says where it is wrong, and never with which word: messages end in logs.
 */
export function readRecoveryWords(typed: string): string[] {
  const words = typed
    .normalize('NFKD')
    .toLowerCase()
    .split(/[\s,;]+/)
    .filter((word) => word !== '' && !/^\d+[.):]?$/.test(word))
    .map((word) => word.replace(/^\d+[.):]/, ''))
  if (words.length > 0 && words.length % shareWordsCount === 0) return wordsOfShares(words)
  const strange = words.findIndex((word) => !known.has(word))
  if (strange >= 0 && words.length <= recoveryWordsCount * 2) {
    throw bad(`word ${strange + 1} is not in the list of recovery words`)
  }
  if (words.length !== recoveryWordsCount) {
    throw bad(`there are ${recoveryWordsCount} recovery words, not ${words.length}`)
  }
  try {
    entropyOfWords(words)
  } catch {
    // What the library says repeats the words.
    throw bad('these words do not belong together: one is another than it was, or two changed places')
  }
  return words
}

/** Whoever types more shares than are needed is helped by the first two that differ. */
function wordsOfShares(words: readonly string[]): string[] {
  const typed = Array.from({ length: words.length / shareWordsCount }, (_, i) =>
    words.slice(i * shareWordsCount, (i + 1) * shareWordsCount),
  )
  const [first, ...others] = typed as [string[], ...string[][]]
  if (others.length === 0) throw bad('one share alone tells nothing: type a second one after it')
  const second = others.find((share) => share.join() !== first.join())
  if (second === undefined) throw bad('this is the same share twice: another one is needed')
  const entropy = joinShares([first, second])
  // 33 words are 256 bits, no more and no fewer.
  if (!('because' in entropy)) return wordsOfEntropy(entropy)
  const { because } = entropy
  if (typeof because === 'string') throw bad(shareProblems[because])
  const which = `share ${entropy.share === 0 ? 1 : typed.indexOf(second) + 1}`
  if (because.problem === 'word')
    throw bad(`${which}: word ${because.at + 1} is not in the list of words of shares`)
  throw bad(`${which} is not as it was: a word is another one, or two changed places`)
}

const shareProblems: Readonly<Record<Extract<JoinProblem['because'], string>, string>> = {
  mixed: 'these shares were not made together: both have to be of one set of three',
  twice: 'these are two versions of one share; another one is needed',
  count: 'these shares are of a set of which more than two are needed',
  rounds: 'these shares were made to take minutes to open; recovery words are not kept so',
  damaged: 'these shares do not fit together',
}

/** The keys that the words stand for: they sign entries as a device's do. The words were read, so they are good. */
export function recoveryFromWords(crypto: CryptoProvider, words: readonly string[]): DeviceSecrets {
  const stretched = mnemonicToSeedSync(words.join(' '))
  const derive = (context: string): Uint8Array => crypto.hkdfSha256(stretched, emptyBytes, utf8(context), 32)
  const seed = derive(derivations.recoverySigning)
  const boxSecret = derive(derivations.recoveryBox)
  return { seed, key: crypto.signingPublicKey(seed), boxSecret, boxKey: crypto.boxPublicKey(boxSecret) }
}

/** What of them stands in a log. */
export function recoveryKeysOf({ key, boxKey }: DeviceSecrets): RecoveryKeys {
  return { key, boxKey }
}

/** Under which key those who hold the shard provide it in the DHT: SHA-256("onehop/recover" 0 recovery key). */
export function recoveryLookupKey(
  crypto: Pick<CryptoProvider, 'sha256'>,
  recoveryKey: Uint8Array,
): Uint8Array {
  return crypto.sha256(concatBytes(utf8(derivations.recoveryLookup), new Uint8Array(1), recoveryKey))
}

/**
 * Recovery keys that a log names or named, the one in force first, then the newest; so many count as are looked up.
 * Words that were replaced still find the log, which tells that they were.
 */
export function recoveryKeysIn({
  recovery,
  entries,
}: Pick<IdentityState, 'recovery' | 'entries'>): Uint8Array[] {
  const named = entries.flatMap((entry) => namedBy(entry) ?? []).toReversed()
  const keys = new Map<string, Uint8Array>()
  for (const { key } of recovery === undefined ? named : [recovery, ...named]) keys.set(toHex(key), key)
  return [...keys.values()].slice(0, limits.recoveryKeysMax)
}

/** Whether one of the entries names this recovery key; says nothing of whether it counts. */
export function namesRecoveryKey(entries: readonly SignedEntry[], recoveryKey: Uint8Array): boolean {
  return entries.some((entry) => {
    const recovery = namedBy(entry)
    return recovery !== undefined && equalBytes(recovery.key, recoveryKey)
  })
}

function namedBy({ body }: SignedEntry): RecoveryKeys | undefined {
  return body.kind === 'genesisPerson' || body.kind === 'rotate' ? body.recovery : undefined
}

/** Which words of `count` to ask back, from 1 and ascending. Not a secret; only not always the same. */
export function drawAskedBack(crypto: Pick<CryptoProvider, 'random'>, count = recoveryWordsCount): number[] {
  const left = Array.from({ length: count }, (_, i) => i + 1)
  const drawn = [...crypto.random(askedBackCount)].map(
    (byte) => left.splice(byte % left.length, 1)[0] as number,
  )
  return drawn.toSorted((a, b) => a - b)
}

/** The numbers of those asked-back words that were not answered rightly. */
export function wrongAnswers(
  words: readonly string[],
  asked: readonly number[],
  answers: readonly string[],
): number[] {
  return asked.filter((number, i) => (answers[i] ?? '').trim().toLowerCase() !== words[number - 1])
}

function bad(message: string): OnehopError {
  return new OnehopError('BAD_REQUEST', message, {
    help: 'Compare with what you wrote down; there are 24 words in their order, or two shares of 33.',
  })
}
