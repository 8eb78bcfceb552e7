import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { Ingest } from '../ingest.ts'
import type { ProvideQueue } from '../net/provide-queue.ts'
import type { Routing, Rpc } from '../net/rpc.ts'
import type { Schemas } from '../schemas.ts'

/** What the search part is given. */
export interface SearchParts {
  readonly rpc: Rpc
  readonly routing: Routing
  readonly provideQueue: Pick<ProvideQueue, 'add' | 'remove'>
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: Store
  readonly identities: Identities
  readonly schemas: Schemas
  readonly hosting: Pick<Hosting, 'list' | 'has'>
  readonly ingest: Pick<Ingest, 'onStored' | 'onDropped'>
  /** True when this node speaks for the shard. */
  readonly leads: (owner: IdentityId) => boolean
  /** Grows whenever `leads` may answer otherwise. */
  readonly leadChanges: () => number
  readonly aggregate: Config['aggregate']
  readonly config: Config['search']
  /** Sources tell that they are there this often; one that is silent for two and a half is missing. */
  readonly heartbeatMs: number
  /** Out of touch for this long, another holder may have spoken for a shard: everything is sent again. */
  readonly suspectAfterMs: number
  /** Signs adverts. */
  readonly nodeSeed: Uint8Array
  readonly addresses: () => readonly string[]
}

/** Whom a source sends to: an aggregator's node and scope, for one app. */
export interface Target {
  readonly node: string
  readonly app: string
  readonly parent: string
}
