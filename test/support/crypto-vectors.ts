import { readFileSync } from 'node:fs'
import { dataPath } from './data.ts'

/** All bytes in hex. */
export interface CryptoVectors {
  readonly ed25519: readonly {
    readonly note: string
    readonly valid: boolean
    readonly key: string
    readonly signature: string
    readonly message: string
  }[]
  /** `shared` is all zero where a box must be refused. */
  readonly x25519: readonly {
    readonly note: string
    readonly public: string
    readonly private: string
    readonly shared: string
  }[]
  readonly hkdf: readonly {
    readonly note: string
    readonly secret: string
    readonly salt: string
    readonly info: string
    readonly length: number
    readonly output: string
  }[]
  /** The nonce is 24 zero bytes. */
  readonly box: readonly {
    readonly public: string
    readonly secret: string
    readonly plain: string
    readonly sealed: string
  }[]
  readonly secretbox: readonly {
    readonly key: string
    readonly nonce: string
    readonly plain: string
    readonly sealed: string
  }[]
}

/** The vectors that the repository carries. */
export function readVectors(): CryptoVectors {
  const nacl = carried<Pick<CryptoVectors, 'box' | 'secretbox'>>('nacl')
  return {
    ed25519: [
      ...carried<CryptoVectors['ed25519']>('ed25519-strict'),
      ...carried<CryptoVectors['ed25519']>('ed25519-wycheproof'),
    ],
    x25519: carried<CryptoVectors['x25519']>('x25519-wycheproof'),
    hkdf: carried<CryptoVectors['hkdf']>('hkdf-wycheproof'),
    ...nacl,
  }
}

function carried<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/crypto/${name}.json`, import.meta.url), 'utf8')) as T
}

interface Wycheproof<Group, Test> {
  readonly testGroups: readonly (Group & { readonly tests: readonly (Test & { readonly tcId: number })[] })[]
}

/** All of Wycheproof's and NaCl's vectors; undefined where the data folder is not there. */
export function readAllVectors(): CryptoVectors | undefined {
  const folder = dataPath('wycheproof/testvectors_v1')
  const naclFolder = dataPath('nacl-vectors/test/data')
  if (folder === undefined || naclFolder === undefined) return undefined
  const read = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T
  const ed25519 = read<
    Wycheproof<{ publicKey: { pk: string } }, { sig: string; msg: string; result: string }>
  >(`${folder}/ed25519_test.json`)
  const x25519 = read<Wycheproof<object, { public: string; private: string; shared: string }>>(
    `${folder}/x25519_test.json`,
  )
  const hkdf = read<
    Wycheproof<object, { ikm: string; salt: string; info: string; size: number; okm: string; result: string }>
  >(`${folder}/hkdf_sha256_test.json`)
  const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex')
  type Four = readonly [string, string, string, string]
  return {
    ed25519: ed25519.testGroups.flatMap(({ publicKey, tests }) =>
      tests.map(({ tcId, sig, msg, result }) => {
        return { note: `${tcId}`, valid: result === 'valid', key: publicKey.pk, signature: sig, message: msg }
      }),
    ),
    x25519: x25519.testGroups.flatMap(({ tests }) =>
      tests.map((each) => ({ ...each, note: `${each.tcId}` })),
    ),
    hkdf: hkdf.testGroups.flatMap(({ tests }) =>
      tests
        .filter(({ result }) => result === 'valid')
        .map(({ tcId, ikm, salt, info, size, okm }) => {
          return { note: `${tcId}`, secret: ikm, salt, info, length: size, output: okm }
        }),
    ),
    box: read<readonly Four[]>(`${naclFolder}/box.random.json`).map(([key, secret, plain, sealed]) => {
      return { public: hex(key), secret: hex(secret), plain: hex(plain), sealed: hex(sealed) }
    }),
    secretbox: read<readonly Four[]>(`${naclFolder}/secretbox.random.json`).map(
      ([key, nonce, plain, sealed]) => {
        return { key: hex(key), nonce: hex(nonce), plain: hex(plain), sealed: hex(sealed) }
      },
    ),
  }
}
