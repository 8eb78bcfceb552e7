/**
 * What an owner's device has to know to admit an app, as a link for its phone page: the app's keys, the proof that it
 * holds them, and its label. Public keys only; nobody but the owner can do anything with it.
 */
import { fromBase64Url, toBase64Url } from '../../../protocol/bytes.ts'
import { decode, encode } from '../../../protocol/codec.ts'
import { limits } from '../../../protocol/limits.ts'
import { bytes, parse, struct, text } from '../../../protocol/shape.ts'

export interface AdmissionRequest {
  readonly identity: Uint8Array
  readonly key: Uint8Array
  readonly boxKey: Uint8Array
  readonly possession: Uint8Array
  readonly label: string
}

const marker = '#a='
const shape = struct({
  identity: bytes(32),
  key: bytes(32),
  boxKey: bytes(32),
  possession: bytes(64),
  label: text(limits.nameBytesMax),
})

/** `page` is the phone page's address, without a fragment. */
export function admissionLink(page: string, request: AdmissionRequest): string {
  const { identity, key, boxKey, possession, label } = request
  return `${page}${marker}${toBase64Url(encode([identity, key, boxKey, possession, label]))}`
}

/** Undefined for a link of another kind. Throws BAD_MESSAGE for a broken one. */
export function readAdmissionLink(link: string): AdmissionRequest | undefined {
  const at = link.indexOf(marker)
  if (at === -1) return undefined
  const encoded = fromBase64Url(link.slice(at + marker.length))
  return parse(shape, encoded === undefined ? undefined : decode(encoded, { bytesMax: 1024 }), 'admission')
}
