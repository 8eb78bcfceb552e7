import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { columns, safeText } from '../output.ts'
import { readBytes } from '../quantity.ts'
import { formatBytes, shortId } from '../units.ts'

const whom = 'TO is anyone, a place such as /geo/africa/ng, or the whole id of a node.'

export const offer: Command = {
  name: 'offer',
  summary: 'to whom this node offers space, beside pacts with friends',
  operands: [],
  options: {},
  examples: [['onehop offer', 'strangers get nothing unless you say so']],
  notes: `${whom}\nThe offer that names somebody most closely counts: a pact, the node, the smallest place, anyone.`,
  async run({ context, output }) {
    const { call } = await context.daemon()
    const { offers, offerBytes, leasedBytes } = await call('admin.neighbours', {}, { signal: context.signal })
    if (output.json) for (const one of offers) output.line(one)
    else {
      if (offers.length === 0) output.words('Strangers get nothing here.')
      else
        output.data(
          columns(
            offers.map(({ to, bytes, source }) => [
              /^[0-9a-f]{64}$/.test(to) ? `node ${shortId(to)}` : safeText(to),
              formatBytes(bytes),
              output.dim(source === 'config' ? 'hosting.offerTo in the config' : ''),
            ]),
          ),
        )
      output.words(
        `All together ${formatBytes(offerBytes)} at most (hosting.offerBytes), of which ${formatBytes(leasedBytes)} are leased.`,
      )
    }
    return exitCodes.ok
  },
}

export const offerMake: Command = {
  name: 'offer make',
  summary: 'offer space to more than friends',
  operands: ['TO', 'SIZE'],
  options: {},
  examples: [
    ['onehop offer make /geo/africa/ng 5GB', 'to nodes that say they stand in Nigeria, 5 GB in all'],
    ['onehop offer make anyone 500MB', 'to strangers'],
  ],
  notes: `${whom}\nIn place of what was offered to the same before. A node says itself where it stands; nobody proves that.`,
  async run({ operands: [to = '', size = ''], context, output }) {
    const bytes = readBytes(size, 'SIZE')
    const { call } = await context.daemon()
    await call('admin.offer.set', { to: spelt(to), bytes }, { signal: context.signal })
    if (output.json) output.line({ to: spelt(to), bytes })
    else output.words(`${output.green('Offered')} ${formatBytes(bytes)} to ${safeText(to)}.`)
    return exitCodes.ok
  },
}

export const offerWithdraw: Command = {
  name: 'offer withdraw',
  summary: 'offer it no more; what was promised holds until it runs out',
  operands: ['TO'],
  options: {},
  examples: [['onehop offer withdraw anyone', 'an offer of the config stays: it is changed there']],
  notes: whom,
  async run({ operands: [to = ''], context, output }) {
    const { call } = await context.daemon()
    const { signal } = context
    await call('admin.offer.set', { to: spelt(to), bytes: 0 }, { signal })
    const { offers } = await call('admin.neighbours', {}, { signal })
    const stays = offers.find((one) => one.to === spelt(to))
    if (output.json) output.line({ to: spelt(to), bytes: stays?.bytes ?? 0 })
    else if (stays === undefined) output.words(`Nothing is offered to ${safeText(to)}.`)
    else
      output.words(
        `hosting.offerTo in the config still offers ${formatBytes(stays.bytes)} to ${safeText(to)}.`,
      )
    return exitCodes.ok
  },
}

function spelt(to: string): string {
  return /^[0-9a-f]{64}$/i.test(to) ? to.toLowerCase() : to
}
