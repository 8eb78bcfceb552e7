/** The field Content-Digest (RFC 9530): SHA-256 of a body as it is sent. */
import { serializeDictionary } from 'structured-headers'
import { equalBytes } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { parseStrictly } from './signature-fields.ts'

export function contentDigest(crypto: Pick<CryptoProvider, 'sha256'>, body: Uint8Array): string {
  const digest = new Uint8Array(crypto.sha256(body))
  return serializeDictionary(new Map([['sha-256', [digest, new Map()]]]))
}

/** Digests by other names are passed over; without one by sha-256 nothing is shown, so the answer is no. */
export function isDigestOf(crypto: Pick<CryptoProvider, 'sha256'>, field: string, body: Uint8Array): boolean {
  const value = parseStrictly('Content-Digest', field).get('sha-256')?.[0]
  return value instanceof ArrayBuffer && equalBytes(new Uint8Array(value), crypto.sha256(body))
}
