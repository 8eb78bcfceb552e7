import type { ReplyOf } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { beGuest, distanceTo, guestHosts, nearestHost, type GuestHost } from '../../client/guest.ts'
import { httpTransport } from '../../client/http.ts'
import type { Transport } from '../../client/transport.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { UsageError } from '../failure.ts'
import { requireIdentity } from '../owner.ts'
import type { Command, Context } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { pickId, prefixMin } from '../node-name.ts'
import { columns, safeText } from '../output.ts'
import type { Output } from '../output.ts'
import { counted, formatBytes, formatDuration, shortId } from '../units.ts'

type Lease = ReplyOf<'admin.leases'>['leases'][number]

const pageSize = 200
const guestDays = 14

export const lease: Command = {
  name: 'lease',
  summary: 'what was promised for each shard, by whom, until when',
  operands: [],
  options: {},
  examples: [['onehop lease', 'leases are renewed by themselves, once half of their time is over']],
  notes:
    'A lease is signed by both. A record within it never fails for space; what is written too fast waits.',
  async run({ context, output }) {
    const daemon = await context.daemon()
    const listed = (await allLeases(context, daemon)).filter(
      ({ given, taken }) => given !== null || taken.length > 0,
    )
    if (output.json) for (const one of listed) output.line(one)
    else if (listed.length === 0) output.words('Nothing is leased: onehop invite, then onehop place.')
    else output.data(describe(listed, output, context.clock.nowMs()))
    return exitCodes.ok
  },
}

export const leaseEnd: Command = {
  name: 'lease end',
  summary: "do not renew what you promised for somebody's shard",
  operands: ['SHARD'],
  options: {},
  examples: [['onehop lease end 0a2c6d7e', 'its home is told, and has until the end to find another']],
  notes: [
    `SHARD is the id as onehop lease prints it, or the first digits of that (${prefixMin} at least).`,
    'The copy stays until its lease ends: a promise is kept.',
  ].join('\n'),
  async run({ operands: [text = ''], context, output }) {
    const daemon = await context.daemon()
    const naming = { what: 'shard that is kept here', help: 'onehop lease lists them.' }
    const owner = await pickId(text, naming, async () =>
      (await allLeases(context, daemon)).flatMap(({ owner: id, given }) =>
        given === null ? [] : [toHex(id)],
      ),
    )
    const { ended } = await daemon.call('admin.lease.end', { owners: [owner] }, { signal: context.signal })
    if (output.json) output.line({ owner, ended: ended > 0 })
    else if (ended === 0) output.words(`${shortId(owner)} is not kept here for somebody else.`)
    else output.words(`${output.green('Noted')}: the lease of ${shortId(owner)} is not renewed.`)
    return exitCodes.ok
  },
}

export const leaseGuest: Command = {
  name: 'lease guest',
  summary: 'have a copy near where you are for some days',
  operands: ['[NODE]'],
  options: {
    near: {
      type: 'string',
      value: 'PLACE',
      help: 'of those that say they stand there: /geo/europe/de/berlin',
    },
    days: { type: 'string', value: 'DAYS', help: `for how long (${guestDays})` },
  },
  examples: [
    ['onehop lease guest', 'at the node that answers this computer soonest'],
    [
      'onehop lease guest --near /geo/europe/de',
      'from Lagos to Berlin: pages come from Berlin within a minute',
    ],
    ['onehop lease guest 5f0c9a31 --days 3', 'at a friend’s box'],
  ],
  notes: [
    'Your app moves to whichever holder answers first. The copy is one beside the others; it goes by itself when its time',
    'is over, once the others have all that was written there. Which node is near is measured from this computer; where none',
    'answers from here, --near takes the first that says it stands there.',
  ].join('\n'),
  async run({ operands: [text], flags, context, output }) {
    const { signal } = context
    const days = flags.count('days') ?? guestDays
    if (days < 1 || days > 365) throw new UsageError('--days is 1 to 365')
    const near = flags.text('near')
    if (text !== undefined && near !== undefined)
      throw new UsageError('name a node or a place, not both', 'onehop neighbours --all lists nodes.')
    const identity = await requireIdentity(context)
    const { call } = await context.daemon()
    const hosts = await guestHosts({ call, identity }, { signal })
    const naming = { what: 'node that takes guests', help: 'onehop neighbours --all shows who offers space.' }
    const found =
      text === undefined
        ? await nearestOf(hosts, near, context)
        : { node: await pickId(text, naming, async () => hosts.map((host) => toHex(host.node))) }
    if (found === undefined) {
      const which = near === undefined ? 'answers from here' : `says that it stands in ${near}`
      throw new OnehopError('NOT_FOUND', `no node that takes guests now ${which}`, naming)
    }
    const { node, latencyMs } = found
    const crypto = await context.crypto()
    const { members } = await beGuest({ call, identity, crypto }, node, { days, signal })
    if (output.json) output.line({ node, days, copies: members.length, latencyMs: latencyMs ?? null })
    else
      output.words(
        `${output.green('Agreed')}: ${shortId(node)} ${latencyMs === undefined ? '' : `(${latencyMs.toFixed(1)} ms away) `}keeps a copy for ${counted(days, 'day')}, beside ${counted(members.length - 1, 'other', 'others')}.`,
      )
    return exitCodes.ok
  },
}

