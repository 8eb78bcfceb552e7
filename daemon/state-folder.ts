import { constants } from 'node:fs'
import { access, chmod, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fromHex, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Random } from '../protocol/ports.ts'
import { makeFolder } from '../storage/folder.ts'

/** What lies where in the folder that `config.state` names. Secrets are files of mode 0600 in a folder of 0700. */
export interface StateFolder {
  readonly path: string
  readonly store: string
  readonly blobs: string
  /** The seed in hex, or that sealed under a passphrase. */
  readonly nodeKey: string
  readonly adminToken: string
  /** Written while a daemon runs: where it answers, and its process id. */
  readonly runtime: string
  /** Ed25519 seed of the node. */
  readonly seed: Uint8Array
}

export function statePaths(path: string): Omit<StateFolder, 'seed'> {
  return {
    path,
    store: join(path, 'store'),
    blobs: join(path, 'blobs'),
    nodeKey: join(path, 'node-key'),
    adminToken: join(path, 'admin-token'),
    runtime: join(path, 'runtime.json'),
  }
}

/** The node's key may be sealed under a passphrase. */
export interface KeyFileSeal {
  /** What is in the file. */
  readonly open: (text: string, path: string) => Promise<string>
  /** Of a key that is made now, what to write. */
  readonly close: (text: string) => Promise<string>
}

const plain: KeyFileSeal = { open: async (text) => text, close: async (text) => text }

/** Makes the folder and the node's key where they are missing. STORE_UNWRITABLE names what is in the way. */
export async function openStateFolder(
  path: string,
  random: Random,
  keyFile: KeyFileSeal = plain,
): Promise<StateFolder> {
  try {
    await makeFolder(path)
    await chmod(path, 0o700)
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new OnehopError(
      'STORE_UNWRITABLE',
      `cannot write the state folder ${path}: ${(cause as Error).message}`,
      {
        cause,
        ...helpFor((cause as NodeJS.ErrnoException).code),
      },
    )
  }
  return { ...statePaths(path), seed: await secretFile(statePaths(path).nodeKey, random, keyFile) }
}

/** Where the right to write is not what is missing. */
function helpFor(code: string | undefined): { readonly help: string } | undefined {
  if (code === 'EEXIST' || code === 'ENOTDIR') return { help: 'Name a folder, not a file: --state DIR.' }
  if (code !== 'EROFS') return undefined
  return {
    help: 'The disk is mounted read-only. Look at it (dmesg), mount it for writing, or copy the folder to another and start there: --state DIR.',
  }
}

async function secretFile(path: string, random: Random, keyFile: KeyFileSeal): Promise<Uint8Array> {
  // Of a write that was cut short: it may hold the key in the open, beside one that has been sealed since.
  await rm(draftOf(path), { force: true })
  try {
    const seed = fromHex((await keyFile.open(await readFile(path, 'utf8'), path)).trim(), 32)
    if (seed !== undefined) return seed
    throw new OnehopError('STORE_CORRUPT', `${path} does not hold a key of 64 hex digits`, {
      help: 'Put the file back from a backup; without it this box is a new node to all others.',
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const seed = random.bytes(32)
  await writeSecretFile(path, await keyFile.close(`${toHex(seed)}\n`))
  return seed
}

function draftOf(path: string): string {
  return `${path}.new`
}

/** Whole or not at all, readable by its owner only, on disk when it resolves. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  const draft = draftOf(path)
  // Never into a file that is there: it may be another's, or a link that leads where root alone may write.
  await rm(draft, { force: true })
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.chmod(0o600)
    // Root writes for whom the folder belongs to: a service could not read its own key any more.
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(dirname(path))
      await file.chown(uid, gid)
    }
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
