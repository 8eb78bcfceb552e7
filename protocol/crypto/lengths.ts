import { OnehopError } from '../errors.ts'

export const keyBytes = 32
export const nonceBytes = 24
/** The authenticator in front of what secretbox and box seal. */
export const sealBytes = 16
/** RFC 5869: 255 blocks of the hash. */
const hkdfBytesMax = 255 * 32
/** Node's HKDF takes no more; ours names one section in a few hundred. */
const hkdfInfoBytesMax = 1024

/** For values that we made: a wrong length is our fault and must not pass as a refusal. */
export function requireLength(bytes: Uint8Array, length: number, name: string): void {
  if (bytes.length !== length) {
    throw new OnehopError('BAD_REQUEST', `${name}: ${length} bytes expected, not ${bytes.length}`)
  }
}

export function requireHkdf(info: Uint8Array, length: number): void {
  if (info.length > hkdfInfoBytesMax) {
    throw new OnehopError('BAD_REQUEST', `info: at most ${hkdfInfoBytesMax} bytes expected`)
  }
  if (!Number.isSafeInteger(length) || length < 1 || length > hkdfBytesMax) {
    throw new OnehopError('BAD_REQUEST', `length: 1 to ${hkdfBytesMax} expected`)
  }
}
