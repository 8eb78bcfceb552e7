import { toHex } from '../../protocol/bytes.ts'
import { appOptions, openApp } from '../app.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { columns } from '../output.ts'
import { readId, requireIdentity } from '../owner.ts'

export const readers: Command = {
  name: 'readers',
  summary: 'who may read what you keep for followers in an app, and who asks to',
  operands: [],
  options: appOptions,
  examples: [['onehop readers --schema example.circle', 'whom you approved, then who follows without that']],
  notes: 'Only an app whose schema keeps something for followers has readers.',
  async run(call) {
    const { context, output } = call
    const { signal } = context
    await requireIdentity(context)
    await using opened = await openApp(call)
    const { readers: own } = opened.app
    const approved = await own.list({ signal })
    const { items: requests, isWhole } = await own.requests({ signal })
    if (output.json) {
      for (const { identity, isLeaving } of approved)
        output.line({ identity: toHex(identity), state: isLeaving ? 'leaving' : 'approved' })
      for (const { identity, sinceMs, wasRemoved } of requests)
        output.line({ identity: toHex(identity), state: 'asks', sinceMs, wasRemoved })
      return exitCodes.ok
    }
    const rows = [
      ...approved.map(({ identity, isLeaving }) => [
        toHex(identity),
        isLeaving ? output.red('removed, reads on until the next thing a day later') : output.green('reads'),
      ]),
      ...requests.map(({ identity, wasRemoved }) => [
        toHex(identity),
        wasRemoved ? 'follows; was removed' : 'follows, and is not approved',
      ]),
    ]
    if (rows.length === 0)
      output.words(
        isWhole
          ? 'Nobody was approved, and nobody follows.'
          : 'Nobody was approved, and nobody is known to follow.',
      )
    else output.data(columns(rows))
    if (!isWhole) output.words('Not all nodes were heard: there may be more who follow.')
    return exitCodes.ok
  },
}

export const readersApprove: Command = {
  name: 'readers approve',
  summary: 'let somebody read what you keep for followers, earlier things too',
  operands: ['ID'],
  options: appOptions,
  examples: [['onehop readers approve ID --schema example.circle', 'ID as onehop readers prints it']],
  notes: 'Again: when they lost a phone and renewed their keys.',
  async run(call) {
    const { operands, context, output } = call
    const identity = readId(operands[0] ?? '', 'a reader')
    await requireIdentity(context)
    await using opened = await openApp(call)
    await (
      await opened.app.readers.approve(identity, { signal: context.signal })
    ).accepted
    if (output.json) output.line({ identity: toHex(identity), state: 'approved' })
    else output.words(`${output.green('Approved')} ${toHex(identity)}.`)
    return exitCodes.ok
  },
}

export const readersRemove: Command = {
  name: 'readers remove',
  summary: 'let somebody read nothing new of what you keep for followers',
  operands: ['ID'],
  options: { ...appOptions, urgent: { type: 'boolean', help: 'at once, not once a day' } },
  examples: [['onehop readers remove ID --urgent', 'from the next post on']],
  notes:
    'What they could read they may have kept. Without --urgent it takes effect once a day, with what you write next.',
  async run(call) {
    const { operands, context, output, flags } = call
    const identity = readId(operands[0] ?? '', 'a reader')
    const urgent = flags.on('urgent')
    await requireIdentity(context)
    await using opened = await openApp(call)
    await (
      await opened.app.readers.remove(identity, { urgent, signal: context.signal })
    ).accepted
    if (output.json) output.line({ identity: toHex(identity), state: urgent ? 'removed' : 'leaving' })
    else output.words(`Removed ${toHex(identity)}${urgent ? '' : '; it takes effect once a day'}.`)
    return exitCodes.ok
  },
}
