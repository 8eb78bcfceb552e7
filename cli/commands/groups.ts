import type { NewMember } from '../../client/groups/groups.ts'
import type { KnownGroup } from '../../client/groups/known-groups.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { MemberRole } from '../../protocol/identity/types.ts'
import { appOptions, openApp, type OpenApp } from '../app.ts'
import type { Call, Command, Flags } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { findGroup, groupNotes, readRole, roleNames, showGroup } from '../group.ts'
import { columns, safeText } from '../output.ts'
import { readId, requireIdentity } from '../owner.ts'
import { counted, shortId } from '../units.ts'

/** As the node keeps it. */
const nameBytesMax = 64

const personNotes = "PERSON is somebody's id of 64 digits; onehop devices tells everybody their own."

export const groups: Command = {
  name: 'groups',
  summary: 'groups that you are in, or who is in one',
  operands: ['[GROUP]'],
  options: appOptions,
  examples: [
    ['onehop groups', 'yours, as far as your home knows, and those that you opened here'],
    ['onehop groups "Chess club"', 'its members, and what each may do'],
  ],
  notes: groupNotes,
  async run(call) {
    const {
      operands: [named],
      output,
    } = call
    await using opened = await openOwn(call)
    if (named !== undefined) {
      showGroup(call, opened, await opened.app.groups.open(await findGroup(opened, named)))
      return exitCodes.ok
    }
    const found = await opened.app.groups.list()
    if (output.json)
      for (const { id: group, isHeld: held, role, members, label } of found)
        output.line({ group, role, members, held, label })
    else if (found.length === 0)
      output.words(
        'You are in no group that your home knows. To found one: onehop groups create NAME. One that lives elsewhere is listed once you opened it: onehop groups ID',
      )
    else output.data(columns(found.map(rowOf)))
    return exitCodes.ok
  },
}

export const groupsCreate: Command = {
  name: 'groups create',
  summary: 'found a club, a lab, a team: what it keeps is its own, sealed for its members',
  operands: ['NAME'],
  options: {
    ...appOptions,
    owner: { type: 'string', value: 'PERSON', multiple: true, help: 'somebody who owns it beside you' },
    writer: { type: 'string', value: 'PERSON', multiple: true, help: 'somebody who writes and reads' },
    reader: { type: 'string', value: 'PERSON', multiple: true, help: 'somebody who reads' },
    open: { type: 'boolean', help: 'with no secret: what it keeps is public' },
    force: { type: 'boolean', help: 'though a group of yours has that name: its id tells it apart' },
  },
  examples: [
    ['onehop groups create "Chess club"', 'then: onehop put posts JSON --owner "Chess club"'],
    ['onehop groups create Lab --writer PERSON --reader PERSON', 'with whom it begins'],
  ],
  notes: `${personNotes}\nIt lives at this node, with as many copies as your own records have. NAME is what this node calls it.`,
  async run(call) {
    const {
      operands: [name = ''],
      flags,
      output,
    } = call
    const label = readName(name)
    await using opened = await openOwn(call)
    if (!flags.on('force')) await requireNewName(opened, label)
    const group = await opened.app.groups.create({
      label,
      members: roleNames.flatMap((role) => named(flags, role)),
      isSealed: !flags.on('open'),
    })
    if (output.json) showGroup(call, opened, group)
    else {
      output.data(toHex(group.id))
      output.words(
        `${output.green('Founded')} ${safeText(label)} with ${counted(group.members.length, 'member')}.`,
      )
    }
    return exitCodes.ok
  },
}

export const groupsAdd: Command = {
  name: 'groups add',
  summary: 'let somebody into a group of yours',
  operands: ['GROUP', 'PERSON', '[ROLE]'],
  options: appOptions,
  examples: [
    ['onehop groups add "Chess club" PERSON', 'who writes there and reads, what was written before too'],
    ['onehop groups add "Chess club" PERSON reader', 'who reads'],
  ],
  notes: `${groupNotes}\n${personNotes}\nROLE is owner, writer (when not given) or reader.`,
  async run(call) {
    const {
      operands: [name = '', person = '', role = 'writer'],
      output,
    } = call
    const member = { identity: readId(person, 'a person'), role: readRole(role) }
    await using opened = await openOwn(call)
    const group = await opened.app.groups.add(await openedGroup(opened, name), member)
    showGroup(call, opened, group)
    if (!output.json)
      output.words(`${output.green('Let in')} ${shortId(member.identity)} as a ${member.role}.`)
    return exitCodes.ok
  },
}

