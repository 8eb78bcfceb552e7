/** Revoking a device: its records up to now count, by number and by hash; nothing that it signs later does. */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { revokeDevice } from '../../protocol/identity/make.ts'
import { renewGroups, type Unrenewed } from '../groups/group-epochs.ts'
import type { Identities } from './identities.ts'
import type { Identity } from './identity.ts'
import { deviceShutOut } from './revoked-key.ts'
import { renewSets } from './standing-sets.ts'
import type { Unsigned } from './standing-sets.ts'
import type { Transport } from '../transport.ts'
import { nameWritten, readNoted, type GroupsOfPerson, type Named, type NamedRequest } from './written.ts'

export interface RevocationOptions {
  /** To a node that hosts the person, by the administrator or a session of an owner's device. */
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  /** What is known of others already. */
  readonly identities?: Identities | undefined
  readonly device: Uint8Array
  readonly since?: NamedRequest['since']
  /** Where the device may have written beside what the node knows of. */
  readonly groups?: GroupsOfPerson | undefined
  /** Shuts it out although some groups cannot be asked: what it did in those counts no more. */
  readonly leaveGroups?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Revoked {
  /** It was before: nothing of it changed but what could not be done then. */
  readonly wasRevoked: boolean
  /** Records of the device that go on counting, in all shards that are named; the highest number of one's own. */
  readonly records: number
  readonly lastNumber: number
  /** Records of the device that count no more. */
  readonly left: number
  /** In how many groups. */
  readonly groups: number
  readonly unheld: Named['unheld']
  readonly isCut: boolean
  /** Shards whose holders the device had named, and that could not be named anew: newcomers do not find them. */
  readonly unsigned: readonly Unsigned[]
  /** Groups whose secret the device still opens: what is sealed for them can be read by it. */
  readonly unrenewed: readonly Unrenewed[]
}

/**
 * In the name of the person, by an owner's device; the node that is asked says what the device wrote. Once more for one that
 * is revoked already tries again what could not be signed.
 */
export async function revoke(options: RevocationOptions): Promise<Revoked> {
  const { call, crypto, identity, device, since, signal } = options
  const known = identity.state.devices.get(toHex(device))
  if (known === undefined) throw new OnehopError('NOT_FOUND', 'your identity has no such device')
  if (equalBytes(device, identity.device.key)) {
    throw new OnehopError('BAD_REQUEST', 'this is the device that you are using', {
      help: 'Revoke it from another owner device.',
    })
  }
  // First: what it cannot read, nor renew, any more would be told instead.
  if (identity.role === undefined) throw deviceShutOut()
  if (known.revoked !== undefined) {
    const lastNumber = known.revoked.numbers.get(toHex(identity.id))?.lastNumber ?? 0
    const groups = Math.max(0, known.revoked.numbers.size - 1)
    const unrenewed = await renewEverywhere(options)
    const unsigned = await renewSets(options)
    const nothing = { left: 0, unheld: [], isCut: false }
    return { wasRevoked: true, records: lastNumber, lastNumber, groups, ...nothing, unsigned, unrenewed }
  }
  const { groups, leaveGroups = false } = options
  const named = await nameWritten({
    transport: { call },
    owner: identity.id,
    device,
    crypto,
    since,
    // Neither signs anything in a group.
    groups: known.role === 'node' || known.role === 'reader' ? undefined : groups,
    options: { signal },
  })
  if (known.role !== 'node' && !leaveGroups) requireGroups(named)
  const { numbers, records } = named
  const lastNumber = numbers[0]?.lastNumber ?? 0
  const { entry } = revokeDevice(crypto, identity.state, identity.device, device, numbers)
  const log = encodeLog([...identity.state.entries, entry])
  // Kept when a node took it: what was refused, as of a device on probation, is not to be told with what comes next.
  await call('identity.append', { identity: identity.id, log }, { signal })
  await identity.learn(log)
  const unrenewed = await renewEverywhere(options)
  const unsigned = await renewSets(options)
  const { left, unheld, isCut } = named
  const written = { records, lastNumber, left, groups: numbers.length - 1 }
  return { wasRevoked: false, ...written, unheld, isCut, unsigned, unrenewed }
}

/** Groups that a message names. */
const namedMax = 8

/** Throws LAGGING: a device is revoked once, and what is not named then never counts again. */
export function requireGroups({ unheld, unread }: Pick<Named, 'unheld' | 'unread'>): void {
  if (unread?.code === 'REVOKED') throw unread
  if (unread !== undefined)
    throw new OnehopError(
      'LAGGING',
      `which groups you founded or opened cannot be read here: ${unread.message}`,
      {
        help: 'Try again, or at another device of yours. Or shut it out all the same, and what it did in groups that your node does not know counts no more: --leave-groups, leaveGroups.',
      },
    )
  const own = unheld.filter(({ isOwn }) => isOwn)
  const [first] = own
  if (first === undefined) return
  const names = own
    .slice(0, namedMax)
    .map(({ group }) => toHex(group).slice(0, 12))
    .join(', ')
  const more = own.length > namedMax ? ', ...' : ''
  throw new OnehopError(
    'LAGGING',
    `what the device wrote in ${own.length === 1 ? 'a group' : `${own.length} groups`} cannot be asked for now: ${names}${more} (${first.error.message})`,
    {
      help: 'Try again when a node that has them can be reached. Or shut it out all the same, and what it did there counts no more: --leave-groups, leaveGroups. One that is gone for good: onehop groups forget GROUP.',
    },
  )
}

/** Groups that the home knows, and others that the person knows of. */
async function renewEverywhere(options: RevocationOptions): Promise<readonly Unrenewed[]> {
  const { groups, signal } = options
  const atHome = await renewGroups(options)
  if (groups === undefined) return atHome
  const told = new Set(atHome.map(({ group }) => group && toHex(group)))
  const noted = (await readNoted(groups, { signal })).groups.map(({ group }) => group)
  const others = noted.filter((group) => !told.has(toHex(group)))
  return [...atHome, ...(await groups.renewAll(others, { signal }))]
}
