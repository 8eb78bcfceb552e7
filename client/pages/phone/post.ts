/** Posts and pages as this app shows and remembers them, taken from verified records. */
import type { View } from '../../index.ts'
import type { microblog } from '../../microblog.ts'
import type { RecordOf } from '../../../protocol/schema/record-of.ts'
import type { BlobReference } from '../../../protocol/schema/value.ts'
import type { Person } from '../parts/portrait.ts'

export type Microblog = typeof microblog
/** Pages and search hits leave out what they do not show. */
export type ProfileValue = Partial<RecordOf<Microblog, 'profile'>>
type PostValue = Partial<RecordOf<Microblog, 'posts'>>

/** local: on this phone; accepted: on one node's disk; durable: on two or more. Read posts are known to be kept. */
export type PostState = 'local' | 'accepted' | 'durable' | 'refused' | undefined

export interface Post {
  readonly id: Uint8Array
  readonly author: Person
  readonly title: string | undefined
  readonly text: string | undefined
  readonly preview: Uint8Array | undefined
  readonly picture: BlobReference | undefined
  readonly writtenMs: number
  readonly state: PostState
}

export interface HomePage {
  readonly profile: ProfileValue | undefined
  readonly posts: readonly Post[]
  readonly counts: Readonly<Record<string, number>>
  /** Other nodes that had to be asked. */
  readonly requestsBetweenNodes: number
  readonly readMs: number
}

export function postOf(
  item: { readonly id: Uint8Array; readonly writtenMs: number; readonly value: PostValue },
  author: Person,
): Post {
  const { title, text, preview, picture } = item.value
  return { id: item.id, author, title, text, preview, picture, writtenMs: item.writtenMs, state: undefined }
}

export function personOf(id: Uint8Array, profile: ProfileValue | undefined): Person {
  return { id, name: profile?.name, thumb: profile?.thumb }
}

export function homePageOf(view: View<Microblog>, readMs: number): HomePage {
  const posts = (view.feed?.items ?? []).flatMap((item) =>
    item.collection === 'posts'
      ? [postOf(item, personOf(item.author.id, item.author.own.profile?.value))]
      : [],
  )
  return {
    profile: view.own.profile?.value,
    posts,
    counts: view.counts,
    requestsBetweenNodes: view.requestsBetweenNodes,
    readMs,
  }
}
