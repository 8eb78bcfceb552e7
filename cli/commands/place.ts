import { fillShard, ownedGroups, type Filled } from '../../client/seats.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import type { OnehopError } from '../../protocol/errors.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Command } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { columns, safeText } from '../output.ts'
import { requireIdentity } from '../owner.ts'
import { counted, shortId } from '../units.ts'

interface Row {
  readonly owner: IdentityId
  readonly name: string
  readonly filled: Filled | undefined
  readonly error: OnehopError | undefined
}

export const place: Command = {
  name: 'place',
  summary: 'ask neighbours for the copies that are missing, of your records and of groups that you own',
  operands: [],
  options: {},
  examples: [['onehop place', 'after new neighbours came who offer space']],
  notes: [
    'At the node where you live. Apps and the phone page do the same by themselves, when they are opened and when something is written.',
    'How many there should be says hosting.copies in the config; neighbours offer space by a pact (onehop invite), or onehop offer.',
  ].join('\n'),
  async run({ context, output }) {
    const { signal } = context
    const identity = await requireIdentity(context)
    const crypto = await context.crypto()
    const { call } = await context.daemon()
    const parts = { call, identity, crypto }
    const groups = await ownedGroups(parts, { signal })
    const shards = [
      { owner: identity.id, name: 'yours' },
      ...groups.map(({ group, label }) => ({ owner: group, name: safeText(label) || shortId(group) })),
    ]
    const rows: Row[] = []
    for (const shard of shards) {
      const done = await fillShard(parts, shard.owner, { signal }).catch(asOnehopError)
      rows.push(
        'members' in done
          ? { ...shard, filled: done, error: undefined }
          : { ...shard, filled: undefined, error: done },
      )
    }
    if (output.json)
      for (const { owner, filled, error } of rows)
        output.line({
          owner,
          copies: filled?.members ?? null,
          wanted: filled?.wanted ?? null,
          problem: error?.message ?? null,
        })
    else {
      output.data(columns(rows.map(({ name, filled, error }) => [name, wordsOf(filled, error)])))
      if (rows.some(({ filled }) => filled !== undefined && filled.members < filled.wanted))
        output.words(await whyFew({ call }, signal))
    }
    const [failed] = rows.flatMap(({ error }) => error ?? [])
    if (failed !== undefined) throw failed
    return exitCodes.ok
  },
}

/** As the node sees it: nobody offers space, or whoever does would fail together with one that holds them. */
export async function whyFew({ call }: Pick<Daemon, 'call'>, signal: AbortSignal): Promise<string> {
  const { problems } = await call('admin.status', { limit: 1, brief: true }, { signal })
  const few = problems.find(({ code }) => code === 'FEW_COPIES')
  return few?.help ?? 'onehop neighbours shows who keeps copies.'
}

function wordsOf(filled: Filled | undefined, error: OnehopError | undefined): string {
  if (filled === undefined) return error?.message ?? ''
  return `${filled.members} of ${counted(Math.max(filled.wanted, filled.members), 'copy', 'copies')}`
}
