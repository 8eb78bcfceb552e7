/** What a person lets an app do, as it was typed: a slip would make a token that nobody takes, or that opens nothing. */
import { isOrigin } from '../protocol/api/app-token.ts'
import { apiLimits } from '../protocol/api/limits.ts'
import { utf8 } from '../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Access } from '../protocol/identity/types.ts'
import { limits } from '../protocol/limits.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { collectionOf } from '../protocol/schema/check-item.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import type { Call } from './command.ts'
import type { Daemon } from './daemon.ts'
import { UsageError } from './failure.ts'
import { openSchema } from './schema-file.ts'

export interface TypedGrant {
  readonly label: string
  readonly app: string
  /** None is every one. */
  readonly collections: readonly string[]
  readonly origin: string | undefined
  readonly access: Access
}

const help = 'See: onehop tokens grant --help'

/** Throws UsageError, which names the option and the rule. */
export function checkTyped({ label, app, collections, origin }: TypedGrant): void {
  requireName('LABEL', label)
  requireName('--app', app)
  for (const name of collections) requireName('--collection', name)
  if (collections.length > apiLimits.tokenScopesMax)
    throw new UsageError(`--collection is given ${apiLimits.tokenScopesMax} times at most`, help)
  if (origin !== undefined && (origin.length > apiLimits.originBytesMax || !isOrigin(origin)))
    throw new UsageError(
      `--origin is a site as browsers write it, such as https://app.example, not ${JSON.stringify(origin)}`,
      'The scheme, the name in small letters, a port unless it is the usual one; no path, and no slash at the end.',
    )
}

function requireName(what: string, text: string): void {
  const { length } = utf8(text)
  if (length < 1 || length > limits.nameBytesMax)
    throw new UsageError(`${what} has 1 to ${limits.nameBytesMax} bytes, not ${length}`, help)
}

/**
 * Throws UNKNOWN_SCHEMA, UNKNOWN_COLLECTION for what neither a schema that was applied here nor the node knows. An app
 * that may write may bring its schema itself.
 */
export async function requireKnown(
  { context }: Pick<Call, 'context'>,
  { call }: Pick<Daemon, 'call'>,
  owner: IdentityId,
  { app, collections, access }: TypedGrant,
): Promise<void> {
  const { signal, environment } = context
  const schema = await appliedSchema(app, environment)
  const nodeKnows = await isKnown(() => call('view.get', { owner, app, view: probe }, { signal }))
  if (schema === undefined && !nodeKnows) {
    if (access === 'write') return
    throw new OnehopError('UNKNOWN_SCHEMA', `neither this command line nor its node knows an app ${app}`, {
      help: 'Check its id, or apply its schema first: onehop schema apply FILE.',
    })
  }
  for (const name of collections) {
    const collection = schema?.collections.get(name)
    if (collection?.private === true) throw privateCollection(name)
    if (collection !== undefined) continue
    // The node may know a newer version.
    if (nodeKnows) await call('record.list', { owner, app, collection: name, limit: 1 }, { signal })
    else if (schema !== undefined) collectionOf(schema, name)
  }
}

/** A view is asked for to learn of the schema alone. */
const probe = 'onehop'

async function isKnown(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask()
    return true
  } catch (thrown) {
    const { code } = asOnehopError(thrown)
    if (code === 'UNKNOWN_VIEW') return true
    if (code === 'UNKNOWN_SCHEMA') return false
    throw thrown
  }
}

/** Of a file only what was applied counts: an app is named by its id. */
async function appliedSchema(app: string, environment: NodeJS.ProcessEnv): Promise<Schema | undefined> {
  try {
    const schema = await openSchema(app, environment)
    return schema.id === app ? schema : undefined
  } catch (thrown) {
    const { code } = asOnehopError(thrown)
    if (code === 'UNKNOWN_SCHEMA' || code === 'NOT_FOUND') return undefined
    throw thrown
  }
}

function privateCollection(name: string): OnehopError {
  return new OnehopError('UNKNOWN_COLLECTION', `${name} is private: no node knows it by this name`, {
    help: 'Leave --collection out: a token for everything of an app reaches what is private too, sealed.',
  })
}
