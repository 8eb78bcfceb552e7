/** The daemon of a state folder: where it answers stands in runtime.json, what opens it in admin-token. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { httpTransport } from '../client/http.ts'
import type { Transport } from '../client/transport.ts'
import { fromHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { statePaths } from './config.ts'

const runtimeShape = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  node: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  http: v.pipe(v.string(), v.url()),
  phone: v.optional(v.string(), ''),
  addresses: v.optional(v.array(v.string()), []),
})

export type Runtime = v.InferOutput<typeof runtimeShape>

export interface Daemon {
  readonly runtime: Runtime
  /** Every operation, with the rights of whoever may read the admin token. */
  readonly call: Transport['call']
  /** The dashboard, with the token in the fragment, which no server and no log sees. */
  readonly dashboard: string
}

/** What the last daemon wrote; undefined when none did, or nobody can read it. */
async function readRuntime(state: string): Promise<Runtime | undefined> {
  let text: string
  try {
    text = await readFile(statePaths(state).runtime, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new OnehopError('STORE_UNWRITABLE', `cannot read ${statePaths(state).runtime}: ${code}`, {
      cause: error,
      help: 'Run this command as the user that runs the daemon.',
    })
  }
  try {
    return v.parse(runtimeShape, JSON.parse(text))
  } catch {
    return undefined // half written by a machine that lost power; the next start writes it anew
  }
}

/** Undefined when nobody answers there, or somebody else's node does. */
export async function findDaemon(state: string): Promise<Daemon | undefined> {
  const runtime = await readRuntime(state)
  if (runtime === undefined || !isRunning(runtime.pid)) return undefined
  const token = await readToken(state)
  if (token === undefined) return undefined
  return { runtime, call: adminCall(runtime.http, token), dashboard: dashboardLink(runtime.http, token) }
}

/** Calls a node of this machine with its admin token. */
export function adminCall(http: string, token: string): Transport['call'] {
  const transport = httpTransport({ address: http })
  const secret = fromHex(token, 32)
  if (secret === undefined)
    throw new OnehopError('STORE_CORRUPT', 'the admin token file does not hold 64 hex digits', {
      help: 'Delete it and start the daemon again, which makes a new one.',
    })
  return (operation, request, options) => transport.call(operation, request, { ...options, token: secret })
}

/** The name that a running node has: the config of its next start may say another. */
export async function runningName(call: Transport['call'], signal: AbortSignal): Promise<string> {
  const { settings } = await call('admin.config', {}, { signal })
  const value = settings.find(({ path }) => path === 'name')?.value
  return value === undefined ? '' : String(JSON.parse(value))
}

export function dashboardLink(http: string, token: string): string {
  return `${http.replace(/\/$/, '')}/dashboard/#token=${token}`
}

export function notRunning(state: string, help?: string): OnehopError {
  return new OnehopError('NOT_RUNNING', `no daemon runs on ${state}`, help === undefined ? {} : { help })
}

/** A process of that id exists; of another user counts too. One that ended and was not yet fetched by its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return !isZombie(pid)
}

/** Where there is no /proc, a parent that does not fetch its children keeps them running in our eyes. */
function isZombie(pid: number): boolean {
  try {
    // PID (NAME) STATE ...: the name may hold anything, brackets too.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3) === 'Z'
  } catch {
    return false
  }
}

async function readToken(state: string): Promise<string | undefined> {
  const path = statePaths(state).adminToken
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new OnehopError('FORBIDDEN', `cannot read the admin token ${path}: ${code}`, {
      cause: error,
      help: 'Run this command as the user that runs the daemon.',
    })
  }
}
