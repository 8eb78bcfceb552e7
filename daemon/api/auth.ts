/** Who is calling: the admin token, an app's token, a session's token, or nobody known. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { chmod, open, readFile } from 'node:fs/promises'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Random } from '../../protocol/ports.ts'
import type { Caller } from './operations.ts'
import type { Sessions } from './sessions.ts'

const stranger: Caller = { kind: 'anyone' }

/**
 * `token` of the Authorization header or of the connection. One that is given must be good: to answer an expired
 * session as a stranger would look like lost data. The admin token is good over loopback only.
 */
export function identifyCaller(
  token: string | undefined,
  loopback: boolean,
  sessions: Pick<Sessions, 'find'>,
  adminToken: string,
  /** Of apps. */
  findApp: (token: string) => Caller | undefined = () => undefined,
): Caller {
  if (token !== undefined && sameSecret(token, adminToken)) {
    if (loopback) return { kind: 'admin' }
    throw new OnehopError('FORBIDDEN', 'the admin token is good on this machine only')
  }
  const app = token === undefined ? undefined : findApp(token)
  return app ?? identifySession(token, sessions)
}

/** The same where there is no administration. */
export function identifySession(token: string | undefined, sessions: Pick<Sessions, 'find'>): Caller {
  if (token === undefined) return stranger
  const session = sessions.find(token)
  if (session === undefined) throw new OnehopError('UNAUTHENTICATED', 'this token is not, or no longer, good')
  return { kind: 'session', ...session }
}

/** Takes the same time wherever the two differ, and for every length. */
function sameSecret(given: string, secret: string): boolean {
  const digest = (text: string): Uint8Array => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(secret))
}

/** `Bearer` and 64 hex digits; undefined without the header. Throws UNAUTHENTICATED for anything else. */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  const match = /^Bearer ([0-9a-f]{64})$/i.exec(authorization)
  if (match?.[1] === undefined)
    throw new OnehopError('UNAUTHENTICATED', 'the Authorization header is no bearer token')
  return match[1].toLowerCase()
}

/** 127.0.0.0/8 and ::1, also as Node writes the former on a socket for both families. */
function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain)
}

/** By which proxies, load balancers and content networks say that they stand between, each in its own way. */
const proxyHeaders = new Set([
  ...['forwarded', 'via', 'cdn-loop', 'x-forwarded', 'x-client-ip', 'x-cluster-client-ip', 'x-host'],
  ...['client-ip', 'true-client-ip', 'fastly-client-ip', 'fly-client-ip'],
])
const proxyPrefixes = [
  ...['x-forwarded-', 'x-original-', 'x-real-', 'x-remote-', 'x-proxy', 'x-envoy-'],
  ...['x-amz', 'x-azure-', 'cf-', 'tailscale-'],
]

function isOfProxy(name: string): boolean {
  return proxyHeaders.has(name) || proxyPrefixes.some((prefix) => name.startsWith(prefix))
}

/** Whether who asks runs on this machine, as far as can be seen: behind a proxy on it everybody looks local. */
export function isFromHere(request: {
  readonly socket: { readonly remoteAddress?: string | undefined }
  readonly headers: Readonly<Record<string, unknown>>
}): boolean {
  return isLoopback(request.socket.remoteAddress) && !Object.keys(request.headers).some(isOfProxy)
}

/**
 * The admin token of the file, which is made where it is missing. Whoever can read the file may do everything, so
 * its mode is put right if somebody widened it.
 */
export async function openAdminToken(path: string, random: Random): Promise<string> {
  const found = await readToken(path)
  if (found !== undefined) return found
  const token = toHex(random.bytes(32))
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(`${token}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    return token
  } catch (cause) {
    throw new OnehopError('STORE_UNWRITABLE', `cannot write the admin token to ${path}`, { cause })
  }
}

async function readToken(path: string): Promise<string | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
    await chmod(path, 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new OnehopError('STORE_UNWRITABLE', `cannot read the admin token ${path}`, { cause })
  }
  const token = text.trim()
  if (fromHex(token, 32) !== undefined) return token
  throw new OnehopError('STORE_CORRUPT', `${path} does not hold an admin token of 64 hex digits`, {
    help: 'Delete the file; the next start makes a new one.',
  })
}
