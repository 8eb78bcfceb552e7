/** Makes recovery.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { toHex } from '../../protocol/bytes.ts'
import { recoveryFromWords, recoveryLookupKey, wordsOfEntropy } from '../../protocol/identity/recovery.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

export interface RecoveryVectors {
  readonly about: string
  readonly valid: readonly {
    readonly entropy: string
    readonly words: string
    readonly signingSeed: string
    readonly key: string
    readonly boxSecret: string
    readonly boxKey: string
    readonly lookup: string
  }[]
  readonly invalid: readonly { readonly name: string; readonly words: string }[]
}

export function recoveryVectors(): RecoveryVectors {
  const random = createSeededRandom(0x24)
  const crypto = portableCrypto((length) => random.bytes(length))
  const entropies = [
    new Uint8Array(32),
    new Uint8Array(32).fill(0xff),
    Uint8Array.from({ length: 32 }, (_, i) => i),
    random.bytes(32),
  ]
  const some = wordsOfEntropy(random.bytes(32))
  const swapped = some.with(0, some[1] as string).with(1, some[0] as string)
  return {
    about: 'recovery words and the keys that they yield; words that are refused with BAD_REQUEST; bytes in hex',
    valid: entropies.map((entropy) => {
      const words = wordsOfEntropy(entropy)
      const { seed, key, boxSecret, boxKey } = recoveryFromWords(crypto, words)
      return {
        entropy: toHex(entropy),
        words: words.join(' '),
        signingSeed: toHex(seed),
        key: toHex(key),
        boxSecret: toHex(boxSecret),
        boxKey: toHex(boxKey),
        lookup: toHex(recoveryLookupKey(crypto, key)),
      }
    }),
    invalid: [
      { name: 'none', words: '' },
      { name: 'one too few', words: some.slice(1).join(' ') },
      { name: 'one too many', words: [...some, 'abandon'].join(' ') },
      { name: 'twelve good ones', words: `${'abandon '.repeat(11)}about` },
      { name: 'a word that is in no list', words: some.with(6, 'onehop').join(' ') },
      { name: 'a word of another language', words: some.with(6, 'ábaco').join(' ') },
      { name: 'two words in each other’s place', words: swapped.join(' ') },
    ],
  }
}

if (import.meta.main) {
  writeFileSync(new URL('recovery.json', import.meta.url), JSON.stringify(recoveryVectors(), undefined, 1) + '\n')
}
