import { expectTypeOf, test } from 'vitest'
import type {
  microblog,
  App,
  BlobReference,
  Item,
  LiveEvent,
  Page,
  RecordOf,
  Schema,
  ValueIn,
  View,
} from '../../client/index.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'

type Blog = App<typeof microblog>

test('what an app reads and writes has the types of its schema', () => {
  expectTypeOf<RecordOf<typeof microblog, 'notes'>>().toEqualTypeOf<{ readonly text: string }>()
  expectTypeOf<RecordOf<typeof microblog, 'profile'>['name']>().toEqualTypeOf<string>()
  expectTypeOf<RecordOf<typeof microblog, 'posts'>['picture']>().toEqualTypeOf<BlobReference | undefined>()
  const notes = (app: Blog) => app.collection('notes')
  expectTypeOf<ReturnType<ReturnType<typeof notes>['list']>>().resolves.toEqualTypeOf<
    Page<{ readonly text: string }>
  >()
  expectTypeOf<Parameters<ReturnType<typeof notes>['put']>[0]>().toEqualTypeOf<{ readonly text: string }>()
  expectTypeOf<Parameters<Blog['collection']>[0]>().toEqualTypeOf<'profile' | 'posts' | 'follows' | 'notes'>()
  expectTypeOf<Parameters<Blog['view']>[0]>().toEqualTypeOf<'home' | 'person'>()
})

test('pages and live queries too', () => {
  type Home = View<typeof microblog>
  expectTypeOf<NonNullable<Home['own']['profile']>>().toEqualTypeOf<
    Item<Partial<RecordOf<typeof microblog, 'profile'>>>
  >()
  const live = (app: Blog) => app.live({ list: 'notes' })
  type Events = ReturnType<typeof live> extends AsyncGenerator<infer E> ? E : never
  expectTypeOf<Events>().toEqualTypeOf<LiveEvent<{ readonly text: string }>>()
})

test('a schema read from a file takes any value that a schema can name', () => {
  expectTypeOf<ValueIn<Schema, string>>().toEqualTypeOf<ItemValue>()
})
