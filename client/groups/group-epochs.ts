/**
 * A group's secret is wrapped to what its members can open. Once one of them has revoked a device, that device opens it
 * still: the group is given another, for what is sealed from then on.
 */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { memberBoxes, type BoxSecrets } from '../../protocol/identity/box-secrets.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  membersBehind,
  membersLeftOut,
  renewEpoch,
  type GroupSigner,
} from '../../protocol/identity/make-group.ts'
import type { IdentityState, People, SignedEntry } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { meetMembers, toldWith } from './group-people.ts'
import { Identities } from '../identity/identities.ts'
import { groupsOf, type StandingParts } from '../identity/standing-sets.ts'

/** What is left of a log after that is for those who are let in and put out. */
export const automaticShare = 3 / 4

/** A group whose secret a revoked device still opens, and why it has no other yet. */
export interface Unrenewed {
  /** Undefined: the node did not say which groups there are. */
  readonly group: IdentityId | undefined
  readonly error: OnehopError
}

/** Of the groups that this person is in. Whatever fails here, the device is revoked: that has to be told. */
export async function renewGroups(parts: StandingParts): Promise<readonly Unrenewed[]> {
  const unrenewed: Unrenewed[] = []
  try {
    const identities = identitiesAt(parts)
    for (const { group } of await groupsOf(parts)) {
      const once = (): Promise<OnehopError | undefined> =>
        renewGroup(parts, identities, group).catch(asOnehopError)
      const first = await once()
      // Another owner was first, most likely: then there is nothing left to do.
      const error = first !== undefined && isTooLate(first) ? await once() : first
      if (error !== undefined) unrenewed.push({ group, error })
    }
  } catch (cause) {
    unrenewed.push({ group: undefined, error: asOnehopError(cause) })
  }
  return unrenewed
}

/** A node has another epoch already: one that this would turn, or that this loses to. */
export function isTooLate({ code }: OnehopError): boolean {
  return code === 'STALE' || code === 'BAD_IDENTITY'
}

/**
 * The entry that gives the group its next secret; undefined where nobody is behind or left out. Throws FORBIDDEN where this person may
 * not or cannot, UNKNOWN_IDENTITY where that cannot be told or done without the logs of some, TOO_LARGE where the log is nearly full.
 */
export function nextEpoch(
  crypto: CryptoProvider,
  group: IdentityState,
  signer: GroupSigner & { readonly boxes: BoxSecrets },
  people: People,
): SignedEntry | undefined {
  const { person, device } = signer
  const own = memberBoxes(crypto, group, person.id, signer.boxes)
  const unknown = [...group.members].flatMap(([name, { identity }]) =>
    people(identity) === undefined ? [name] : [],
  )
  const isOwner = group.members.get(toHex(person.id))?.role === 'owner'
  const mayExtend = person.devices.get(toHex(device.key))?.role === 'owner'
  const before = isOwner && mayExtend ? own.newest() : undefined
  if (membersBehind(group, people).length === 0) {
    const opening = group.boxes.at(-1)?.wraps
    const untold = unknown.filter((name) => opening?.has(name) === true)
    if (untold.length > 0) throw unknownMembers(untold.length, group)
    // One that this device made and that lost: what was sealed under it meanwhile is for those too who come later.
    const isLeftOut = unknown.length === 0 && membersLeftOut(group, people).length > 0
    if (before === undefined || !(isLeftOut || own.isUnlinkedBy(device.key))) return undefined
  }
  if (before === undefined)
    throw new OnehopError('FORBIDDEN', 'a device that one of its members revoked still opens its secret', {
      help: 'It has another as soon as one of its owners opens it (app.groups.open, onehop groups GROUP).',
    })
  if (unknown.length > 0) throw unknownMembers(unknown.length, group)
  const entry = renewEpoch(crypto, group, signer, { people, before: [before, ...own.unlinked()] })
  const full =
    encodeLog([...group.entries, entry]).length > limits.identityLogBytesMax * automaticShare ||
    group.entries.length >= limits.identityEntriesMax * automaticShare
  if (!full) return entry
  throw new OnehopError(
    'TOO_LARGE',
    'the log of the group is nearly full, so that its secret stays as it is',
    {
      help: 'Found another group for what is to be sealed. This one has room for those who are let in and put out.',
    },
  )
}

function unknownMembers(count: number, { members }: IdentityState): OnehopError {
  return new OnehopError(
    'UNKNOWN_IDENTITY',
    `nobody asked has the logs of ${count} of its ${members.size} members, and a device that one of them revoked may still open its secret`,
    {
      help: 'A member who opens it brings their own log (app.groups.open, onehop groups GROUP). Then one of its owners opens it again.',
    },
  )
}

/** As the node knows them that is asked, with what is known here already. */
function identitiesAt({ call, crypto, identity, identities }: StandingParts): Identities {
  const asked = identities?.from({ call }) ?? new Identities(crypto, () => ({ call }))
  asked.learn(identity.state)
  return asked
}

async function renewGroup(
  { call, crypto, identity, signal }: StandingParts,
  identities: Identities,
  id: IdentityId,
): Promise<OnehopError | undefined> {
  const group = await identities.refresh(id, { signal })
  const unmet =
    group.boxes.length === 0 ? undefined : await meetMembers(identities, group, identity.id, { signal })
  const people: People = (of) => (equalBytes(of, identity.id) ? identity.state : identities.known(of))
  const signer = { person: identity.state, device: identity.device, boxes: identity.boxes }
  const entry = nextEpoch(crypto, group, signer, people)
  if (entry === undefined) return unmet
  const next = append(crypto, group, [entry], people)
  if (next.dropped.has(toHex(entry.hash)))
    return new OnehopError('FORBIDDEN', 'the log of the group does not allow that')
  await call('identity.append', toldWith(group, [entry], people), { signal })
  identities.learn(next)
  return undefined
}
