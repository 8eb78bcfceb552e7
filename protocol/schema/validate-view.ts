import { limits } from '../limits.ts'
import type { DocumentReader } from './document-reader.ts'
import { type Outline, selectCollections } from './outline.ts'

const singles = 'a collection with "key": "single" that is not private'
const viewKeys = ['own', 'feed', 'latest', 'counts'] as const

export function validateView(reader: DocumentReader, outline: Outline, value: unknown, path: string): void {
  const bag = reader.object(value, path, viewKeys)
  if (bag === undefined) return
  if (Object.keys(bag).length === 0) {
    reader.problems.add(path, 'shows nothing', `Add one of ${viewKeys.join(', ')}`)
  }
  const readable = selectCollections(outline, (collection) => !collection.private)
  if (bag['own'] !== undefined) {
    const single = selectCollections(outline, (collection) => collection.single && !collection.private)
    const own = reader.array(bag['own'], `${path}.own`, limits.schemaCollectionsMax)
    own.forEach((name, index) => reader.oneOf(name, `${path}.own[${index}]`, single, singles))
  }
  if (bag['feed'] !== undefined) validateFeed(reader, outline, bag['feed'], `${path}.feed`)
  if (bag['latest'] !== undefined) {
    const latest = reader.array(bag['latest'], `${path}.latest`, limits.schemaCollectionsMax)
    latest.forEach((entry, index) => {
      const at = `${path}.latest[${index}]`
      const part = reader.object(entry, at, ['collection', 'limit'])
      if (part === undefined) return
      reader.oneOf(part['collection'], `${at}.collection`, readable, 'a collection that is not private')
      reader.integer(part['limit'], `${at}.limit`, 1, limits.listItemsMax)
    })
  }
  if (bag['counts'] !== undefined) {
    for (const [, name, at] of reader.named(bag['counts'], `${path}.counts`, limits.schemaCollectionsMax)) {
      reader.oneOf(name, at, readable, 'a collection that is not private')
    }
  }
}

function validateFeed(reader: DocumentReader, outline: Outline, value: unknown, path: string): void {
  const feed = reader.object(value, path, ['of', 'latest', 'with', 'fields'])
  if (feed === undefined) return
  const streams = selectCollections(outline, (collection) => collection.stream)
  const of = reader.oneOf(feed['of'], `${path}.of`, streams, 'a collection with "stream": true')
  reader.integer(feed['latest'], `${path}.latest`, 1, limits.listItemsMax)
  if (of !== undefined && !isFollowed(outline, of)) {
    reader.problems.add(`${path}.of`, `nobody can follow ${of}`, 'Declare a collection with "follows"')
  }
  if (feed['with'] !== undefined) {
    const paths = reader.array(feed['with'], `${path}.with`, limits.schemaFieldsMax)
    paths.forEach((entry, index) => validateWith(reader, outline, entry, `${path}.with[${index}]`))
  }
  if (feed['fields'] !== undefined && of !== undefined) {
    const known = [...(outline.collections.get(of)?.fields.keys() ?? [])]
    const fields = reader.array(feed['fields'], `${path}.fields`, limits.schemaFieldsMax)
    fields.forEach((name, index) => reader.oneOf(name, `${path}.fields[${index}]`, known))
  }
}

function validateWith(reader: DocumentReader, outline: Outline, value: unknown, path: string): void {
  const cut = reader.fieldPath(value, path)
  if (cut === undefined) return
  const single = selectCollections(outline, (collection) => collection.single && !collection.private)
  const collection = reader.oneOf(cut[0], path, single, singles)
  if (collection === undefined) return
  const name = reader.oneOf(cut[1], path, [...(outline.collections.get(collection)?.fields.keys() ?? [])])
  if (name !== undefined && outline.field(collection, name)?.audience === 'private') {
    reader.problems.add(path, `${name} is private`, 'Name a field that followers may read')
  }
}

function isFollowed(outline: Outline, stream: string): boolean {
  return [...outline.collections.values()].some(({ followedStreams }) =>
    followedStreams === undefined ? false : followedStreams.length === 0 || followedStreams.includes(stream),
  )
}
