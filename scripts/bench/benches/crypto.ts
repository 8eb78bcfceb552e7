/**
 * What a provider adds to its arithmetic: verify and sign 300 bytes, seal and open them (secretbox), wrap an epoch key
 * of 32 bytes to a reader and unwrap it (box). The limit is libsodium called bare, into memory that it is handed: no
 * checks before it, nothing allocated, no key looked up. Contestants take turns within a round.
 */
import sodium from 'sodium-native'
import { nativeCrypto } from '../../../daemon/crypto/native.ts'
import { nodeCrypto } from '../../../daemon/crypto/node-crypto.ts'
import { systemRandom } from '../../../daemon/random.ts'
import { portableCrypto } from '../../../protocol/crypto/portable.ts'
import type { CryptoProvider } from '../../../protocol/crypto/provider.ts'
import { contentBytes } from '../author.ts'
import type { BenchContext, BenchResult, Judged } from '../result.ts'
import { median } from '../statistics.ts'

const rounds = 7
/** Long enough for the clock and the compiler, short enough that the machine does not drift within a round. */
const roundMs = 50
/** A phone has this many devices to hear from; a key that is new with each call would measure the cache of keys. */
const keys = 16
const random = (length: number): Uint8Array => systemRandom.bytes(length)

const jobs = ['verify', 'sign', 'seal', 'open', 'box', 'unbox'] as const
type Job = (typeof jobs)[number]

/**
 * Shares of libsodium's own speed. Native is held closely: what it adds is ours. Of the others it is the library that
 * takes the time, and the floor, half of what was measured, catches a turn for the worse.
 */
const floors: Readonly<Record<string, Readonly<Record<Job, number>>>> = {
  native: { verify: 0.9, sign: 0.85, seal: 0.5, open: 0.5, box: 0.85, unbox: 0.85 },
  node: { verify: 0.22, sign: 0.1, seal: 0.11, open: 0.11, box: 0.03, unbox: 0.03 },
  portable: { verify: 0.02, sign: 0.0016, seal: 0.11, open: 0.11, box: 0.03, unbox: 0.03 },
}

type Calls = Readonly<Record<Job, (index: number) => unknown>>

export async function bench({ note }: BenchContext): Promise<BenchResult> {
  const native = nativeCrypto(sodium, random)
  const material = Array.from({ length: keys }, () => materialOf(native))
  const contestants: Readonly<Record<string, Calls>> = {
    sodium: bare(material),
    native: provided(native, material),
    node: provided(nodeCrypto(random), material),
    portable: provided(portableCrypto(random), material),
  }
  const judged: Record<string, Judged> = {}
  const sodiumPerS: Record<string, number> = {}
  for (const job of jobs) {
    const rates = Object.fromEntries(Object.keys(contestants).map((name) => [name, [] as number[]]))
    for (let round = 0; round <= rounds; round++) {
      for (const [name, calls] of Object.entries(contestants)) {
        const perS = rateOf(calls[job])
        // What is compiled once is no part of a rate.
        if (round > 0) rates[name]?.push(perS)
      }
    }
    const limit = median(rates.sodium ?? [])
    sodiumPerS[`sodium${capital(job)}PerS`] = limit
    for (const [name, floor] of Object.entries(floors)) {
      const figure = median(rates[name] ?? [])
      judged[`${name}${capital(job)}PerS`] = { figure, limit, atLeast: floor[job] }
    }
    note(
      `${job}: ${Object.entries(rates)
        .map(([name, of]) => `${name} ${median(of).toFixed(0)}/s`)
        .join(', ')}`,
    )
  }
  return {
    judged,
    figures: { bytes: contentBytes, keys, ...sodiumPerS },
    packages: ['sodium-native', '@noble/curves', 'tweetnacl'],
  }
}

/** A second of this thread's processor time, so that other programs disturb little. As many calls as fill a round. */
function rateOf(call: (index: number) => unknown): number {
  for (let count = 4; ; count *= 2) {
    const before = process.threadCpuUsage()
    for (let index = 0; index < count; index++) call(index)
    const { user, system } = process.threadCpuUsage(before)
    const ms = (user + system) / 1000
    if (ms >= roundMs) return (count * 1000) / ms
  }
}

function materialOf(crypto: CryptoProvider) {
  const [seed, message, key, nonce] = [32, contentBytes, 32, 24].map(random) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const [ours, theirs, epochKey] = [random(32), random(32), random(32)]
  const theirPublic = crypto.boxPublicKey(theirs)
  return {
    seed,
    message,
    key,
    nonce,
    publicKey: crypto.signingPublicKey(seed),
    signature: crypto.sign(message, seed),
    sealed: crypto.secretboxSeal(message, nonce, key),
    ours,
    theirs,
    epochKey,
    ourPublic: crypto.boxPublicKey(ours),
    theirPublic,
    boxed: crypto.boxSeal(epochKey, nonce, theirPublic, ours) as Uint8Array,
  }
}

type Material = ReturnType<typeof materialOf>

function provided(crypto: CryptoProvider, all: readonly Material[]): Calls {
  const at = (index: number): Material => all[index % keys] as Material
  return {
    verify(index) {
      const { message, signature, publicKey } = at(index)
      return must(crypto.verifyStrict(message, signature, publicKey))
    },
    sign: (index) => crypto.sign(at(index).message, at(index).seed),
    seal: (index) => crypto.secretboxSeal(at(index).message, at(index).nonce, at(index).key),
    open: (index) => must(crypto.secretboxOpen(at(index).sealed, at(index).nonce, at(index).key)),
    box(index) {
      const { epochKey, nonce, theirPublic, ours } = at(index)
      return must(crypto.boxSeal(epochKey, nonce, theirPublic, ours))
    },
    unbox(index) {
      const { boxed, nonce, ourPublic, theirs } = at(index)
      return must(crypto.boxOpen(boxed, nonce, ourPublic, theirs))
    },
  }
}

function bare(all: readonly Material[]): Calls {
  const signing = all.map(({ seed }) => {
    const secretKey = new Uint8Array(64)
    sodium.crypto_sign_seed_keypair(new Uint8Array(32), secretKey, seed)
    return secretKey
  })
  const signature = new Uint8Array(64)
  const sealed = new Uint8Array(contentBytes + 16)
  const opened = new Uint8Array(contentBytes)
  const boxed = new Uint8Array(48)
  const unboxed = new Uint8Array(32)
  const at = (index: number): Material => all[index % keys] as Material
  return {
    verify(index) {
      const { message, signature: of, publicKey } = at(index)
      return must(sodium.crypto_sign_verify_detached(of, message, publicKey))
    },
    sign: (index) =>
      sodium.crypto_sign_detached(signature, at(index).message, signing[index % keys] as Uint8Array),
    seal: (index) => sodium.crypto_secretbox_easy(sealed, at(index).message, at(index).nonce, at(index).key),
    open: (index) =>
      must(sodium.crypto_secretbox_open_easy(opened, at(index).sealed, at(index).nonce, at(index).key)),
    box(index) {
      const { epochKey, nonce, theirPublic, ours } = at(index)
      return sodium.crypto_box_easy(boxed, epochKey, nonce, theirPublic, ours)
    },
    unbox(index) {
      const { boxed: of, nonce, ourPublic, theirs } = at(index)
      return must(sodium.crypto_box_open_easy(unboxed, of, nonce, ourPublic, theirs))
    },
  }
}

/** A contestant that refuses would be the fastest of all. */
function must<T>(result: T): T {
  if (result === false || result === undefined) throw new Error('refused what is right')
  return result
}

function capital(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`
}
