/**
 * What an app's token may do, decided here alone: within its scope the call goes on as one of the person, everything
 * else is refused or goes on as a stranger's. Handlers never see a token, so none can forget to look at its scope.
 */
import { reaches } from '../../protocol/api/app-token.ts'
import type { OperationName, RequestOf } from '../../protocol/api/operations.ts'
import { operations } from '../../protocol/api/operations.ts'
import { equalBytes } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Access } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { decodeSchema } from '../../protocol/schema/validate.ts'
import type { Caller } from './operations.ts'

export interface ScopePorts {
  /** The collections that a view shows; undefined when this node does not know the app. Throws UNKNOWN_VIEW. */
  viewCollections(app: string, view: string): Promise<readonly string[] | undefined>
}

type AppCaller = Extract<Caller, { kind: 'app' }>

interface Wanted {
  /** Whose data; undefined where the call is about nobody's. */
  readonly owner: IdentityId | undefined
  /** Undefined for any app: what is kept without saying for which. */
  readonly app: string | undefined
  readonly collections: readonly string[] | 'all' | 'any'
  readonly access: Access
}

type Scopes = {
  readonly [N in OperationName]?: (request: RequestOf<N>, ports: ScopePorts) => Wanted | Promise<Wanted>
}

const ofCollection = ({
  owner,
  app,
  collection,
}: Pick<RequestOf<'record.list'>, 'owner' | 'app' | 'collection'>): Wanted => ({
  owner,
  app,
  collections: [collection],
  access: 'read',
})
const ofView = async (owner: IdentityId, app: string, view: string, ports: ScopePorts): Promise<Wanted> => ({
  owner,
  app,
  collections: (await ports.viewCollections(app, view)) ?? 'all',
  access: 'read',
})
const ofUpload = ({ owner }: { readonly owner: IdentityId }): Wanted => ({
  owner,
  app: undefined,
  collections: 'any',
  access: 'write',
})

/** Operations with rule `session` that are not among these are closed to apps. */
const scopes: Scopes = {
  'record.get': ofCollection,
  'record.list': ofCollection,
  'feed.list': ofCollection,
  'view.get': ({ owner, app, view }, ports) => ofView(owner, app, view, ports),
  'live.open': ({ of, owner, app, name }, ports) =>
    of === 'view' ? ofView(owner, app, name, ports) : ofCollection({ owner, app, collection: name }),
  'blob.begin': ofUpload,
  'blob.put': ofUpload,
  'blob.stage': ofUpload,
  'blob.commit': ofUpload,
  'blob.drop': ofUpload,
  'schema.put': ({ schema }) => ({
    owner: undefined,
    app: decodeSchema(schema).id,
    collections: 'any',
    access: 'write',
  }),
}

/** As whom the app's call goes on. Throws FORBIDDEN. */
export async function narrow<N extends OperationName>(
  operation: N,
  request: RequestOf<N>,
  caller: AppCaller,
  ports: ScopePorts,
): Promise<Caller> {
  const { rule } = operations[operation]
  const ask = scopes[operation] as ((request: RequestOf<N>, ports: ScopePorts) => Promise<Wanted>) | undefined
  const stranger: Caller = { kind: 'anyone' }
  if (ask === undefined) {
    if (rule === 'anyone' || rule === 'signed') return stranger
    throw new OnehopError('FORBIDDEN', `apps with a token may not call ${operation}`)
  }
  const wanted = await ask(request, ports)
  const isOwn = wanted.owner === undefined || equalBytes(wanted.owner, caller.owner)
  if (!isOwn && rule === 'anyone') return stranger
  if (isOwn && isWithin(wanted, caller))
    return { kind: 'session', owner: caller.owner, device: caller.device }
  // To answer what is public alone would look like lost data.
  throw new OnehopError('FORBIDDEN', 'this token was not granted that', {
    help: 'Ask the person for a token with these collections, or ask without a token for what is public.',
  })
}

function isWithin({ app, collections, access }: Wanted, { grant }: AppCaller): boolean {
  if (app !== undefined && app !== grant.app) return false
  if (collections === 'any')
    return grant.scopes.some((scope) => access === 'read' || scope.access === 'write')
  if (collections === 'all') return reaches(grant, undefined, access)
  return collections.every((collection) => reaches(grant, collection, access))
}
