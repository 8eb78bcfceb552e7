import { openIdentity, type Identity } from '../../client/identity/identity.ts'
import { findRecoverable, recoverIdentity } from '../../client/identity/recovery.ts'
import type { Claimant, FindOptions, Recovered } from '../../client/identity/recovery.ts'
import { renewGroups, type Unrenewed } from '../../client/groups/group-epochs.ts'
import { renewSets, type Unsigned } from '../../client/identity/standing-sets.ts'
import { requireGroups } from '../../client/identity/revocation.ts'
import { nameWritten, readNoted, type GroupsOfPerson, type Named } from '../../client/identity/written.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { readRecoveryWords } from '../../protocol/identity/recovery.ts'
import type { DeviceState, IdentityState } from '../../protocol/identity/types.ts'
import { tryUntil, untilWhole, type Hosted } from '../await-records.ts'
import { bringGroups, type BroughtGroups } from '../bring-groups.ts'
import { comeHome, keepSeat } from '../come-home.ts'
import type { Call, Command } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { NeedsAction } from '../failure.ts'
import { cliDevicePath } from '../key-store.ts'
import { askLost, pickLost } from '../lost-devices.ts'
import { moveIn } from '../move-in.ts'
import { columns } from '../output.ts'
import { openOwnApp } from '../own-app.ts'
import { withLines } from '../question.ts'
import { readWords } from '../recovery-screen.ts'
import { leaveGroupsOption, sayUnnamed, sayUnrenewed, sayUnsigned } from '../revocation.ts'
import { sayRenewed } from '../shut-out.ts'
import { ownShards, takeSeats } from '../seats.ts'
import { readSince, sinceOption } from '../since.ts'
import { counted, shortId } from '../units.ts'

const waitSDefault = 120
/** A node that was just started meets others within seconds. */
const meetMs = 30_000

