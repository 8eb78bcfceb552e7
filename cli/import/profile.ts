/** The profile of a user who has no line for one: their name, and their place where the schema says it belongs. */
import { OnehopError } from '../../protocol/errors.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import type { Collection } from '../../protocol/schema/schema.ts'
import type { Entry, LineForm } from './line-reader.ts'

export function profileOf({ schema }: Pick<LineForm, 'schema'>, name: string): Collection {
  const collection = collectionOf(schema, name)
  if (collection.key === 'single') return collection
  throw new OnehopError('BAD_REQUEST', `${name} is no profile: a person has more than one record in it`, {
    help: 'Name a collection with the key "single".',
  })
}

/** The user's name, and their place where the schema says it belongs. Undefined when the collection has room for neither. */
export function profileValue(
  { schema, scopeField }: LineForm,
  profile: Collection,
  entry: Entry,
): Record<string, unknown> | undefined {
  const value: Record<string, unknown> = {}
  if (profile.fields.get('name')?.document.type === 'text') value['name'] = entry.user
  const { scope } = entry
  const leaf = [...schema.hierarchies.entries()].find(
    ([hierarchy, { leaf: path }]) =>
      path.startsWith(`${profile.name}.`) && (scope ?? '').startsWith(`/${hierarchy}`),
  )?.[1].leaf
  if (scope !== undefined && leaf !== undefined) value[leaf.slice(profile.name.length + 1)] = scope
  else if (scope !== undefined)
    throw new OnehopError(
      'BAD_FIELD',
      `${scopeField}: ${JSON.stringify(scope)} is no place of ${profile.name}; a place is a path such as /geo/europe/gb/london`,
    )
  return Object.keys(value).length === 0 ? undefined : value
}
