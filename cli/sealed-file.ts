/**
 * Secrets in a file, sealed under a passphrase: scrypt (RFC 7914) makes the key, nacl.secretbox the box. One line of
 * JSON, so that the file says by itself how it is opened.
 */
import { scrypt } from 'node:crypto'
import * as v from 'valibot'
import { fromHex, fromUtf8, toHex, utf8 } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'

/** 128 MB and a third of a second, some seconds on a Raspberry Pi: what each guess costs whoever found the disk. */
const cost = { log2N: 17, r: 8, p: 1 } as const
const saltBytes = 16
const nonceBytes = 24
const mark = '{"onehop":"sealed/'

const hexOf = (bytes: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`)))
const fileShape = v.strictObject({
  onehop: v.literal('sealed/1'),
  // Named for whoever reads the file without us; another cost would be another format.
  scrypt: v.strictObject({
    log2N: v.literal(cost.log2N),
    r: v.literal(cost.r),
    p: v.literal(cost.p),
    salt: hexOf(saltBytes),
  }),
  nonce: hexOf(nonceBytes),
  box: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2})+$/)),
})
export type SealedFile = v.InferOutput<typeof fileShape>

/** A key that a passphrase made, and the salt it was made with. Files of one machine are sealed under the same. */
export interface PassphraseKey {
  readonly salt: string
  readonly key: Uint8Array
}

/** Undefined for a text that is not sealed. STORE_CORRUPT for one that is damaged or of another release. */
export function readSealed(text: string): SealedFile | undefined {
  if (!text.startsWith(mark)) return undefined
  const parsed = v.safeParse(fileShape, asJson(text))
  if (parsed.success) return parsed.output
  throw new OnehopError('STORE_CORRUPT', 'the sealed file is damaged, or of another release', {
    help: 'Put it back from a backup.',
  })
}

export function newPassphraseKey(crypto: CryptoProvider, passphrase: string): Promise<PassphraseKey> {
  return passphraseKey(passphrase, toHex(crypto.random(saltBytes)))
}

export async function passphraseKey(passphrase: string, salt: string): Promise<PassphraseKey> {
  // As it was typed, on whatever keyboard.
  const typed = passphrase.normalize('NFKC')
  const options = { N: 2 ** cost.log2N, r: cost.r, p: cost.p, maxmem: 2 ** (cost.log2N + 11) }
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  scrypt(typed, hexBytes(salt), 32, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  return { salt, key: await promise }
}

export function sealText(crypto: CryptoProvider, { salt, key }: PassphraseKey, text: string): string {
  const nonce = crypto.random(nonceBytes)
  const box = crypto.secretboxSeal(utf8(text), nonce, key)
  const file: SealedFile = {
    onehop: 'sealed/1',
    scrypt: { ...cost, salt },
    nonce: toHex(nonce),
    box: toHex(box),
  }
  return `${JSON.stringify(file)}\n`
}

/** Undefined where the key is that of another passphrase. */
export function openText(
  crypto: CryptoProvider,
  { key }: PassphraseKey,
  { nonce, box }: SealedFile,
): string | undefined {
  const opened = crypto.secretboxOpen(hexBytes(box), hexBytes(nonce), key)
  return opened === undefined ? undefined : fromUtf8(opened)
}

function hexBytes(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
