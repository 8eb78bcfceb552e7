import type { ReplyOf, RequestOf, UnaryName } from '../protocol/api/operations.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import type { EpochSecret } from '../protocol/identity/box.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import type { Identities } from './identity/identities.ts'
import type { Write } from './item.ts'
import type { KeyStore } from './key-store.ts'
import type { Reader } from './reader.ts'
import type { Sealing } from './sealing.ts'
import type { SeenTokens } from './seen-token.ts'
import type { CallOptions, Transport } from './transport.ts'
import type { UnnumberedDraft } from './writer.ts'

/** What the parts of an app share; connect.ts puts it together. */
export interface AppParts {
  readonly schema: Schema
  /** The schema's id. */
  readonly app: string
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly keys: KeyStore
  /** To the node that answers now. */
  readonly transport: Transport
  readonly identities: Identities
  readonly sealing: Sealing
  readonly reader: Reader
  readonly seen: SeenTokens
  /** Whose it is: as given, else this identity's. Throws BAD_REQUEST for a stranger who gave none. */
  owner(given: IdentityId | string | undefined): IdentityId
  /** This identity. Throws UNAUTHENTICATED for a stranger. */
  self(): IdentityId
  isSelf(owner: IdentityId): boolean
  /** Asks the near node, and where that one does not hold the shard, the nodes that do. */
  callAbout<N extends UnaryName>(
    owner: IdentityId,
    operation: N,
    request: RequestOf<N>,
    options?: CallOptions,
  ): Promise<ReplyOf<N>>
  /** Asks this person's home, however near other holders are: what they and their groups are is kept there. */
  callHome<N extends UnaryName>(
    operation: N,
    request: RequestOf<N>,
    options?: CallOptions,
  ): Promise<ReplyOf<N>>
  write(draft: UnnumberedDraft): Promise<Write>
  /** All of them or none, in this order. */
  writeAll(drafts: readonly UnnumberedDraft[]): Promise<readonly Write[]>
  /** What to seal under for approved readers, once their wraps are on the way. */
  followersBox(): Promise<EpochSecret>
  /** Before sealing for a group: its newest secret. */
  freshenGroup(group: IdentityId): Promise<void>
}
