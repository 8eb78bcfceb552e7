import { withDeadline } from '../../client/deadline.ts'
import { revoke, type Revoked } from '../../client/identity/revocation.ts'
import type { Renewed } from '../../client/identity/renewal.ts'
import { sealLostSecrets } from '../../client/identity/own-epochs.ts'
import { vouchFor } from '../../client/identity/vouching.ts'
import {
  changeInWords,
  markTold,
  shutOutCommand,
  untoldChanges,
  type Change,
} from '../../client/identity/changes.ts'
import type { Identity } from '../../client/identity/identity.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Role } from '../../protocol/identity/types.ts'
import { appOptions, openApp } from '../app.ts'
import type { Call, Command, Context } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { openOwnApp } from '../own-app.ts'
import { readSince, sinceOption } from '../since.ts'
import { columns, safeText } from '../output.ts'
import type { Output } from '../output.ts'
import { readId, requireIdentity } from '../owner.ts'
import { leaveGroupsOption, sayUnnamed, sayUnrenewed, sayUnsigned } from '../revocation.ts'
import { counted, shortId } from '../units.ts'

type Device = ReplyOf<'admin.devices'>['devices'][number]

export const devices: Command = {
  name: 'devices',
  summary: 'devices of your identity, or of another one',
  operands: ['[ID]'],
  options: {},
  examples: [
    ['onehop devices', 'yours'],
    ['onehop devices ID --json', "somebody's, as far as this node knows"],
  ],
  async run({ operands: [id], context, output }) {
    const own = await ownDevice(context)
    const identity = id === undefined ? (await requireIdentity(context)).id : readId(id, 'an identity')
    const { devices: found } = await (
      await context.daemon()
    ).call('admin.devices', { identity }, { signal: context.signal })
    const labelled = found.map((device) => ({ ...device, label: labelOf(device, own) }))
    if (output.json) for (const device of labelled) output.line({ identity, ...device })
    else {
      output.words(`Devices of ${toHex(identity)}`)
      output.data(
        columns(
          labelled.map(({ device, role, revoked, probation, label }) => [
            toHex(device),
            role,
            revoked
              ? output.red('revoked')
              : probation
                ? output.yellow('on probation')
                : output.green('good'),
            safeText(label),
          ]),
        ),
      )
      if (own !== undefined && id === undefined) await tellChanges(context, output, labelled)
    }
    return exitCodes.ok
  },
}

/** What other devices did that this command line has not told yet, and the way out. */
async function tellChanges(
  context: Context,
  output: Output,
  known: readonly Pick<Device, 'device' | 'label'>[],
): Promise<void> {
  const identity = await requireIdentity(context)
  const { call, runtime } = await context.daemon()
  const { log } = await call('identity.get', { identity: identity.id }, { signal: context.signal })
  await identity.learn(log)
  await sealLostSecrets({ call, crypto: await context.crypto(), identity }, { signal: context.signal })
  const changes = await untoldChanges(context.keys(), identity)
  if (changes.length === 0) return
  const name = (key: Uint8Array): string => {
    const label = known.find(({ device }) => equalBytes(device, key))?.label ?? ''
    return label === '' ? `device ${shortId(key)}` : safeText(label)
  }
  output.words(output.yellow('\nNew since you last looked:'))
  for (const change of changes) {
    output.words(`  ${changeInWords(change, name)}`)
    const way = wayOut(change, identity, runtime.node)
    if (way !== '') output.words(output.dim(`    ${way}`))
  }
  await markTold(context.keys(), changes)
}

function wayOut(
  change: Change,
  { state: { devices: all }, device: own }: Pick<Identity, 'state' | 'device'>,
  here: string,
): string {
  const { kind, device, isDropped } = change
  if (isDropped) return 'If it was you, do it again. If not, nothing of it holds.'
  if (kind === 'recovery') return 'Not you? The words before these undo it: onehop recover --take-back'
  if (device === undefined) return ''
  if (kind === 'revoked') return wayBack(device, all.get(toHex(device))?.role, own.key, here)
  if (all.get(toHex(device))?.revoked !== undefined) return ''
  // No node puts itself out.
  const where = toHex(device) === here ? 'It is the node that you are at; at another of yours: ' : ''
  return `Not you? ${where}${shutOutCommand(change, device)}`
}

