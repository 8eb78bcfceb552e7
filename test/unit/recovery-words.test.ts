import { readFileSync } from 'node:fs'
import { mnemonicToSeedSync } from '@scure/bip39'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { makeRecovery, memoryKeyStore, recoverIdentity } from '../../client/index.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { deviceBoxes } from '../../protocol/identity/box-secrets.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import {
  drawAskedBack,
  entropyOfWords,
  makeRecoveryWords,
  namesRecoveryKey,
  readRecoveryWords,
  recoveryFromWords,
  recoveryKeysIn,
  recoveryKeysOf,
  recoveryLookupKey,
  wordsOfEntropy,
  wrongAnswers,
} from '../../protocol/identity/recovery.ts'
import { dataPath } from '../support/data.ts'
import { seededCrypto } from '../support/people.ts'
import { recoveryVectors, type RecoveryVectors } from '../vectors/recovery.ts'

const crypto = seededCrypto(24)
const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'))
const vectors = read('recovery.json') as RecoveryVectors

interface Bip39 {
  readonly entropy: string
  readonly words: string
  readonly seed: string
}

function check({ entropy, words, seed }: Bip39): void {
  expect(toHex(mnemonicToSeedSync(words, 'TREZOR'))).toBe(seed)
  if (words.split(' ').length !== 24) return
  expect(wordsOfEntropy(fromHex(entropy) as Uint8Array).join(' ')).toBe(words)
  expect(toHex(entropyOfWords(readRecoveryWords(words)))).toBe(entropy)
}

describe('BIP-39', () => {
  it('has the words and seeds of its published vectors', () => {
    const { vectors: published } = read('bip39.json') as { vectors: readonly Bip39[] }
    expect(published).toHaveLength(8)
    for (const one of published) check(one)
  })

  const all = dataPath('bip39/vectors.json')
  // Skipped where the published file does not lie beside the repository (ONEHOP_DATA).
  it.skipIf(all === undefined)('has those of all lengths', () => {
    const { english } = JSON.parse(readFileSync(all as string, 'utf8')) as {
      english: readonly (readonly [string, string, string])[]
    }
    expect(english).toHaveLength(24)
    for (const [entropy, words, seed] of english) check({ entropy, words, seed })
  })
})

describe('recovery words', () => {
  it('yield the keys of the vectors', () => {
    expect(recoveryVectors()).toEqual(vectors)
    for (const one of vectors.valid) {
      const words = readRecoveryWords(one.words)
      expect(toHex(entropyOfWords(words))).toBe(one.entropy)
      const { key, boxKey } = recoveryFromWords(crypto, words)
      expect([toHex(key), toHex(boxKey)]).toEqual([one.key, one.boxKey])
      expect(toHex(recoveryLookupKey(crypto, key))).toBe(one.lookup)
    }
  })

  it('are refused when they are not 24 that belong together, without repeating one', () => {
    for (const { name, words } of vectors.invalid) {
      let refusal: unknown
      try {
        readRecoveryWords(words)
      } catch (error) {
        refusal = error
      }
      expect(refusal, name).toMatchObject({ code: 'BAD_REQUEST' })
      const said = (refusal as Error).message.split(/\W+/)
      expect(words.split(' ').filter((word) => word.length > 4 && said.includes(word))).toEqual([])
    }
  })

  it('are read as people write them', () => {
    const words = makeRecoveryWords(crypto)
    expect(words).toHaveLength(24)
    const listed = words.map((word, i) => `${i + 1}. ${word.toUpperCase()}`).join('\n')
    for (const typed of [words.join(' '), listed, `\t${words.join(',  ')}\r\n`, listed.replaceAll('. ', '.')])
      expect(readRecoveryWords(typed)).toEqual(words)
  })

  it('are asked back by two different numbers, and either wrong answer is noticed', () => {
    const words = makeRecoveryWords(crypto)
    const seen = new Set<number>()
    for (let i = 0; i < 500; i++) {
      const asked = drawAskedBack(crypto)
      expect(asked).toHaveLength(2)
      const [first = 0, second = 0] = asked
      expect(first >= 1 && first < second && second <= 24).toBe(true)
      for (const number of asked) seen.add(number)
    }
    expect(seen.size).toBe(24)
    const answers = [words[2] as string, words[19] as string]
    expect(wrongAnswers(words, [3, 20], answers)).toEqual([])
    expect(
      wrongAnswers(
        words,
        [3, 20],
        answers.map((word) => ` ${word.toUpperCase()} `),
      ),
    ).toEqual([])
    expect(wrongAnswers(words, [3, 20], ['', answers[1] as string])).toEqual([3])
    expect(wrongAnswers(words, [3, 20], answers.toReversed())).toEqual([3, 20])
    expect(wrongAnswers(words, [3, 20], [])).toEqual([3, 20])
  })
})

