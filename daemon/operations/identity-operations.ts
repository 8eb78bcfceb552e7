import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Operations } from '../api/operations.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import { portionsOf } from '../named-people.ts'
import type { Finder } from '../placement/find.ts'
import type { Recoveries } from '../placement/recoveries.ts'
import type { Schemas } from '../schemas.ts'
import type { Search } from '../search/search.ts'
import { requireOwnersDevice } from './caller.ts'

export interface IdentityOperationsParts {
  readonly config: Config['hosting']
  readonly identities: Identities
  readonly hosting: Hosting
  readonly schemas: Schemas
  readonly finder: Finder
  readonly recoveries: Recoveries
  readonly search: Pick<Search, 'identityLog'>
  /** True while no other node is connected: there is nobody to ask. */
  readonly isAlone: () => boolean
}

type Names =
  | 'identity.get'
  | 'identity.append'
  | 'identity.host'
  | 'identity.recover'
  | 'schema.put'
  | 'schema.get'

export function identityOperations(parts: IdentityOperationsParts): Pick<Operations, Names> {
  const { config, identities, hosting, schemas, finder, recoveries, search, isAlone } = parts
  return {
    async 'identity.get'({ identity, held = false }, { signal }) {
      if (held && !hosting.has(identity)) throw stranger(identity)
      // Who showed a record of theirs has the log; else the replica set is found, which travels with it.
      let log = identities.log(identity) ?? (await search.identityLog(identity, signal))
      if (log === undefined) {
        await finder.find(identity, signal)
        log = identities.log(identity)
      }
      if (log === undefined && isAlone()) throw alone('UNKNOWN_IDENTITY')
      if (log === undefined)
        throw new OnehopError('UNKNOWN_IDENTITY', `nobody asked knows ${toHex(identity)}`, {
          help: 'Check the id. Whoever has it must live at a node that runs and can be reached, or have copies at one.',
        })
      // Of a group with more than fit, those that its own log needs; the others are asked for one by one.
      const [fitting = []] = portionsOf(identities.people(identity), limits.answerBytesMax - log.length)
      return { log, people: fitting }
    },

    async 'identity.append'({ identity, log, people = [] }) {
      // From whoever brings it: a log proves itself, and an app speaks for one who lives elsewhere. But of those alone
      // who live here, and of members of groups whose shard is here: they bring what their devices are.
      if (!hosting.has(identity) && !identities.isNamed(identity)) throw stranger(identity)
      const allow = ({ type }: IdentityState): void => {
        // A group may name another as a member, which would bring the people that it names, and so on.
        if (type === 'group' && !hosting.has(identity)) throw stranger(identity)
      }
      const { added } = await identities.accept(identity, log, { people, isFirst: true, allow })
      return { added }
    },

    async 'identity.host'({ identity, log, people, label = '' }, { caller }) {
      const by = caller.kind === 'session' ? caller.owner : undefined
      if (by !== undefined && hosting.get(by)?.person !== true)
        throw new OnehopError('NOT_HOSTED', 'a group comes to live where an owner of it does')
      const allow = (state: IdentityState): void => {
        // As if the group's log were kept already.
        const known = { get: (id: IdentityId) => (equalBytes(id, identity) ? state : identities.get(id)) }
        requireOwnersDevice(known, caller, identity)
        if (state.type !== 'group')
          throw new OnehopError('BAD_REQUEST', 'a person comes to live on a node by pairing: onehop pair')
      }
      if (by !== undefined) await hosting.requireRoomFor(identity, by)
      await identities.accept(identity, log, { people, isFirst: true, allow })
      const quotaBytes = config.leaseBytes
      await hosting.add({ owner: identity, person: true, quotaBytes, expiresMs: undefined, label }, by)
      return {}
    },

    async 'identity.recover'({ recoveryKey }, { signal }) {
      const found = await recoveries.find(recoveryKey, signal)
      if (found.length === 0 && isAlone()) throw alone('NOT_FOUND')
      if (found.length === 0) {
        throw new OnehopError('NOT_FOUND', 'nobody asked knows these recovery words', {
          help: 'Check the words. A node that was just started may need a minute to meet others: try again then.',
        })
      }
      return { found: found.map(({ log, chain = null }) => ({ log, replicaSet: chain })) }
    },

    async 'schema.put'({ schema }, { caller }) {
      // What an app is here is said by who lives here, not by members of their groups.
      if (caller.kind === 'session' && !hosting.has(caller.owner)) throw stranger(caller.owner)
      const known = await schemas.put(schema)
      return { schema: known.hash, app: known.id }
    },

    async 'schema.get'({ schema }) {
      const known = schemas.get(schema)
      if (known === undefined) throw new OnehopError('UNKNOWN_SCHEMA', `no schema ${toHex(schema)} here`)
      return { schema: known.bytes }
    },
  }
}

function alone(code: 'NOT_FOUND' | 'UNKNOWN_IDENTITY'): OnehopError {
  return new OnehopError(code, 'it is not known here, and this node has met no other that it could ask', {
    help: 'A node that was just started may need a minute to meet others. Else name one that can be reached, in the config: network.bootstrap.',
  })
}

function stranger(identity: IdentityId): OnehopError {
  return new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(identity)}`)
}
