/**
 * The media type of a picture from its first bytes; undefined for anything else. SVG is left out on purpose: it
 * can carry scripts, and these bytes are shown in other people's pages.
 */
export function imageType(bytes: Uint8Array): string | undefined {
  if (startsWith(bytes, 0, '\u00ff\u00d8\u00ff')) return 'image/jpeg'
  if (startsWith(bytes, 0, '\u0089PNG\r\n\u001a\n')) return 'image/png'
  if (startsWith(bytes, 0, 'RIFF') && startsWith(bytes, 8, 'WEBP')) return 'image/webp'
  if (startsWith(bytes, 0, 'GIF87a') || startsWith(bytes, 0, 'GIF89a')) return 'image/gif'
  if (startsWith(bytes, 4, 'ftypavif')) return 'image/avif'
  return undefined
}

function startsWith(bytes: Uint8Array, offset: number, letters: string): boolean {
  if (bytes.length < offset + letters.length) return false
  for (let i = 0; i < letters.length; i++) if (bytes[offset + i] !== letters.charCodeAt(i)) return false
  return true
}