describe('a page from plain http', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('is given no words, and takes none', async () => {
    vi.stubGlobal('isSecureContext', false)
    expect(() => makeRecovery(crypto)).toThrow('shows no recovery words')
    let asked = 0
    const transport = { call: async () => Promise.reject(new Error(`asked ${++asked}`)) }
    const recovering = recoverIdentity({
      words: 'abandon',
      keys: memoryKeyStore(),
      transport,
      identity: '0'.repeat(12),
    })
    await expect(recovering).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(asked).toBe(0)
    vi.stubGlobal('isSecureContext', true)
    expect(makeRecovery(crypto).words).toHaveLength(24)
  })
})

describe('an identity with recovery words', () => {
  const words = makeRecoveryWords(crypto)
  const secrets = recoveryFromWords(crypto, words)
  const lost = deviceFromSeed(crypto, crypto.random(32))
  const { state, box } = createIdentity(crypto, lost, { recovery: recoveryKeysOf(secrets) })

  it('admits a device by the words alone, which then reads what is private, and revokes the lost one', () => {
    const device = deviceFromSeed(crypto, crypto.random(32))
    const possession = provePossession(crypto, state.id, device)
    const added = addDevice(crypto, state, secrets, ownerAdmission(device, false), possession, {
      readsPrivate: true,
    })
    const joined = append(crypto, state, [added])
    expect(deviceBoxes(crypto, joined, device).newest()).toEqual(box)
    const { entry } = revokeDevice(crypto, joined, secrets, lost.key, [])
    const after = append(crypto, joined, [entry])
    expect(after.devices.get(toHex(lost.key))?.revoked?.by).toEqual(secrets.key)
    const newest = deviceBoxes(crypto, after, device).newest()
    expect(newest?.epoch).toBe(2)
    expect(deviceBoxes(crypto, after, device).ofEpoch(1)).toEqual([box])
    expect(deviceBoxes(crypto, after, lost).newest()?.epoch).toBe(1)
  })

  it('wins against whoever has the lost device, which revokes at the same time', () => {
    const device = deviceFromSeed(crypto, crypto.random(32))
    const possession = provePossession(crypto, state.id, device)
    const joined = append(crypto, state, [
      addDevice(crypto, state, secrets, ownerAdmission(device, false), possession),
    ])
    const honest = revokeDevice(crypto, joined, secrets, lost.key, []).entry
    const thief = revokeDevice(crypto, joined, lost, device.key, []).entry
    const both = append(crypto, joined, [thief, honest])
    expect(both.devices.get(toHex(device.key))?.revoked).toBeUndefined()
    expect(both.devices.get(toHex(lost.key))?.revoked).toBeDefined()
  })

  it('is found by what its log names', () => {
    expect(recoveryKeysIn(state)).toEqual([secrets.key])
    expect(namesRecoveryKey(state.entries, secrets.key)).toBe(true)
    expect(namesRecoveryKey(state.entries, lost.key)).toBe(false)
    expect(recoveryKeysIn(createIdentity(crypto, lost).state)).toEqual([])
    // Entries that admit devices name keys as well, and none of recovery.
    const device = deviceFromSeed(crypto, crypto.random(32))
    const possession = provePossession(crypto, state.id, device)
    const admission = ownerAdmission(device, false)
    const two = append(crypto, state, [addDevice(crypto, state, lost, admission, possession)])
    expect(namesRecoveryKey(two.entries, device.key)).toBe(false)
    expect(recoveryKeysIn(two)).toEqual([secrets.key])
  })
})
