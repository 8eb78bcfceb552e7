import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../../../protocol/bytes.ts'
import { imageType } from '../../../protocol/schema/image-type.ts'

/** Pictures on a page at once, with some to spare; older addresses are let go. */
const urlsMax = 400

const urls = new Map<string, string>()

/** An address for bytes that hold a picture. The same bytes get the same address, so redrawing does not flicker. */
export function pictureUrl(bytes: Uint8Array): string {
  const key = toHex(sha256(bytes))
  const known = urls.get(key)
  if (known !== undefined) return known
  const type = imageType(bytes) ?? 'application/octet-stream'
  const url = URL.createObjectURL(new Blob([Uint8Array.from(bytes)], { type }))
  urls.set(key, url)
  const [oldest] = urls
  if (urls.size > urlsMax && oldest !== undefined) {
    urls.delete(oldest[0])
    URL.revokeObjectURL(oldest[1])
  }
  return url
}
