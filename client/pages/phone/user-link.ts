/** A person as a link: the phone page of some node, and the person's id in the fragment. */
import { fromHex, toHex } from '../../../protocol/bytes.ts'

const marker = '#u='

export function userLink(id: Uint8Array): string {
  return `${location.origin}/phone/${marker}${toHex(id)}`
}

/** The id in a link, or an id as it is. */
export function readUserLink(text: string): Uint8Array | undefined {
  const trimmed = text.trim()
  const at = trimmed.lastIndexOf(marker)
  return fromHex((at === -1 ? trimmed : trimmed.slice(at + marker.length)).toLowerCase(), 32)
}
