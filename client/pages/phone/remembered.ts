/** The last pages, kept on the phone, so that it has something to show before the node answers or when it does not. */
import { decode, encode } from '../../../protocol/codec.ts'
import { limits } from '../../../protocol/limits.ts'
import { array, bytes, fields, map, nullable, parse, text, uint } from '../../../protocol/shape.ts'
import type { KeyStore } from '../../index.ts'
import type { HomePage, Post } from './post.ts'

const keptName = 'page/home'
const bytesMax = 4 * 2 ** 20
const words = nullable(text(16 * 1024))

const blob = nullable(fields({ hash: bytes(32), size: uint(), mime: text(255) }))

const post = fields({
  id: bytes(32),
  author: bytes(32),
  name: words,
  thumb: nullable(bytes(1, limits.previewBytesMax)),
  title: words,
  text: words,
  preview: nullable(bytes(1, limits.previewBytesMax)),
  picture: blob,
  writtenMs: uint(),
})

const shape = fields({
  name: words,
  bio: words,
  thumb: nullable(bytes(1, limits.previewBytesMax)),
  place: words,
  posts: array(post, limits.listItemsMax),
  counts: map(uint(), { max: 16, keyBytesMax: limits.nameBytesMax }),
  readMs: uint(),
})

export async function readRememberedHome(keys: KeyStore): Promise<HomePage | undefined> {
  const kept = await keys.get(keptName)
  if (kept === undefined) return undefined
  try {
    const page = parse(shape, decode(kept, { bytesMax }), 'remembered page')
    const { name, bio, thumb, place } = page
    return {
      profile:
        name === undefined
          ? undefined
          : {
              name,
              ...(bio === undefined ? {} : { bio }),
              ...(thumb === undefined ? {} : { thumb }),
              ...(place === undefined ? {} : { place }),
            },
      posts: page.posts.map(remembered),
      counts: page.counts,
      requestsBetweenNodes: 0,
      readMs: page.readMs,
    }
  } catch {
    // Written by another release; the node has it all.
    return undefined
  }
}

function remembered({ author, name, thumb, ...kept }: ReturnType<typeof post>): Post {
  return { ...kept, author: { id: author, name, thumb }, state: undefined }
}

export async function rememberHome(keys: KeyStore, page: HomePage): Promise<void> {
  const { profile } = page
  const value = {
    name: profile?.name ?? null,
    bio: profile?.bio ?? null,
    thumb: profile?.thumb ?? null,
    place: profile?.place ?? null,
    posts: page.posts.map(({ id, author, title, text: said, preview, picture, writtenMs }) => ({
      id,
      author: author.id,
      name: author.name ?? null,
      thumb: author.thumb ?? null,
      title: title ?? null,
      text: said ?? null,
      preview: preview ?? null,
      picture: picture === undefined ? null : { hash: picture.hash, size: picture.size, mime: picture.mime },
      writtenMs,
    })),
    counts: page.counts,
    readMs: page.readMs,
  }
  await keys.write(new Map([[keptName, encode(value)]]))
}