export const groupsRole: Command = {
  name: 'groups role',
  summary: 'change what somebody may do in a group of yours',
  operands: ['GROUP', 'PERSON', 'ROLE'],
  options: appOptions,
  examples: [['onehop groups role "Chess club" PERSON owner', 'who changes the group, as you do']],
  notes: `${groupNotes}\n${personNotes}\nROLE is owner or writer. To make somebody a reader take them out and let them in again.`,
  async run(call) {
    const {
      operands: [name = '', person = '', role = ''],
      output,
    } = call
    const member = { identity: readId(person, 'a person'), role: readRole(role) }
    await using opened = await openOwn(call)
    const group = await opened.app.groups.change(await openedGroup(opened, name), member)
    showGroup(call, opened, group)
    if (!output.json) output.words(`${shortId(member.identity)} is ${output.green(member.role)} now.`)
    return exitCodes.ok
  },
}

export const groupsRemove: Command = {
  name: 'groups remove',
  summary: 'put somebody out of a group of yours',
  operands: ['GROUP', 'PERSON'],
  options: appOptions,
  examples: [['onehop groups remove "Chess club" PERSON', 'what they wrote until now stays']],
  notes: [
    groupNotes,
    personNotes,
    'What is sealed for the group from then on they cannot read. What they could read until then they may have kept.',
  ].join('\n'),
  async run(call) {
    const {
      operands: [name = '', person = ''],
      output,
    } = call
    const identity = readId(person, 'a person')
    await using opened = await openOwn(call)
    const group = await opened.app.groups.remove(await openedGroup(opened, name), identity)
    showGroup(call, opened, group)
    if (!output.json) output.words(`${output.green('Put out')} ${shortId(identity)}.`)
    return exitCodes.ok
  },
}

export const groupsForget: Command = {
  name: 'groups forget',
  summary: 'take a group off your own list whose nodes are gone for good',
  operands: ['GROUP'],
  options: appOptions,
  examples: [['onehop groups forget 5f0c…', 'its whole id; shutting a device out waits for it no more']],
  notes: [
    'GROUP is its id of 64 digits. Your own list says in which groups a device of yours may have done something: before one is shut',
    'out, each is asked what of it is to stay. Nobody is taken out of the group by this, and to open it again puts it back.',
  ].join('\n'),
  async run(call) {
    const {
      operands: [text = ''],
      output,
    } = call
    const group = readId(text, 'a group')
    await using opened = await openOwn(call)
    await opened.app.groups.forget(group)
    if (output.json) output.line({ group, forgotten: true })
    else output.words(`${shortId(group)} is off your list.`)
    return exitCodes.ok
  },
}

function readName(text: string): string {
  const label = text.trim()
  const { length } = utf8(label)
  if (length < 1 || length > nameBytesMax)
    throw new UsageError(`NAME has 1 to ${nameBytesMax} bytes, not ${length}`)
  return label
}

/** Throws BAD_REQUEST: of two that are called the same neither is found by its name. */
async function requireNewName({ app }: OpenApp, label: string): Promise<void> {
  const typed = label.toLowerCase()
  const first = (await app.groups.list()).find((group) => group.label.toLowerCase() === typed)
  if (first === undefined) return
  throw new OnehopError(
    'BAD_REQUEST',
    `a group of yours is called ${JSON.stringify(safeText(label))} already: ${toHex(first.id)}`,
    { help: 'Give it another name, or found it all the same: --force. Then both are named by their ids.' },
  )
}

async function openOwn(call: Call): Promise<OpenApp> {
  await requireIdentity(call.context)
  return openApp(call)
}

/** With its newest log and secret, by which changes are made. */
async function openedGroup(opened: OpenApp, name: string): Promise<Uint8Array> {
  const { id } = await opened.app.groups.open(await findGroup(opened, name))
  return id
}

function named(flags: Flags, role: MemberRole): NewMember[] {
  return flags.texts(role).map((text) => ({ identity: readId(text, 'a person'), role }))
}

function rowOf({ id, label, role, members, isHeld }: KnownGroup): string[] {
  return [
    toHex(id),
    role,
    counted(members, 'member'),
    safeText(label) || (isHeld ? '' : 'its records lie at other nodes'),
  ]
}