/** Measured from here; of a place that nothing here can reach, the first. */
async function nearestOf(
  hosts: readonly GuestHost[],
  near: string | undefined,
  { clock, signal }: Context,
): Promise<{ readonly node: Uint8Array; readonly latencyMs?: number } | undefined> {
  const inPlace = hosts.filter(
    ({ region }) => near === undefined || region === near || region.startsWith(`${near}/`),
  )
  const dial = (address: string): Transport => httpTransport({ address, clock })
  const nearest = await nearestHost(inPlace, (host) => distanceTo(host, dial, clock, signal))
  if (nearest !== undefined) return { node: nearest.host.node, latencyMs: nearest.latencyMs }
  return near === undefined ? undefined : inPlace[0]
}

async function allLeases(context: Context, { call }: Daemon): Promise<Lease[]> {
  const all: Lease[] = []
  let after: Uint8Array | null | undefined
  while (after !== null) {
    const request = { limit: pageSize, ...(after === undefined ? {} : { after }) }
    const page = await call('admin.leases', request, { signal: context.signal })
    all.push(...page.leases)
    after = page.next
  }
  return all
}

function describe(listed: readonly Lease[], output: Output, nowMs: number): string {
  const { bold } = output
  const given = listed.flatMap(({ owner, given: one }) => (one === null ? [] : [{ owner, ...one }]))
  const taken = listed.flatMap(({ owner, label, taken: many }) =>
    many.map((one) => ({ owner, label, ...one })),
  )
  return [
    ...(taken.length === 0
      ? []
      : [
          bold(`Others promised you ${counted(taken.length, 'lease')}`),
          columns(
            taken.map(({ owner, label, host, bytes, expiresMs, refused }) => [
              safeText(label ?? '') || shortId(owner),
              `${formatBytes(bytes)} at ${shortId(host)}`,
              endsWords(expiresMs - nowMs, refused, output),
            ]),
            '  ',
          ),
        ]),
    ...(given.length === 0
      ? []
      : [
          bold(`You promised others ${counted(given.length, 'lease')}`),
          columns(
            given.map(({ owner, home, bytes, usedBytes, bytesPerDay, expiresMs, notice }) => [
              shortId(owner),
              `for ${shortId(home)}`,
              `${formatBytes(usedBytes)} of ${formatBytes(bytes)}`,
              `${formatBytes(bytesPerDay)} a day`,
              endsWords(expiresMs - nowMs, notice, output),
            ]),
            '  ',
          ),
        ]),
  ].join('\n')
}

function endsWords(leftMs: number, isLast: boolean, { dim, yellow, red }: Output): string {
  if (leftMs <= 0) return red('ran out')
  const left = formatDuration(leftMs)
  return isLast ? yellow(`ends in ${left}, not renewed`) : dim(`for ${left}, renewed before`)
}
