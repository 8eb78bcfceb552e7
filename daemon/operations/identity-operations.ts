import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Operations } from '../api/operations.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { Finder } from '../placement/find.ts'
import type { Recoveries } from '../placement/recoveries.ts'
import type { Schemas } from '../schemas.ts'
import type { Search } from '../search/search.ts'

export interface IdentityOperationsParts {
  readonly identities: Identities
  readonly hosting: Hosting
  readonly schemas: Schemas
  readonly finder: Finder
  readonly recoveries: Recoveries
  readonly search: Pick<Search, 'identityLog'>
}

type Names = 'identity.get' | 'identity.append' | 'identity.recover' | 'schema.put' | 'schema.get'

export function identityOperations(parts: IdentityOperationsParts): Pick<Operations, Names> {
  const { identities, hosting, schemas, finder, recoveries, search } = parts
  return {
    async 'identity.get'({ identity }, { signal }) {
      // Who showed a record of theirs has the log; else the replica set is found, which travels with it.
      let log = identities.log(identity) ?? (await search.identityLog(identity, signal))
      if (log === undefined) {
        await finder.find(identity, signal)
        log = identities.log(identity)
      }
      if (log === undefined)
        throw new OnehopError('UNKNOWN_IDENTITY', `nobody asked knows ${toHex(identity)}`)
      return { log }
    },

    async 'identity.append'({ identity, log }) {
      if (!hosting.has(identity)) {
        throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(identity)}`)
      }
      const { added } = await identities.accept(identity, log, { isFirst: true })
      return { added }
    },

    async 'identity.recover'({ recoveryKey }, { signal }) {
      const found = await recoveries.find(recoveryKey, signal)
      if (found.length === 0) {
        throw new OnehopError('NOT_FOUND', 'nobody asked knows these recovery words', {
          help: 'Check the words. A node that was just started may need a minute to meet others: try again then.',
        })
      }
      return { found: found.map(({ log, chain = null }) => ({ log, replicaSet: chain })) }
    },

    async 'schema.put'({ schema }) {
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
