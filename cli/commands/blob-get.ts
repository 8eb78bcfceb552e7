import { open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { OnehopError } from '../../protocol/errors.ts'
import { appOptions, openApp } from '../app.ts'
import { readReference, transferred } from '../blob-reference.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { readId, requireIdentity } from '../owner.ts'
import { barOf, createProgressLine } from '../progress-line.ts'

export const blobGet: Command = {
  name: 'blob get',
  summary: 'download a file, or a range of it',
  operands: ['REF'],
  options: {
    ...appOptions,
    out: { type: 'string', value: 'FILE', help: 'where it goes' },
    range: { type: 'string', value: 'A-B', help: 'bytes A to B alone, counted from 0; A- to the end' },
    owner: { type: 'string', value: 'ID', help: 'of another identity' },
  },
  examples: [
    ['onehop blob get - --out diary.pdf < diary.ref', 'by the reference that blob put printed'],
    ['onehop blob get HASH --out film.mp4 --owner ID', "somebody's plain file, by its 64 hex digits"],
    [
      'onehop blob get HASH --out head.bin --range 0-1023',
      'the first KB: only the chunks it lies in are fetched',
    ],
  ],
  notes: [
    'REF is the JSON that blob put printed, or of a plain file its hash; - reads it from standard input, so that the key of',
    'a sealed file shows in no list of processes. Every chunk is verified, and opened where it is sealed, before it is',
    'written. FILE is there whole or not at all.',
  ].join('\n'),
  async run(call) {
    const {
      operands: [text = ''],
      context,
      output,
      flags,
    } = call
    const path = flags.text('out')
    if (path === undefined) throw new UsageError('--out FILE is missing', 'onehop blob get --help')
    const range = readRange(flags.text('range'))
    const reference = await readReference(text, context.stdin)
    const ownerText = flags.text('owner')
    const owner =
      ownerText === undefined ? (await requireIdentity(context)).id : readId(ownerText, 'an identity')
    await using opened = await openApp(call)
    const { size } = reference
    const whole = size === undefined ? undefined : Math.min(range.length ?? size, size - range.offset)
    const aside = `${path}.part`
    const file = await create(aside)
    const line = createProgressLine(output, context.clock)
    let bytes = 0
    try {
      const pieces = opened.app.blobs.get(reference, { ...range, owner, signal: context.signal })
      for await (const piece of pieces) {
        await file.writeFile(piece)
        bytes += piece.length
        line.show((seconds) => {
          const bar = whole === undefined ? '' : `${barOf(bytes / Math.max(1, whole))}  `
          return bar + transferred(bytes, seconds)
        })
      }
      await file.close()
      await rename(aside, path)
      line.end()
      if (output.json) output.line({ out: path, offset: range.offset, bytes })
      else output.words(`${output.green('Wrote')} ${path}: ${transferred(bytes, line.seconds())}`)
      return exitCodes.ok
    } finally {
      line.end()
      await file.close()
      await rm(aside, { force: true })
    }
  },
}

/** For its owner's eyes: it may have been sealed. */
async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600)
  } catch (cause) {
    throw new OnehopError('BAD_REQUEST', `cannot write ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    })
  }
}

function readRange(text: string | undefined): { readonly offset: number; readonly length?: number } {
  if (text === undefined) return { offset: 0 }
  const [, first = '', last = ''] = /^(\d{1,15})-(\d{0,15})$/.exec(text) ?? []
  if (first === '' || (last !== '' && Number(last) < Number(first)))
    throw new UsageError(`--range takes A-B, such as 0-1023 or 4096-, not ${JSON.stringify(text)}`)
  const offset = Number(first)
  return last === '' ? { offset } : { offset, length: Number(last) - offset + 1 }
}