export const recover: Command = {
  name: 'recover',
  summary: 'come back from your recovery words alone, when devices and node are gone',
  operands: [],
  options: {
    'words-file': { type: 'string', value: 'FILE', help: 'read the words there; - is standard input' },
    identity: {
      type: 'string',
      value: 'DIGITS',
      help: 'your id, or its first 12 digits or more, as on your paper',
    },
    lost: {
      type: 'string',
      value: 'KEY',
      multiple: true,
      help: 'shut this device or node out; all: every other one',
    },
    since: {
      ...sinceOption,
      help: 'of those, what was written from then on counts no more: 2026-11-20, 3h, 2d',
    },
    'leave-groups': leaveGroupsOption,
    'take-back': {
      type: 'boolean',
      help: 'a stolen device replaced these words: what it did to your identity since comes to nothing',
    },
    'start-empty': {
      type: 'boolean',
      help: 'nobody who has your records will ever answer again: begin without them',
    },
    wait: { type: 'string', value: 'SECONDS', help: `how long to wait for the records (${waitSDefault})` },
  },
  examples: [
    ['onehop recover', 'type the words; the screen is cleared of them'],
    [
      'onehop recover --words-file words.txt --identity DIGITS --lost all --json',
      'in a script; every other device is gone',
    ],
    [
      'cat share-1 share-3 | onehop recover --words-file -',
      'from two of three shares (onehop recovery shares)',
    ],
  ],
  notes: [
    'Needs a node that runs here (onehop start) and reaches others. This command line becomes a device of yours, the node',
    'your home; your records come from the nodes that hold copies. Nothing here has to be left of what you had.',
    'Anybody can make an identity that names your words, so you are asked which id stands on your paper before anything is',
    'joined; where nobody can be asked, --identity says it.',
    'Devices and nodes that are gone are best shut out: what they wrote and your nodes hold stays, what they write or sign',
    'later counts nowhere. That is done in the name of the words, so that whoever found your phone cannot answer in kind.',
    'A node that is shut out loses its seats, and this node speaks with it no more. Groups that you own and that lived there',
    'live here from then on.',
    'A command line whose key was revoked gets another one by it; a node whose key was is another one with another --state folder.',
    'Interrupted, or with records still on their way: run it again.',
  ].join('\n'),
  async run(call) {
    const { flags, context, output } = call
    const waitS = flags.count('wait') ?? waitSDefault
    const untilMs = (): number => context.clock.monotonicMs() + waitS * 1_000
    const lostNames = flags.texts('lost')
    const since = readSince(flags, context)
    const daemon = await context.daemon()
    const words = await readWords(call, flags.text('words-file'))
    // Before anybody is asked: a slip is told at once.
    readRecoveryWords(words)
    const recovered = await lookUp(call, daemon, words, (state) => {
      pickLost(lostNames, [...state.devices.values()], { state })
    })
    const { identity, others } = recovered
    if (!output.json) {
      output.words(`${output.green('Found')} ${toHex(identity.id)}`)
      for (const line of sayRenewed(recovered)) output.words(line)
    }
    const lostNamed = pickLost(lostNames, others, identity)
    const startsEmpty = flags.on('start-empty')
    const { members } = await moveIn(call, daemon, identity, {
      place: () => untilHome(call, untilMs(), () => comeHome(context, daemon, identity, { startsEmpty })),
    })
    const whole = (owner: Uint8Array, lastMs: number): Promise<Hosted> =>
      untilWhole(call, daemon, owner, lastMs, () =>
        untilHome(call, lastMs, () => keepSeat(context, daemon, identity, { owner, startsEmpty })),
      )
    const hosted = await whole(identity.id, untilMs())
    if (!output.json) {
      output.words(`Here now: ${counted(hosted.records, 'record')}.`)
      if (!hosted.isWhole) output.words(output.yellow('More may be on their way: onehop status.'))
    }
    const home = daemon.runtime.node
    const away = others.filter(({ key }) => toHex(key) !== home)
    const lost = lostNamed ?? (await askLost(call, away))
    const gone = lost.filter(({ key }) => toHex(key) !== home)
    if (gone.length > 0 && !hosted.isWhole) {
      throw notWhole('all records')
    }
    await using app = await openOwnApp(context, daemon, identity)
    // With those that an earlier run shut out: what was to follow may have been cut short.
    const nodes = [...identity.state.devices.values()].filter(
      ({ role, key, revoked }) =>
        role === 'node' && (revoked !== undefined || gone.some((one) => one.key === key)),
    )
    const { groups: noted } = await readNoted(app.groups, { signal: context.signal })
    const names = new Set(nodes.map(({ key }) => toHex(key)))
    const brought = await bringGroups(context, daemon, identity, noted, names, startsEmpty)
    sayBrought(call, brought)
    const mayLose = gone.length === 0 || flags.on('leave-groups')
    // For all of them together: there may be any number, and the thief waits too.
    const lastMs = untilMs()
    for (const group of brought.here) {
      const { isWhole } = await whole(group, lastMs)
      if (!isWhole && !mayLose) throw notWhole(`all records of the group ${shortId(group)}`)
    }
    // One may be here by half, with nothing yet of what a lost device wrote there. What nobody knows is asked for below.
    const half = brought.failed.find(({ error }) => error.code !== 'NOT_FOUND')
    if (half !== undefined && !mayLose) throw notWhole(`all records of the group ${shortId(half.group)}`)
    const { unrenewed, unsigned } = await shutOut(call, daemon, recovered, {
      gone,
      since,
      groups: app.groups,
    })
    const seats = await unseat(call, daemon, identity, nodes)
    if (output.json) {
      output.line({
        identity: identity.id,
        device: identity.device.key,
        keyFile: cliDevicePath(context.environment),
        renewed: recovered.renewed ?? null,
        hosted: home,
        copies: members ?? null,
        records: hosted.records,
        whole: hosted.isWhole,
        revoked: gone.map(({ key }) => key),
        others: away.filter((one) => !gone.includes(one)).map(({ key, role }) => ({ device: key, role })),
        groups: brought.here,
        unbrought: brought.failed.map(({ group }) => group),
        unseated: seats,
        unrenewed: unrenewed.map(({ group }) => group ?? null),
        unsigned: unsigned.map(({ owner }) => owner ?? null),
      })
    } else {
      for (const { key } of gone) output.words(`Shut out ${shortId(key)}.`)
      output.data(toHex(identity.id))
    }
    return hosted.isWhole ? exitCodes.ok : exitCodes.failed
  },
}

/** With `check`, which throws for a slip before anything is joined. */
async function lookUp(
  call: Call,
  daemon: Daemon,
  words: string,
  check: (found: IdentityState) => void,
): Promise<Recovered> {
  const { context } = call
  const { signal } = context
  const crypto = await context.crypto()
  const keys = context.keys()
  const transport = { call: daemon.call }
  const takeBack = call.flags.on('take-back')
  if (!call.output.json) call.output.words('Asking who holds what these words open ...')
  const identity = call.flags.text('identity') ?? (await choose(call, await findAll(call, transport, words)))
  return untilFound(call, () =>
    recoverIdentity({ words, keys, crypto, transport, takeBack, identity, check, signal }),
  )
}

async function findAll(
  call: Call,
  transport: FindOptions['transport'],
  words: string,
): Promise<readonly Claimant[]> {
  const { context } = call
  const crypto = await context.crypto()
  const takeBack = call.flags.on('take-back')
  return untilFound(call, () =>
    findRecoverable({ words, transport, takeBack, crypto, signal: context.signal }),
  )
}

/** For a while: a node that has met nobody yet finds nothing. */
function untilFound<T>(call: Call, find: () => Promise<T>): Promise<T> {
  const lastMs = call.context.clock.monotonicMs() + meetMs
  return tryUntil(call, lastMs, ['NOT_FOUND', 'UNKNOWN_IDENTITY', 'BUSY'], find)
}

/** Until one who has the records answers, or till then. */
function untilHome<T>(call: Call, lastMs: number, come: () => Promise<T>): Promise<T> {
  return tryUntil(call, lastMs, ['UNREACHABLE', 'STALE'], come)
}

