/** The built pages, read from one folder: nothing outside it, nothing hidden, only kinds of files that we ship. */
import { open, realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { OnehopError } from '../../protocol/errors.ts'
import { serverLimits } from './limits.ts'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.map': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
}

export interface Page {
  readonly bytes: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  readonly etag: string
}

/** The phone page dials whatever node it is told of; the dashboard talks to the one that serves it. */
function policy(section: 'phone' | 'dashboard'): string {
  // Compiled code, but no text as code: the exchange behind a typed pairing code comes as WebAssembly.
  const script = section === 'phone' ? "'self' 'wasm-unsafe-eval'" : "'self'"
  const connect = section === 'phone' ? "'self' ws: wss: http: https:" : "'self' ws: wss:"
  return [
    "default-src 'none'",
    `script-src ${script}`,
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "media-src 'self' blob:",
    "manifest-src 'self'",
    "worker-src 'self'",
    `connect-src ${connect}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** `path` as in the URL, such as `/phone/app.js`. NOT_FOUND for whatever is not a file of ours. */
export async function readPage(folder: string, path: string): Promise<Page> {
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments[segments.length - 1] = 'index.html'
  const section = segments[0]
  const plain = segments.every((segment) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(segment))
  const type = types[extname(segments.at(-1) ?? '')]
  if (!plain || type === undefined || (section !== 'phone' && section !== 'dashboard')) throw missing()
  const { bytes, etag } = await readFile(folder, segments)
  // Names that carry a hash of their content never change; everything else is asked for again.
  const hashed = /-[A-Z0-9]{8}\.[a-z0-9]+$/.test(path)
  return {
    bytes,
    etag,
    headers: {
      'content-type': type,
      'cache-control': hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy': policy(section),
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
      'x-frame-options': 'DENY',
      etag,
    },
  }
}

async function readFile(
  folder: string,
  segments: readonly string[],
): Promise<{ bytes: Uint8Array; etag: string }> {
  try {
    const root = await realpath(folder)
    const real = await realpath(join(root, ...segments))
    // A link in the folder must not lead out of it.
    if (!real.startsWith(root + sep)) throw missing()
    await using file = await open(real, 'r')
    const stat = await file.stat()
    if (!stat.isFile() || stat.size > serverLimits.pageFileBytesMax) throw missing()
    const bytes = await file.readFile()
    return { bytes, etag: `"${stat.size.toString(36)}-${Math.round(stat.mtimeMs).toString(36)}"` }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') throw missing()
    throw cause
  }
}

function missing(): OnehopError {
  return new OnehopError('NOT_FOUND', 'there is no such page')
}