/** A key that was revoked is never admitted again: who comes back does so under another. */
function wayBack(device: Uint8Array, role: Role | undefined, own: Uint8Array, here: string): string {
  if (equalBytes(device, own))
    return 'Not you? onehop recover, with your words, gives this command line another key and shuts out whom you name.'
  if (role !== 'node')
    return 'Not you? It comes back under another key: pair it again, or onehop recover there, with your words.'
  const which = toHex(device) === here ? 'It is the node that you are at' : 'It was a node'
  return `${which}. It comes back as another one: onehop start with another --state folder, then onehop init or recover there.`
}

export const devicesRevoke: Command = {
  name: 'devices revoke',
  summary: 'take a device out of your identity, for good',
  operands: ['KEY'],
  options: { since: sinceOption, 'leave-groups': leaveGroupsOption },
  examples: [
    ['onehop devices revoke 5f0c…', 'a lost phone; what it wrote until now stays'],
    [
      'onehop devices revoke 5f0c… --since 3h',
      'a stolen one; what it wrote since goes, and what was there before is back',
    ],
  ],
  notes: [
    'KEY is the device key as onehop devices prints it, or its first digits (8 at least).',
    'What it changed in groups (onehop groups GROUP) stays with --since too: entries of their logs have no dates.',
    'It is for good, and so is what it says of --since: a device is revoked once. Dates are those that the device wrote. Who has it',
    'can date things back as far as the last thing that you wrote with it; look through what is dated between.',
    'A revocation names, for your own shard and each group, what of the device goes on counting; what is not named never does.',
    'So every group that you founded or opened is asked for, wherever it lives, and nothing is done while one cannot be reached.',
    'With --leave-groups it is done all the same, and what the device did there counts no more.',
  ].join('\n'),
  async run({ operands: [text = ''], context, flags, output }) {
    const { signal } = context
    const since = readSince(flags, context)
    const identity = await requireIdentity(context)
    const daemon = await context.daemon()
    const { call } = daemon
    const { log } = await call('identity.get', { identity: identity.id }, { signal })
    await identity.learn(log)
    const key = findKey(text.toLowerCase(), [...identity.state.devices.keys()])
    if (identity.state.devices.get(toHex(key))?.role === 'node')
      throw new OnehopError('BAD_REQUEST', `${shortId(key)} is a node`, {
        help: 'Take it out with its seats, from another node of yours: onehop node revoke KEY',
      })
    const crypto = await context.crypto()
    const leaveGroups = flags.on('leave-groups')
    await using app = await openOwnApp(context, daemon, identity)
    const { groups } = app
    const revoked = await revoke({
      ...{ call, crypto, identity, groups, device: key, since, leaveGroups, signal },
    })
    if (output.json)
      output.line({
        revoked: toHex(key),
        ...revoked,
        unheld: revoked.unheld.map(({ group }) => group),
        unsigned: revoked.unsigned.map(({ owner }) => owner ?? null),
        unrenewed: revoked.unrenewed.map(({ group }) => group ?? null),
      })
    else {
      output.words(revokedWords(toHex(key), revoked))
      for (const line of [
        ...sayUnnamed(revoked),
        ...sayUnrenewed(revoked.unrenewed),
        ...sayUnsigned(revoked.unsigned),
      ])
        output.words(output.yellow(line))
    }
    return exitCodes.ok
  },
}

export const devicesVouch: Command = {
  name: 'devices vouch',
  summary: 'say that a device on probation is yours: it adds and revokes others from then on',
  operands: ['KEY'],
  options: {},
  examples: [['onehop devices vouch 5f0c…', 'a phone that you have just let in as an owner']],
  notes: [
    'KEY is the device key as onehop devices prints it, or its first digits (8 at least). By an older device than the new one.',
    "Without it a new owner's device has to wait for a day before it adds or revokes others: time to shut it out.",
  ].join('\n'),
  async run({ operands: [text = ''], context, output }) {
    const { signal } = context
    const identity = await requireIdentity(context)
    const { call } = await context.daemon()
    const { log } = await call('identity.get', { identity: identity.id }, { signal })
    await identity.learn(log)
    const device = findKey(text.toLowerCase(), [...identity.state.devices.keys()])
    const known = identity.state.devices.get(toHex(device))
    await vouchFor({ call, crypto: await context.crypto(), identity, device }, { signal })
    if (output.json) output.line({ device: toHex(device), probation: false })
    else if (known?.probation === true) output.words(`${output.green('Vouched')} for ${shortId(device)}.`)
    else {
      const is = known?.role === 'node' ? 'a node, which is never on probation' : 'not on probation'
      output.words(`${shortId(device)} is ${is}: nobody has to vouch for it.`)
    }
    return exitCodes.ok
  },
}