/** By the person, who has it on paper: anybody can make an identity that names these words, and be found first. */
async function choose({ context, output }: Call, claimants: readonly Claimant[]): Promise<Uint8Array> {
  const own = await openIdentity({ keys: context.keys(), crypto: await context.crypto() })
  const again = claimants.find(({ identity }) => own !== undefined && equalBytes(identity, own.id))
  if (again !== undefined) return again.identity
  const shown = claimants.map(({ firstDigits }) => firstDigits)
  if (output.json || !output.watched || context.stdin.isTTY !== true) {
    throw new NeedsAction('BAD_REQUEST', `these words are named by ${shown.join(', ')}`, {
      help: 'Compare with your paper, where the first digits of your id stand, and name it: --identity DIGITS.',
    })
  }
  output.words(
    'These name your words. Anybody can make one that does; yours begins with the digits on your paper:',
  )
  output.words(
    columns(
      claimants.map(({ firstDigits, devices }, i) => [
        String(i + 1),
        output.bold(firstDigits),
        counted(devices.length, 'device'),
      ]),
      '  ',
    ),
  )
  return withLines(context, async (ask) => {
    for (;;) {
      const typed = (await ask('Which stands on your paper? Its number, or none: ')).trim().toLowerCase()
      if (typed === 'none')
        throw new OnehopError('NOT_FOUND', 'nobody was found who stands on your paper', {
          help: 'A node that was just started may need a minute to meet others: try again then.',
        })
      const picked = claimants[Number(typed) - 1]
      if (picked !== undefined) return picked.identity
      output.words('Its number, please, or none.')
    }
  })
}

async function shutOut(
  { context, output, flags }: Call,
  { call }: Daemon,
  { identity, revoke }: Recovered,
  { gone, since, groups }: Gone,
): Promise<Left> {
  const { signal } = context
  const crypto = await context.crypto()
  const options = { signal }
  const asked = { transport: { call }, owner: identity.id, crypto, since, options }
  // All before any: a device is revoked once.
  const all: (readonly [DeviceState, Named])[] = []
  for (const device of gone) {
    const { key, role } = device
    // A node signs nothing in a group.
    const named = await nameWritten({ ...asked, device: key, groups: role === 'node' ? undefined : groups })
    if (role !== 'node' && !flags.on('leave-groups')) requireGroups(named)
    all.push([device, named])
  }
  for (const [{ key, role }, named] of all) {
    await revoke(key, named.numbers)
    if (role === 'node') continue
    if (!output.json) for (const line of sayUnnamed(named)) output.words(output.yellow(line))
  }
  if (gone.length > 0)
    await call('identity.append', { identity: identity.id, log: identity.log() }, { signal })
  // Also where nothing is left to shut out: what an earlier run could not do.
  const standing = { call, crypto, identity, signal }
  const [unrenewed, unsigned] = [await renewGroups(standing), await renewSets(standing)]
  const lines = [...sayUnrenewed(unrenewed), ...sayUnsigned(unsigned)]
  if (!output.json) for (const line of lines) output.words(output.yellow(line))
  return { unrenewed, unsigned }
}

interface Gone {
  readonly gone: readonly DeviceState[]
  readonly since: number | undefined
  readonly groups: GroupsOfPerson
}

/** Nodes that are gone hold nothing of the person's any more. What could not be done is said, with the command that does it. */
async function unseat(
  { context, output }: Call,
  daemon: Daemon,
  identity: Identity,
  gone: readonly DeviceState[],
): Promise<boolean> {
  const nodes = gone.map(({ key }) => key)
  if (nodes.length === 0) return true
  try {
    await takeSeats(context, daemon, identity, nodes, await ownShards(context, daemon, identity.id))
    return true
  } catch (cause) {
    const { message } = asOnehopError(cause)
    const again = nodes.map((node) => `onehop node revoke ${toHex(node)}`).join(', ')
    if (!output.json)
      output.words(output.yellow(`They keep their seats for now: ${message}. Later: ${again}`))
    return false
  }
}

function notWhole(what: string): OnehopError {
  return new OnehopError('LAGGING', `not ${what} are here, and what is missing would not count any more`, {
    help: 'Run the same command again when onehop status shows the copies as current.',
  })
}

function sayBrought({ output }: Call, { brought: groups, failed }: BroughtGroups): void {
  if (output.json) return
  if (groups.length > 0)
    output.words(
      `${counted(groups.length, 'group')} of yours live${groups.length === 1 ? 's' : ''} here now.`,
    )
  for (const { group, error } of failed)
    output.words(
      output.yellow(
        `The group ${shortId(group)} was not found: ${error.message}. Run onehop recover again later.`,
      ),
    )
}

/** What follows from a revocation and could not be done. */
interface Left {
  readonly unrenewed: readonly Unrenewed[]
  readonly unsigned: readonly Unsigned[]
}
