import { apiLimits } from '../../protocol/api/limits.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import type { AppTokens, ListedToken } from '../api/app-tokens.ts'
import type { Operations } from '../api/operations.ts'
import type { Identities } from '../identities.ts'
import { requireOwnersDevice } from './caller.ts'

export interface TokenOperationsParts {
  readonly tokens: AppTokens
  readonly identities: Identities
}

type Names = 'token.grant' | 'token.list' | 'token.revoke'

/** Granting, seeing and revoking the tokens of apps: for an owner's device and for whoever runs the node. */
export function tokenOperations({ tokens, identities }: TokenOperationsParts): Pick<Operations, Names> {
  return {
    async 'token.grant'({ grant: packed }, { caller }) {
      const { token, grant } = await tokens.grant(packed, (identity) =>
        requireOwnersDevice(identities, caller, identity),
      )
      return { id: grant.id, token, expiresMs: grant.expiresMs }
    },

    async 'token.list'({ owner }, { caller }) {
      const of = owner ?? (caller.kind === 'session' ? caller.owner : undefined)
      if (of !== undefined) requireOwnersDevice(identities, caller, of)
      const found = tokens.list(of)
      return { tokens: found.slice(0, apiLimits.tokensPerListMax).map(describe) }
    },

    async 'token.revoke'({ owner, id }, { caller }) {
      requireOwnersDevice(identities, caller, owner)
      return { revoked: await tokens.revoke(owner, id) }
    },
  }
}

function describe({
  grant,
  grantedMs,
  revokedMs,
  usedMs,
  refused,
}: ListedToken): ReplyOf<'token.list'>['tokens'][number] {
  const { id, identity, device, app, label, origin, scopes, expiresMs } = grant
  return {
    id,
    owner: identity,
    device,
    app,
    label,
    origin: origin ?? null,
    scopes: scopes.map(({ collection, access }) => ({ collection: collection ?? null, access })),
    grantedMs,
    expiresMs,
    revokedMs: revokedMs ?? null,
    usedMs: usedMs ?? null,
    refused: refused ?? null,
  }
}