function revokedWords(key: string, { wasRevoked, records, left, groups }: Revoked): string {
  if (wasRevoked) return `${key} was revoked before.`
  const where = groups === 0 ? '' : `, in your shard and ${counted(groups, 'group')}`
  const gone =
    left === 0 ? '' : ` ${counted(left, 'record')} of it ${left === 1 ? 'counts' : 'count'} no more.`
  return `Revoked ${key}. What it wrote stays (${counted(records, 'record')}${where}); it writes no more.${gone}`
}

export const devicesRenew: Command = {
  name: 'devices renew',
  summary: 'give this command line a new key, where nodes refuse what it signs (EQUIVOCATION)',
  operands: [],
  options: {
    ...appOptions,
    force: { type: 'boolean', help: 'also where no node has refused the key' },
    'leave-sealed': {
      type: 'boolean',
      help: 'give up what waits and cannot be opened here to be signed anew',
    },
  },
  examples: [['onehop devices renew', 'after its key file was copied, or restored from a backup']],
  notes: [
    'Nodes refuse a key that used one number for two records, as a copy of it does. The old key admits a new one and is',
    'forgotten here; what it wrote stays, and what waited for a node is signed anew and sent. Nodes go on with the old key where',
    'a copy of it is in use: revoke it if that is not yours.',
  ].join('\n'),
  async run(call) {
    const { output, context } = call
    await requireIdentity(context)
    const { renewed, before } = await renewKey(call)
    const again = await openApp(call)
    await using _ = again
    await again.app.outbox.flush(context.signal)
    if (output.json) output.line({ ...renewed, device: toHex(renewed.device) })
    else {
      output.words(`${output.green('A new key')} for this command line: ${toHex(renewed.device)}`)
      output.words(
        `The old one is good still, for who has a copy. If that is nobody of yours: onehop devices revoke ${shortId(before)}`,
      )
      if (renewed.records > 0)
        output.words(
          `${counted(renewed.records, 'record')} that waited ${renewed.records === 1 ? 'was' : 'were'} signed anew and sent.`,
        )
      if (renewed.left > 0)
        output.words(
          output.yellow(
            `${counted(renewed.left, 'record')} could not be opened here and ${renewed.left === 1 ? 'was' : 'were'} given up.`,
          ),
        )
    }
    return exitCodes.ok
  },
}

/** The app is closed however that ends: open, it would keep the command from ending. */
async function renewKey(
  call: Call,
): Promise<{ readonly renewed: Renewed; readonly before: Uint8Array | '' }> {
  const { context, flags } = call
  const { signal } = context
  await using opened = await openApp(call)
  const { app } = opened
  const before = app.identity?.device.key ?? ''
  // Whether nodes refuse the key shows when they are sent something.
  await withDeadline(context.clock, firstAnswerMs, signal, (until) => app.outbox.flush(until)).catch(
    () => undefined,
  )
  signal.throwIfAborted()
  const renewed = await app.renewDevice({
    signal,
    force: flags.on('force'),
    leaveSealed: flags.on('leave-sealed'),
  })
  return { renewed, before }
}

const prefixMin = 8
const firstAnswerMs = 10_000

function findKey(text: string, known: readonly string[]): Uint8Array {
  if (text.length === 64) return readId(text, 'a device key')
  if (text.length < prefixMin || !/^[0-9a-f]+$/.test(text))
    throw new UsageError(
      `a device is named by the first digits of its key, ${prefixMin} at least, not ${JSON.stringify(text)}`,
      'onehop devices lists the keys.',
    )
  const found = known.filter((key) => key.startsWith(text))
  if (found.length === 1) return readId(found[0] as string, 'a device key')
  throw new OnehopError(
    'NOT_FOUND',
    `${found.length === 0 ? 'no' : 'more than one'} device begins with ${text}`,
    {
      help: 'onehop devices lists the keys.',
    },
  )
}

async function ownDevice(context: Context): Promise<string | undefined> {
  return (await context.keys().get('device')) === undefined
    ? undefined
    : requireIdentity(context).then(
        ({ device }) => toHex(device.key),
        () => undefined,
      )
}

function labelOf({ device, label }: Device, own: string | undefined): string {
  return toHex(device) === own ? 'this command line' : label
}
