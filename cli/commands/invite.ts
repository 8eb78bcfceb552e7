import { fillShard } from '../../client/seats.ts'
import { openIdentity } from '../../client/identity/identity.ts'
import { parseInvitation } from '../../protocol/placement/invitation.ts'
import type { Command, Context } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { safeText } from '../output.ts'
import type { Output } from '../output.ts'
import { readBytes, readSpan } from '../quantity.ts'
import { whyFew } from './place.ts'
import { counted, formatBytes, formatDuration, shortId } from '../units.ts'

const sizeDefault = '1GB'
const lastsDefault = '7d'

export const invite: Command = {
  name: 'invite',
  summary: 'invite a friend who has a box: each keeps copies of the other',
  operands: [],
  options: {
    gives: { type: 'string', value: 'SIZE', help: `what this node keeps for them at most (${sizeDefault})` },
    gets: { type: 'string', value: 'SIZE', help: 'what they keep for this node (as much as it gives)' },
    for: { type: 'string', value: 'NAME', help: 'who it is for; else what their node calls itself' },
    lasts: { type: 'string', value: 'SPAN', help: `how long it is good (${lastsDefault})` },
  },
  examples: [
    ['onehop invite --for Ben', 'a gigabyte each way'],
    ['onehop invite --gives 20GB --gets 0', 'a gift'],
  ],
  notes: [
    'Prints a line to send to them, as a letter and not on a wall: it is good once, for whoever comes first.',
    'They type: onehop invite accept LINE. What is sealed stays sealed to them.',
  ].join('\n'),
  async run({ flags, context, output }) {
    const givesBytes = readBytes(flags.text('gives') ?? sizeDefault, '--gives')
    const getsText = flags.text('gets')
    const getsBytes = getsText === undefined ? givesBytes : readBytes(getsText, '--gets')
    const lifetimeS = Math.round(readSpan(flags.text('lasts') ?? lastsDefault, '--lasts') / 1000)
    const label = flags.text('for')
    const { call } = await context.daemon()
    const { signal } = context
    const made = await call(
      'admin.invite',
      { givesBytes, getsBytes, lifetimeS, ...(label === undefined ? {} : { label }) },
      { signal },
    )
    if (output.json) {
      output.line({ ...made, givesBytes, getsBytes })
      return exitCodes.ok
    }
    output.words(
      `Send this to ${label === undefined ? 'your friend' : safeText(label)}; it is good for ${formatDuration(made.lifetimeS * 1000)}, once:`,
    )
    output.data(made.link)
    output.words('They type, at their own node: onehop invite accept LINE')
    const { addresses } = parseInvitation(made.link)
    if (addresses.every(isNear))
      output.words(
        output.yellow(
          'It names addresses in this house alone: from elsewhere they need network.announce or network.relays in the config here.',
        ),
      )
    return exitCodes.ok
  },
}

export const inviteAccept: Command = {
  name: 'invite accept',
  summary: "take up a friend's invitation",
  operands: ['LINE'],
  options: {
    as: { type: 'string', value: 'NAME', help: 'what you call them; else as their node calls itself' },
  },
  examples: [['onehop invite accept onehop-invitation:iAFYIA…', 'as they sent it']],
  notes: 'Should no answer come, do it again with the same line.',
  async run({ operands: [link = ''], flags, context, output }) {
    const label = flags.text('as')
    // What it says is read here, before anything is asked.
    parseInvitation(link)
    const daemon = await context.daemon()
    const { signal } = context
    const request = { link, ...(label === undefined ? {} : { label }) }
    const made = await daemon.call('admin.invite.accept', request, { signal, timeoutMs: 40_000 })
    const copies = await fillOwn(context, daemon, output)
    if (output.json) output.line({ ...made, ...(copies === undefined ? {} : { copies }) })
    else {
      const who = safeText(made.label) || shortId(made.node)
      output.words(
        `${output.green('Agreed')} with ${who}: they keep up to ${formatBytes(made.getsBytes)} for you, you ${formatBytes(made.givesBytes)} for them.`,
      )
      if (copies !== undefined) output.words(`Your records are at ${counted(copies, 'node')} now.`)
      if (copies === 1) output.words(await whyFew(daemon, signal))
      output.words(
        'onehop neighbours shows how it goes; at their node: onehop place, or their app when it is opened.',
      )
    }
    return exitCodes.ok
  },
}

export const inviteCancel: Command = {
  name: 'invite cancel',
  summary: 'take back the invitations that nobody came with yet',
  operands: [],
  options: {},
  examples: [['onehop invite cancel', 'one went to the wrong person']],
  async run({ context, output }) {
    const { call } = await context.daemon()
    const { cancelled } = await call('admin.invite.cancel', {}, { signal: context.signal })
    if (output.json) output.line({ cancelled })
    else if (cancelled === 0) output.words('There was none.')
    else output.words(`${output.green('Took back')} ${counted(cancelled, 'invitation')}.`)
    return exitCodes.ok
  },
}

/** The new neighbour has told what it offers by its first greeting, which takes a moment. */
async function fillOwn(context: Context, { call }: Daemon, output: Output): Promise<number | undefined> {
  const crypto = await context.crypto()
  const identity = await openIdentity({ keys: context.keys(), crypto })
  if (identity === undefined) return undefined
  const { signal } = context
  for (let tries = 0; tries < 4; tries++) {
    await context.clock.sleep(500, signal)
    try {
      const { members } = await fillShard({ call, identity, crypto }, identity.id, { signal })
      if (members > 1 || tries === 3) return members
    } catch {
      signal.throwIfAborted()
      output.words(output.dim('Your copies are not placed yet: onehop place'))
      return undefined
    }
  }
  return undefined
}

/** Of this house, or of this machine. */
function isNear(address: string): boolean {
  return /^\/ip4\/(?:10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)|^\/ip6\/(?:::1|f[cd]|fe80)/.test(
    address,
  )
}
