/**
 * The command-line device's keys, numbers and unsent records in one file of mode 0600, outside the node's state: who
 * takes the box must not get the person. A write is whole or not at all and on disk when it resolves, so no number
 * is used twice, whatever happens to the process.
 */
import { open, mkdir, readFile, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import type { KeyStore } from '../client/key-store.ts'
import { fromHex, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import { writeSecretFile } from './config.ts'
import { isRunning } from './daemon.ts'
import type { OpenedFile, SealedFiles } from './passphrase.ts'

export function dataFolder(environment: NodeJS.ProcessEnv): string {
  return join(environment.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'onehop')
}

export function cliDevicePath(environment: NodeJS.ProcessEnv): string {
  return join(dataFolder(environment), 'cli-device.json')
}

const format = 1
const fileShape = v.object({ onehop: v.literal(format), entries: v.record(v.string(), v.string()) })

const lockWaitMs = 10_000
const lockPollMs = 20

export interface KeyFileSeal {
  /** The file may be sealed under a passphrase. */
  readonly files: SealedFiles
  /** The other key file of this machine: a new one is sealed as that is. */
  readonly other: () => string
}

export function fileKeyStore(path: string, clock: Clock, seal: KeyFileSeal = plain): KeyStore {
  // Within this process commands queue here; other processes meet at the lock file.
  let turn: Promise<unknown> = Promise.resolve()
  const alone = <T>(action: () => Promise<T>): Promise<T> => {
    const result = turn.then(() => whileNobodyWrites(path, clock, action))
    turn = result.catch(() => undefined)
    return result
  }
  const read = async (): Promise<{ entries: Map<string, string>; file: OpenedFile | undefined }> => {
    const text = await readKeyFile(path)
    const file = text === undefined ? undefined : await seal.files.open(text, path)
    return { entries: parseEntries(file?.text, path), file }
  }
  return {
    async get(name) {
      const hex = (await read()).entries.get(name)
      return hex === undefined ? undefined : entryBytes(path, name, hex)
    },
    async list(prefix) {
      const names = [...(await read()).entries.keys()]
      return names.filter((name) => name.startsWith(prefix)).toSorted()
    },
    write: (changes) =>
      alone(async () => {
        const { entries, file } = await read()
        for (const [name, bytes] of changes) {
          if (bytes === undefined) entries.delete(name)
          else entries.set(name, toHex(bytes))
        }
        const sealedBy = file === undefined ? await seal.files.sealedBy(seal.other()) : file.sealedBy
        await writeKeyFile(path, await seal.files.close({ text: entriesText(entries), sealedBy }))
      }),
    lock: (name, action) => withLockFile(`${path}.${name.replaceAll('/', '-')}-held.lock`, clock, action),
  }
}

/** Writes of other commands wait meanwhile. */
export function whileNobodyWrites<T>(path: string, clock: Clock, action: () => Promise<T>): Promise<T> {
  return withLockFile(`${path}.write.lock`, clock, action)
}

const plain: KeyFileSeal = {
  files: {
    open: async (text) => ({ text, sealedBy: undefined }),
    close: async ({ text }) => text,
    sealedBy: async () => undefined,
  },
  other: () => '',
}

/** Undefined where there is none yet. */
async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new OnehopError('STORE_UNWRITABLE', `cannot read the key file ${path}: ${code}`, { cause: error })
  }
}

/** Throws STORE_CORRUPT. */
export function checkKeyFile(text: string, path: string): void {
  parseEntries(text, path)
}

function parseEntries(text: string | undefined, path: string): Map<string, string> {
  if (text === undefined) return new Map()
  try {
    return new Map(Object.entries(v.parse(fileShape, JSON.parse(text)).entries))
  } catch (cause) {
    throw new OnehopError('STORE_CORRUPT', `${path} is not a key file of this release`, {
      cause,
      help: 'Put it back from a backup. Moved away, this command line becomes a new device, of nobody yet.',
    })
  }
}

function entriesText(entries: ReadonlyMap<string, string>): string {
  const sorted = Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return `${JSON.stringify({ onehop: format, entries: sorted })}\n`
}

async function writeKeyFile(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeSecretFile(path, text)
  } catch (cause) {
    throw new OnehopError(
      'STORE_UNWRITABLE',
      `cannot write the key file ${path}: ${(cause as Error).message}`,
      {
        cause,
        help: `Give this user the right to write ${dirname(path)}, or set XDG_DATA_HOME.`,
      },
    )
  }
}

function entryBytes(path: string, name: string, hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes !== undefined) return bytes
  throw new OnehopError('STORE_CORRUPT', `${path}: ${name} is not hex`, {
    help: 'Put the file back from a backup.',
  })
}

/** The file holds the id of the process that has the lock; the lock of a dead one is taken over. */
async function withLockFile<T>(path: string, clock: Clock, action: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const startMs = clock.monotonicMs()
  while (!(await tryLock(path))) {
    await removeStale(path, clock)
    if (clock.monotonicMs() - startMs > lockWaitMs)
      throw new OnehopError('STORE_LOCKED', `another onehop command holds ${path}`, {
        help: 'Wait until it ends. If none runs, delete that file.',
      })
    await clock.sleep(lockPollMs)
  }
  try {
    return await action()
  } finally {
    await rm(path, { force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(`${process.pid}\n`)
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new OnehopError('STORE_UNWRITABLE', `cannot write ${path}: ${(error as Error).message}`, {
      cause: error,
      help: `Give this user the right to write ${dirname(path)}, or set XDG_DATA_HOME.`,
    })
  }
}

/** Only one process at a time breaks a lock, and looks again before: else two could break it, and one of them a new one. */
async function removeStale(path: string, clock: Clock): Promise<void> {
  if (!(await isStale(path, clock)) || !(await tryLock(`${path}-breaking`))) return
  try {
    if (await isStale(path, clock)) await rm(path, { force: true })
  } finally {
    await rm(`${path}-breaking`, { force: true })
  }
}

async function isStale(path: string, clock: Clock): Promise<boolean> {
  try {
    const pid = Number((await readFile(path, 'utf8')).trim())
    const ageMs = clock.nowMs() - (await stat(path)).mtimeMs
    // Empty for the moment between its making and its writing.
    return pid > 0 ? !isRunning(pid) : ageMs > lockWaitMs / 2
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
