/**
 * Eleven digits in place of the QR, for who has no camera. They carry no secret that could be guessed offline: phone and
 * node run a password-authenticated key exchange over them (OPAQUE, RFC 9807), whose key seals the link of the QR. What
 * follows is pairing as by the QR.
 */
import { concatBytes, emptyBytes, fromUtf8, utf8 } from '../bytes.ts'
import { derivations } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import type { Random } from '../ports.ts'
import { pairingLimits } from './limits.ts'

const nonceBytes = 24
const values = 10n ** BigInt(pairingLimits.typedDigits)

export function drawTypedCode(random: Pick<Random, 'bytes'>): string {
  const [high, low] = [random.bytes(8), random.bytes(8)]
  const drawn = concatBytes(high, low).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return String(drawn % values).padStart(pairingLimits.typedDigits, '0')
}

/** As it is shown: 123 4567 8901. */
export function spacedCode(code: string): string {
  return `${code.slice(0, 3)} ${code.slice(3, 7)} ${code.slice(7)}`
}

/** As somebody typed it. Throws BAD_REQUEST. */
export function readTypedCode(typed: string): string {
  const code = typed.replaceAll(/[\s-]/g, '')
  if (/^\d{11}$/.test(code)) return code
  throw new OnehopError('BAD_REQUEST', 'the code has eleven digits', {
    help: 'It stands under the QR code at your node.',
  })
}

/** nonce 24 || secretbox(link), under a key that both sides of the exchange made. */
export function sealLink(crypto: CryptoProvider, sessionKey: Uint8Array, link: string): Uint8Array {
  const nonce = crypto.random(nonceBytes)
  return concatBytes(nonce, crypto.secretboxSeal(utf8(link), nonce, linkKey(crypto, sessionKey)))
}

/** Throws BAD_MESSAGE. */
export function openLink(crypto: CryptoProvider, sessionKey: Uint8Array, sealed: Uint8Array): string {
  const [nonce, box] = [sealed.subarray(0, nonceBytes), sealed.subarray(nonceBytes)]
  const link =
    nonce.length === nonceBytes ? crypto.secretboxOpen(box, nonce, linkKey(crypto, sessionKey)) : undefined
  if (link === undefined) throw new OnehopError('BAD_MESSAGE', 'what the node sent does not open')
  return fromUtf8(link)
}

function linkKey(crypto: CryptoProvider, sessionKey: Uint8Array): Uint8Array {
  return crypto.hkdfSha256(sessionKey, emptyBytes, utf8(derivations.typedCode), 32)
}
