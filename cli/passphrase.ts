/**
 * The passphrase under which keys on this machine may be sealed: from the file that a variable names, from a systemd
 * credential, else asked at the terminal, once a command. Never an argument, which other users of a machine can read.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import type { Context } from './command.ts'
import { NeedsAction } from './failure.ts'
import { withHiddenLines } from './question.ts'
import { openText, passphraseKey, readSealed, sealText, type PassphraseKey } from './sealed-file.ts'

export const credentialName = 'onehop-passphrase'
const triesMax = 3

type Asker = Pick<Context, 'environment' | 'stdin' | 'signal'>

export interface OpenedFile {
  readonly text: string
  /** Undefined where the file is not sealed. */
  readonly sealedBy: PassphraseKey | undefined
}

/** Files whose text may be sealed under a passphrase. */
export interface SealedFiles {
  /** `path` is for whoever is asked. NeedsAction without the right passphrase, STORE_CORRUPT. */
  open(text: string, path: string): Promise<OpenedFile>
  close(opened: OpenedFile): Promise<string>
  /** For a key file that is made beside this one: what that is sealed under. Undefined where it is not, or not there. */
  sealedBy(path: string): Promise<PassphraseKey | undefined>
}

export function sealedFiles(asker: Asker, loadCrypto: () => Promise<CryptoProvider>): SealedFiles {
  /** By salt: a command reads its key file many times, and a key costs tenths of a second. */
  const keys = new Map<string, PassphraseKey>()
  let passphrase: Promise<string> | undefined
  const files: SealedFiles = {
    async open(text, path) {
      const file = readSealed(text)
      if (file === undefined) return { text, sealedBy: undefined }
      const { salt } = file.scrypt
      const crypto = await loadCrypto()
      for (let tries = 1; tries <= triesMax; tries++) {
        passphrase ??= givenPassphrase(asker, path)
        const key = keys.get(salt) ?? (await passphraseKey(await passphrase, salt))
        const opened = openText(crypto, key, file)
        if (opened !== undefined) {
          keys.set(salt, key)
          return { text: opened, sealedBy: key }
        }
        // Another file may have been sealed under another one, where a change was cut short: it is asked for by name.
        if (asker.stdin.isTTY !== true) break
        process.stderr.write('That is not it. ')
        passphrase = askFor(asker, path)
      }
      throw new NeedsAction('UNAUTHENTICATED', `${path} is sealed under another passphrase`, {
        help: 'There is no way round it. With your recovery words you come back on another machine: onehop recover.',
      })
    },
    async close({ text, sealedBy }) {
      return sealedBy === undefined ? text : sealText(await loadCrypto(), sealedBy, text)
    },
    async sealedBy(path) {
      // One that this user may not read is another's, whose passphrase is too.
      const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT' || cause.code === 'EACCES') return undefined
        throw cause
      })
      return text === undefined ? undefined : (await files.open(text, path)).sealedBy
    },
  }
  return files
}

async function givenPassphrase(asker: Asker, path: string): Promise<string> {
  const { CREDENTIALS_DIRECTORY: folder, ONEHOP_PASSPHRASE_FILE: named } = asker.environment
  if (named) return readPassphraseFile(named)
  // A service may have other credentials than ours.
  if (folder && existsSync(join(folder, credentialName)))
    return readPassphraseFile(join(folder, credentialName))
  if (asker.stdin.isTTY === true) return askFor(asker, path)
  throw new NeedsAction('UNAUTHENTICATED', `${path} is sealed under a passphrase`, {
    help: `Run this at a terminal, or put it in a file: ONEHOP_PASSPHRASE_FILE names one, and so does the systemd credential ${credentialName}.`,
  })
}

function askFor(asker: Asker, path: string): Promise<string> {
  return withHiddenLines(asker, (ask) => ask(`Passphrase of ${path}: `))
}

/** The first line of a file. */
export async function readPassphraseFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new NeedsAction('UNAUTHENTICATED', `cannot read the passphrase from ${path}: ${cause.code}`, {
      cause,
      help: 'Put it there, readable by this user alone.',
    })
  })
  const [line = ''] = text.split(/\r?\n/)
  if (line !== '') return line
  throw new NeedsAction('UNAUTHENTICATED', `the first line of ${path} is empty`, {
    help: 'The passphrase is the first line of that file.',
  })
}
