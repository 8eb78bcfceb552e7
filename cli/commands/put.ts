import { text as readAll } from 'node:stream/consumers'
import type { Write } from '../../client/item.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import { itemFromJson } from '../../protocol/schema/json-value.ts'
import { appOptions, openApp } from '../app.ts'
import type { OpenApp } from '../app.ts'
import type { Call, Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { findGroup } from '../group.ts'
import { requireIdentity } from '../owner.ts'
import { counted, shortId } from '../units.ts'

/** Copies go out within a second; a holder that is busy or joining takes longer. */
const waitSDefault = 30

export const put: Command = {
  name: 'put',
  summary: 'write a record',
  operands: ['COLLECTION', 'JSON'],
  options: {
    ...appOptions,
    owner: { type: 'string', value: 'GROUP', help: 'in the shard of a group that you write in' },
    readers: { type: 'string', value: 'GROUP', help: 'in yours, what is for followers sealed for a group' },
    durable: { type: 'boolean', help: 'wait until two nodes have it on disk' },
    wait: { type: 'string', value: 'SECONDS', help: `with --durable: how long (${waitSDefault})` },
  },
  examples: [
    ['onehop put posts \'{"text": "hello"}\'', 'a post'],
    ['onehop put profile \'{"name": "Ada", "place": "/geo/europe/gb/london"}\'', 'the one profile'],
    ['onehop put notes - < note.json', 'JSON from standard input'],
    ['onehop put posts \'{"text": "e4"}\' --owner "Chess club"', 'in the shard of a group'],
  ],
  notes: [
    'Bytes, images and users are lower-case hex in JSON.',
    'With --durable the id is printed as soon as one node has the record, and --json prints a second line when two have it.',
    'Exit code 1 when none had it in time: it stays on the one node, and goes to the others by itself.',
  ].join('\n'),
  async run(call) {
    const {
      operands: [name = '', json = ''],
      context,
      output,
      flags,
    } = call
    const waitS = flags.count('wait') ?? waitSDefault
    await requireIdentity(context)
    const text = json === '-' ? await readAll(context.stdin) : json
    await using opened = await openApp(call, name)
    const { app, schema } = opened
    collectionOf(schema, name)
    const value = itemFromJson(schema, name, parseJson(text))
    const [owner, readers] = await groupsOf(opened, [flags.text('owner'), flags.text('readers')])
    const write = await app.collection(name).put(value, { owner, readers })
    const { address } = await write.accepted
    const { id, key, number } = write.local
    const stored = { id: toHex(id), key: toHex(key), number, address }
    if (output.json) output.line({ ...stored, outcome: 'accepted' })
    else {
      output.data(stored.id)
      output.words(
        `${output.green('Stored')} at ${address} as number ${number} of ${shortId(owner ?? app.owner ?? id)}.`,
      )
    }
    if (!flags.on('durable')) return exitCodes.ok
    const copies = await waitForSecond(call, app, write, waitS)
    if (output.json) output.line({ ...stored, outcome: 'durable', copies })
    else output.words(`${output.green('Stored')} on ${counted(copies, 'node')}.`)
    return exitCodes.ok
  },
}

/** Each opened, so that what is sealed for it can be. */
function groupsOf(
  opened: OpenApp,
  named: readonly (string | undefined)[],
): Promise<(IdentityId | undefined)[]> {
  return Promise.all(
    named.map(async (text) => {
      if (text === undefined) return undefined
      const { id } = await opened.app.groups.open(await findGroup(opened, text))
      return id
    }),
  )
}

/** Whatever ends the waiting, the record is on one node and was told so. */
async function waitForSecond(
  { context, flags, output }: Call,
  app: OpenApp['app'],
  { durable }: Pick<Write, 'durable'>,
  waitS: number,
): Promise<number> {
  const holders = app.nearest?.members.length
  const goesOn = 'The record is stored on one node, and goes to the others by itself.'
  if (holders === 1) {
    const alone = 'one node alone holds your records, so that no second one will have this'
    const help = `Let others hold copies: onehop init, once onehop status shows neighbours. ${goesOn}`
    // Somebody who says how long may be about to start the second.
    if (flags.text('wait') === undefined) throw new OnehopError('UNREACHABLE', alone, { help })
    if (!output.json) output.words(output.yellow(`For now ${alone}.`))
  }
  if (!output.json) output.words(`Waiting for a second node, ${waitS} s at most ...`)
  const stop = new AbortController()
  const ended = context.clock.sleep(waitS * 1000, AbortSignal.any([context.signal, stop.signal])).then(
    () => new OnehopError('TIMEOUT', `no second node had it within ${waitS} s`, { help: goesOn }),
    () => new OnehopError('ABORTED', 'nobody waits any more for a second node', { help: goesOn }),
  )
  try {
    const first = await Promise.race([durable, ended])
    if (first instanceof OnehopError) throw first
    return first.copies
  } finally {
    stop.abort()
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UsageError(
      `not JSON: ${(cause as Error).message}`,
      `Quote it for the shell: '{"text": "hello"}'`,
    )
  }
}
