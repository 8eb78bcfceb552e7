import type { ReplyOf } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { Command, Context } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { pickId, prefixMin } from '../node-name.ts'
import { columns, safeText } from '../output.ts'
import type { Output } from '../output.ts'
import { counted, formatBytes, formatDuration, shortId } from '../units.ts'

type Reply = ReplyOf<'admin.neighbours'>
type Neighbour = Reply['neighbours'][number]

export const neighbours: Command = {
  name: 'neighbours',
  summary: 'who keeps copies of yours, whose you keep, how much, since when, how well',
  operands: [],
  options: { all: { type: 'boolean', help: 'also those with whom nothing is agreed or kept' } },
  examples: [
    ['onehop neighbours', 'friends first'],
    ['onehop neighbours --json | jq .keeps', 'the same for programs'],
  ],
  notes:
    'Yours: of all who live at this node, and of groups that live here. A friend joins by onehop invite.',
  async run({ flags, context, output }) {
    const { call } = await context.daemon()
    const found = await call('admin.neighbours', {}, { signal: context.signal })
    const listed = flags.on('all') ? found.neighbours : found.neighbours.filter(isClose)
    if (output.json) {
      for (const one of listed) output.line(one)
      return exitCodes.ok
    }
    const hidden = found.neighbours.length - listed.length
    if (listed.length === 0)
      output.words(
        'Nobody keeps anything of yours, and you keep nothing of others. Invite a friend who has a box: onehop invite',
      )
    else output.data(table(listed, output, context.clock.nowMs()))
    if (hidden > 0)
      output.words(
        output.dim(`${counted(hidden, 'more node')} around, nothing agreed: onehop neighbours --all`),
      )
    output.words(spaceWords(found))
    return exitCodes.ok
  },
}

export const neighboursEnd: Command = {
  name: 'neighbours end',
  summary: 'end a pact: nothing is promised anew, what was promised holds until it runs out',
  operands: ['NODE'],
  options: {},
  examples: [['onehop neighbours end 5f0c9a31', 'their copies here go when their leases end']],
  notes: [
    `NODE is its id as onehop neighbours prints it, or the first digits of that (${prefixMin} at least).`,
    'What it keeps of yours is its to end. To take your copies away from it: onehop node revoke NODE.',
  ].join('\n'),
  async run({ operands: [text = ''], context, output }) {
    const daemon = await context.daemon()
    const node = await findNeighbour(context, daemon, text)
    const { ended, shards } = await daemon.call('admin.pact.end', { node }, { signal: context.signal })
    if (output.json) output.line({ node, ended, shards })
    else if (!ended) output.words(`There was no pact with ${shortId(node)}.`)
    else {
      output.words(`${output.green('Ended')} the pact with ${shortId(node)}.`)
      if (shards > 0)
        output.words(
          `This node still keeps ${counted(shards, 'copy', 'copies')} for it until their leases end: onehop lease`,
        )
    }
    return exitCodes.ok
  },
}

function findNeighbour(context: Context, { call }: Daemon, text: string): Promise<Uint8Array> {
  const help = 'onehop neighbours --all lists them.'
  return pickId(text, { what: 'node that is known here', help }, async () => {
    const found = await call('admin.neighbours', {}, { signal: context.signal })
    return found.neighbours.map(({ node }) => toHex(node))
  })
}

function isClose({ pact, keeps, kept }: Neighbour): boolean {
  return pact !== null || keeps.shards > 0 || kept.shards > 0
}

function table(listed: readonly Neighbour[], output: Output, nowMs: number): string {
  const { bold, dim } = output
  const head = ['', 'node', 'keeps of yours', 'you keep', 'agreed', 'since', 'now'].map(bold)
  const rows = listed.map((one) => [
    safeText(one.label) || dim('unnamed'),
    dim(shortId(one.node)),
    keepingWords(one.keeps, output),
    keepingWords(one.kept, output),
    one.pact === null
      ? dim('no pact')
      : `${formatBytes(one.pact.getsBytes)} for ${formatBytes(one.pact.givesBytes)}`,
    one.pact === null ? '' : sinceWords(nowMs - one.pact.madeMs),
    nowWords(one, output),
  ])
  return columns([head, ...rows])
}

function keepingWords({ shards, bytes, behind }: Neighbour['keeps'], { dim, yellow }: Output): string {
  if (shards === 0) return dim('nothing')
  const late = behind === 0 ? '' : yellow(`, ${behind} behind`)
  return `${counted(shards, 'shard')}, ${formatBytes(bytes)}${late}`
}

/** Clocks of two boxes need not agree. */
function sinceWords(ms: number): string {
  return ms < 60_000 ? 'just now' : formatDuration(ms)
}

function nowWords({ awayMs, connected, latencyMs }: Neighbour, { green, red, dim }: Output): string {
  if (awayMs > 0) return red(`away for ${formatDuration(awayMs)}`)
  if (!connected) return dim('not connected')
  return green(latencyMs === null ? 'here' : `here, ${latencyMs} ms`)
}

function spaceWords({ offers, offerBytes, leasedBytes, invitations }: Reply): string {
  const kept = `Leased to others: ${formatBytes(leasedBytes)} of at most ${formatBytes(offerBytes)}`
  const strangers =
    offers.length === 0 ? 'strangers get nothing' : `${counted(offers.length, 'offer')}: onehop offer`
  const open = invitations === 0 ? '' : ` ${counted(invitations, 'invitation')} nobody came with yet.`
  return `${kept}; ${strangers}.${open}`
}
