import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fromHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Call, Command, Context } from '../command.ts'
import { statePaths, writeSecretFile } from '../config.ts'
import { exitCodes } from '../exit-code.ts'
import { NeedsAction, UsageError } from '../failure.ts'
import { checkKeyFile, cliDevicePath, whileNobodyWrites } from '../key-store.ts'
import { credentialName, readPassphraseFile } from '../passphrase.ts'
import { withHiddenLines } from '../question.ts'
import { newPassphraseKey, type PassphraseKey } from '../sealed-file.ts'

const lengthMin = 8

export const passphraseSet: Command = {
  name: 'passphrase set',
  summary: 'seal the keys on this machine under a passphrase, or under another one',
  operands: [],
  options: {
    file: { type: 'string', value: 'FILE', help: 'the new passphrase is its first line; else it is asked' },
  },
  examples: [
    ['onehop passphrase set', 'asks twice; then every command that needs your key asks for it'],
    [`onehop passphrase set --file /etc/credstore/${credentialName}`, 'for a service, which cannot be asked'],
  ],
  notes: [
    "Sealed are this command line's key file and the key of the node: whoever finds the disk has neither. Nothing else is",
    'sealed by it: what is private is ciphertext already, the rest lies open. Blocks of a disk that the old file lay in may',
    'still hold the keys until they are written over; on flash nobody can say when. Forgotten, it cannot be found: your',
    'recovery words bring you back elsewhere.',
    `A passphrase has ${lengthMin} characters at least; five words that dice chose make a good one.`,
    `A node that starts as a service reads it from the systemd credential ${credentialName} (a file of that name in`,
    '/etc/credstore, or made by systemd-creds encrypt in /etc/credstore.encrypted; before systemd 254 the unit needs a drop-in',
    `with LoadCredential=${credentialName}:PATH), or from the file that ONEHOP_PASSPHRASE_FILE names.`,
  ].join('\n'),
  async run(call) {
    const { context, output, flags } = call
    const files = keyFiles(context)
    await openAll(context, files)
    const key = await newPassphraseKey(
      await context.crypto(),
      await newPassphrase(context, flags.text('file')),
    )
    await reseal(context, files, key)
    if (output.json) output.line({ sealed: files.map(({ path }) => path) })
    else {
      for (const { path } of files) output.words(`${output.green('Sealed')} ${path}`)
      output.words('A node that runs goes on, and needs the passphrase when it starts the next time.')
    }
    return exitCodes.ok
  },
}

export const passphraseRemove: Command = {
  name: 'passphrase remove',
  summary: 'keep the keys on this machine without a passphrase again',
  operands: [],
  options: {},
  examples: [['onehop passphrase remove', 'asks for the passphrase a last time']],
  async run({ context, output }) {
    const files = keyFiles(context)
    await reseal(context, files, undefined)
    if (output.json) output.line({ opened: files.map(({ path }) => path) })
    else
      for (const { path } of files)
        output.words(`${output.green('No longer sealed:')} ${path}. Only its user may read it.`)
    return exitCodes.ok
  },
}

interface KeyFile {
  readonly path: string
  /** A damaged one is not sealed over: it could not be mended any more. */
  readonly check: (text: string, path: string) => void
}

function keyFiles({ config, environment }: Context): readonly KeyFile[] {
  const { nodeKey } = statePaths(config().config.state)
  const cliDevice = cliDevicePath(environment)
  const files = [
    { path: nodeKey, check: checkNodeKey },
    { path: cliDevice, check: checkKeyFile },
  ].filter(({ path }) => existsSync(path))
  if (files.length > 0) return files
  throw new OnehopError('NOT_FOUND', `there are no keys yet at ${nodeKey} or ${cliDevice}`, {
    help: 'Start a node, or make an identity: onehop start, onehop init --user NAME',
  })
}

function checkNodeKey(text: string, path: string): void {
  if (fromHex(text.trim(), 32) !== undefined) return
  throw new OnehopError('STORE_CORRUPT', `${path} does not hold a key of 64 hex digits`, {
    help: 'Put the file back from a backup.',
  })
}

async function openAll({ sealed }: Context, files: readonly KeyFile[]): Promise<string[]> {
  const texts: string[] = []
  for (const { path, check } of files) {
    const { text } = await sealed.open(await readFile(path, 'utf8'), path)
    check(text, path)
    texts.push(text)
  }
  return texts
}

/** All are opened before any is written: with a wrong passphrase nothing changes. Each file is the old or the new one. */
async function reseal(context: Context, files: readonly KeyFile[], sealedBy: PassphraseKey | undefined) {
  await whileNobodyWrites(cliDevicePath(context.environment), context.clock, async () => {
    const texts = await openAll(context, files)
    const closed = await Promise.all(texts.map((text) => context.sealed.close({ text, sealedBy })))
    for (const [index, { path }] of files.entries()) await writeSecretFile(path, closed[index] as string)
  })
}

async function newPassphrase(context: Call['context'], file: string | undefined): Promise<string> {
  const passphrase = file === undefined ? await askTwice(context) : await readPassphraseFile(file)
  if (passphrase.length >= lengthMin) return passphrase
  throw new UsageError(
    `a passphrase has ${lengthMin} characters at least; nothing was changed`,
    'Five words that dice chose make a good one.',
  )
}

async function askTwice(context: Call['context']): Promise<string> {
  if (context.stdin.isTTY !== true)
    throw new NeedsAction('UNAUTHENTICATED', 'there is no terminal to ask for the new passphrase', {
      help: 'Name a file that holds it: onehop passphrase set --file FILE',
    })
  const [first, second] = await withHiddenLines(context, async (ask) => [
    await ask('New passphrase: '),
    await ask('The same again: '),
  ])
  if (first === second) return first
  throw new UsageError('the two are not the same; nothing was changed', 'onehop passphrase set')
}
