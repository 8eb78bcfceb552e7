import { createHmac, hash, hkdfSync } from 'node:crypto'
import { requireHkdf } from '../../protocol/crypto/lengths.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'

/** OpenSSL's SHA-256 uses the processor's own instructions, so both providers of this room share it. */
export const hashing: Pick<CryptoProvider, 'sha256' | 'hmacSha256' | 'hkdfSha256'> = {
  sha256(bytes) {
    // As text and back: making a Buffer for so few bytes costs as much as hashing them.
    const text = hash('sha256', bytes, 'binary')
    const digest = new Uint8Array(32)
    for (let i = 0; i < 32; i++) digest[i] = text.charCodeAt(i)
    return digest
  },
  // Copied out of Node's Buffers: their slice() is a view, and what we hand out must be plain bytes.
  hmacSha256: (key, bytes) => new Uint8Array(createHmac('sha256', key).update(bytes).digest()),
  hkdfSha256(secret, salt, info, length) {
    requireHkdf(info, length)
    return new Uint8Array(hkdfSync('sha256', secret, salt, info, length))
  },
}
