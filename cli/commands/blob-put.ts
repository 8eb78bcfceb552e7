import { createReadStream, openAsBlob } from 'node:fs'
import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { BlobSource } from '../../client/blobs/blob-source.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { checkFieldValue } from '../../protocol/schema/check-value.ts'
import { appOptions, openApp } from '../app.ts'
import { referenceJson, transferred } from '../blob-reference.ts'
import type { Command, Context } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { requireIdentity } from '../owner.ts'
import { barOf, createProgressLine } from '../progress-line.ts'
import { formatBytes } from '../units.ts'

const mimeDefault = 'application/octet-stream'

export const blobPut: Command = {
  name: 'blob put',
  summary: 'upload a file, and print the reference that records name it by',
  operands: ['FILE'],
  options: {
    ...appOptions,
    sealed: { type: 'boolean', help: 'encrypt it here; its key is in the reference' },
    mime: { type: 'string', value: 'TYPE', help: `its media type (${mimeDefault})` },
  },
  examples: [
    ['onehop blob put film.mp4 --mime video/mp4', 'a file that anybody may read'],
    ['onehop blob put diary.pdf --sealed > diary.ref', 'only who has the reference can read it'],
    ['onehop blob put - --sealed < backup.tar', 'from standard input, however long'],
  ],
  notes: [
    'A file takes a few chunks of memory, however long. An upload of a plain file that broke goes on where it stopped when',
    'it is begun again. The reference is one line of JSON; it goes into a field of type blob. With --sealed it holds the',
    'key: whoever sees it reads the file.',
  ].join('\n'),
  async run(call) {
    const {
      operands: [path = ''],
      context,
      output,
      flags,
    } = call
    const mime = flags.text('mime') ?? mimeDefault
    const example = { hash: new Uint8Array(32), size: 0, mime }
    if (checkFieldValue({ type: 'blob' }, new Map(), example) !== undefined)
      throw new UsageError(`--mime takes a media type such as image/png, not ${JSON.stringify(mime)}`)
    await requireIdentity(context)
    const { source, size } = await openSource(path, context)
    await using opened = await openApp(call)
    const line = createProgressLine(output, context.clock)
    try {
      const reference = await opened.app.blobs.put(source, mime, {
        sealed: flags.on('sealed'),
        signal: context.signal,
        onProgress: (sent) =>
          line.show((seconds) => {
            const all = size === undefined ? '' : `${barOf(Math.min(1, sent / Math.max(1, size)))}  `
            return all + transferred(size === undefined ? sent : Math.min(sent, size), seconds)
          }),
      })
      line.end()
      if (output.json) output.line(referenceJson(reference))
      else output.data(JSON.stringify(referenceJson(reference)))
      if (!output.json)
        output.words(
          `${output.green('Stored')} ${formatBytes(reference.size)}: ${transferred(reference.size, line.seconds())}`,
        )
      return exitCodes.ok
    } finally {
      line.end()
    }
  },
}

/** A file can be read twice, and so an upload can go on; what else has a path, or comes in at `-`, is a stream. */
async function openSource(
  path: string,
  { stdin, signal }: Context,
): Promise<{ readonly source: BlobSource; readonly size: number | undefined }> {
  if (path === '-') return { source: stdin as AsyncIterable<Uint8Array>, size: undefined }
  let found: Stats
  try {
    found = await stat(path)
    if (found.isFile()) return { source: await openAsBlob(path), size: found.size }
  } catch (cause) {
    throw new OnehopError('NOT_FOUND', `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    })
  }
  if (found.isDirectory())
    throw new OnehopError('BAD_REQUEST', `${path} is a folder`, {
      help: 'Pack it: tar c FOLDER | onehop blob put -',
    })
  return { source: createReadStream(path, { signal }), size: undefined }
}
