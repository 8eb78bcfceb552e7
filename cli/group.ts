/** Groups as they are named and shown on the command line. */
import type { Group } from '../client/groups/group.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { MemberRole } from '../protocol/identity/types.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { OpenApp } from './app.ts'
import type { Call } from './command.ts'
import { UsageError } from './failure.ts'
import { columns } from './output.ts'
import { readId } from './owner.ts'

export const groupNotes =
  'GROUP is its name, its id, or the first digits of that (8 at least): see onehop groups.'
export const roleNames: readonly MemberRole[] = ['owner', 'writer', 'reader']

const prefixMin = 8
const idDigits = 12

/** By what a person types. Throws NOT_FOUND where it is none of theirs, or may be several. */
export async function findGroup({ app }: OpenApp, text: string): Promise<IdentityId> {
  const typed = text.trim().toLowerCase()
  if (/^[0-9a-f]{64}$/.test(typed)) return readId(typed, 'a group')
  const known = await app.groups.list()
  const isDigits = typed.length >= prefixMin && /^[0-9a-f]+$/.test(typed)
  const found = known.filter(
    ({ id, label }) => label.toLowerCase() === typed || (isDigits && toHex(id).startsWith(typed)),
  )
  const [first, ...more] = found
  if (first !== undefined && more.length === 0) return first.id
  throw new OnehopError(
    'NOT_FOUND',
    first === undefined
      ? `you are in no group ${JSON.stringify(text)} that your home knows`
      : `${found.length} of your groups are called ${JSON.stringify(text)}: ${found.map(({ id }) => toHex(id).slice(0, idDigits)).join(', ')}`,
    {
      help: 'onehop groups lists them with their ids; one that lives elsewhere is named by its whole id the first time.',
    },
  )
}

/**
 * Whose records are meant: this person's own where nothing is typed, an identity by its id, a group of theirs as it is
 * called. Throws a UsageError, or NOT_FOUND.
 */
export async function findOwner(opened: OpenApp, text: string | undefined): Promise<IdentityId> {
  const self = opened.app.owner
  if (text === undefined && self !== undefined) return self
  const owner =
    text === undefined || self === undefined || /^([0-9a-f]{0,7}|[0-9a-f]{64,})$/i.test(text)
      ? readId(text ?? '', 'an identity')
      : await findGroup(opened, text)
  await enterGroup(opened, owner)
  return owner
}

/** What is sealed for a group of this person's opens from then on. Of anybody else there is nothing to open. */
async function enterGroup({ app }: OpenApp, owner: IdentityId): Promise<void> {
  if (app.owner !== undefined && equalBytes(app.owner, owner)) return
  try {
    await app.groups.open(owner)
  } catch (error) {
    // A person, or nobody whom a node knows: what is asked next tells better.
    if (!(error instanceof OnehopError)) throw error
  }
}

export function readRole(text: string): MemberRole {
  const role = roleNames.find((name) => name === text)
  if (role === undefined)
    throw new UsageError(`a role is ${roleNames.join(', ')}, not ${JSON.stringify(text)}`)
  return role
}

export function showGroup(
  { output }: Call,
  { app }: OpenApp,
  { id, members, isSealed, unsigned, unrenewed }: Group,
): void {
  if (output.json) {
    const problems = { unsigned: unsigned?.code ?? null, unrenewed: unrenewed?.code ?? null }
    output.line({ group: id, sealed: isSealed, members, ...problems })
    return
  }
  if (unrenewed !== undefined)
    output.words(
      output.yellow(`Its secret is to be another one: ${unrenewed.message}. ${unrenewed.help ?? ''}`.trim()),
    )
  if (unsigned !== undefined)
    output.words(
      output.yellow(`Newcomers do not find it: ${unsigned.message}. ${unsigned.help ?? ''}`.trim()),
    )
  output.words(`${toHex(id)}${isSealed ? '' : ', with no secret: what it keeps is public'}`)
  output.data(
    columns(
      members.map(({ identity, role }) => [
        toHex(identity),
        role,
        app.owner !== undefined && equalBytes(identity, app.owner) ? output.dim('you') : '',
      ]),
    ),
  )
}
