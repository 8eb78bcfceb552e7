/** The few operations on bytes that every room needs. Text forms: hex for ids and keys, base64url in links. */
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const emptyBytes = new Uint8Array(0)

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Lexicographic order, as LevelDB and the merge rule use it. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference < 0 ? -1 : 1
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1
}

/** Not constant time: for public values only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const hexCodes = hexDigits.map((digits): [number, number] => [digits.charCodeAt(0), digits.charCodeAt(1)])
const highCodes = Uint8Array.from(hexCodes, ([high]) => high)
const lowCodes = Uint8Array.from(hexCodes, ([, low]) => low)
const idCodes = new Array<number>(64).fill(0)

/** Ids are the names of nearly everything, and the text of one is made three times as fast in one piece. */
export function toHex(bytes: Uint8Array): string {
  if (bytes.length !== 32) {
    let text = ''
    for (const byte of bytes) text += hexDigits[byte]
    return text
  }
  for (let i = 0; i < 32; i++) {
    const byte = bytes[i] as number
    idCodes[2 * i] = highCodes[byte] as number
    idCodes[2 * i + 1] = lowCodes[byte] as number
  }
  return String.fromCharCode.apply(null, idCodes)
}

/** Undefined when the text is not lower-case hex of the given length in bytes. */
export function fromHex(text: string, lengthBytes?: number): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined
  if (lengthBytes !== undefined && text.length !== lengthBytes * 2) return undefined
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const high = digitOf(text.charCodeAt(2 * i))
    const low = digitOf(text.charCodeAt(2 * i + 1))
    if (high < 0 || low < 0) return undefined
    bytes[i] = high * 16 + low
  }
  return bytes
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1
}

export function toBase64Url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Undefined when the text is not the one unpadded base64url form of some bytes. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  return toBase64Url(bytes) === text ? bytes : undefined
}
