import { expect, test } from 'vitest'
import type { Identities } from '../../daemon/identities.ts'
import type { NodeId, Rpc, RpcHandler } from '../../daemon/net/rpc.ts'
import { Following } from '../../daemon/streams/following.ts'
import type { Intake } from '../../daemon/streams/intake.ts'
import { WantedAuthors } from '../../daemon/streams/wanted.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { encodeListed } from '../../protocol/stream/listing.ts'
import { decodePushed, encodeFollowed, encodePush, encodeStop } from '../../protocol/stream/wire.ts'
import { silentLog } from '../support/api-node.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const node: NodeId = 'aa'.repeat(32)
const source = fromHex(node, 32) as Uint8Array
const author = new Uint8Array(32).fill(2)
const app = 'example.microblog'

interface Asked {
  readonly method: string
  readonly reply: (body: Uint8Array) => void
}

/** One author, one source whose answers come when the test says so. `waits`: what the intake cannot judge yet. */
function follow({ waits }: { readonly waits?: ErrorCode } = {}) {
  const clock = createVirtualClock()
  const handlers = new Map<string, RpcHandler>()
  const asked: Asked[] = []
  const rpc: Rpc = {
    self: 'bb'.repeat(32),
    handle: (method, handler) => void handlers.set(method, handler),
    request: (_, method) => new Promise((reply) => asked.push({ method, reply })),
    connected: () => [node],
    onPeer: () => () => undefined,
  }
  const intake: Pick<Intake, 'take'> = {
    async take(_, deliveries) {
      return deliveries.map(({ wanted, records, cursorAfter }) => {
        wanted.cursor = cursorAfter(waits === undefined ? records.length : 0, waits) ?? wanted.cursor
        return { wanted, cursor: wanted.cursor, waits }
      })
    },
  }
  const authors = new WantedAuthors()
  const wanted = authors.add(app, author)
  let lost = 0
  const following: Following = new Following({
    rpc,
    clock,
    log: silentLog,
    identities: { get: () => ({}) } as unknown as Identities,
    intake: intake as Intake,
    wanted: authors,
    collections: () => new Set(['posts']),
    isSuspect: () => false,
    onLost(one) {
      lost++
      following.leave(one)
    },
  })
  const stop = new AbortController()
  const running = following.run(stop.signal)
  following.ask(wanted, node)
  const hears = async (method: string, body: Uint8Array): Promise<Uint8Array> =>
    (handlers.get(method) as RpcHandler)({
      from: node,
      body,
      signal: stop.signal,
    } as never) as Promise<Uint8Array>
  return {
    wanted,
    asked,
    hears,
    settle: () => clock.settle(),
    lost: () => lost,
    async [Symbol.asyncDispose]() {
      stop.abort()
      for (const { reply } of asked) reply(new Uint8Array(0))
      await running
    },
  }
}

const listed = (epoch: number, records: Uint8Array[] = []): Uint8Array =>
  encodeListed({
    source,
    parts: [{ author, head: { epoch, head: 5 }, log: undefined, records, more: undefined }],
  })
const following = encodeFollowed({
  source,
  authors: [{ author, stand: { state: 'following', epoch: 1, head: 5 } }],
})

test('an author is listed, then followed', async () => {
  await using story = follow()
  await story.settle()
  story.asked[0]?.reply(listed(1))
  await story.settle()
  story.asked[1]?.reply(following)
  await story.settle()
  expect(story.asked.map(({ method }) => method)).toEqual(['stream/list', 'stream/follow'])
  expect(story.wanted).toMatchObject({
    place: { state: 'following' },
    mustList: false,
    cursor: { position: 5 },
  })
})

test('an answer that crossed a push of another epoch does not end the matter: it is listed again', async () => {
  await using story = follow()
  await story.settle()
  story.asked[0]?.reply(listed(1))
  await story.settle()
  const batch = { author, epoch: 2, after: 5, through: 6, head: 6, entries: [] }
  const { authors } = decodePushed(
    await story.hears('stream/push', encodePush({ source, app, batches: [batch] })),
  )
  expect(authors).toMatchObject([{ receipt: { state: 'stop' } }])
  story.asked[1]?.reply(following)
  await story.settle()
  expect(story.asked.map(({ method }) => method)).toEqual(['stream/list', 'stream/follow', 'stream/list'])
})

test('a list of which something lies ahead of the clock is not counted as read', async () => {
  await using story = follow({ waits: 'CLOCK_AHEAD' })
  await story.settle()
  story.asked[0]?.reply(listed(1, [Uint8Array.of(1)]))
  await story.settle()
  expect(story.lost()).toBe(1)
  expect(story.wanted).toMatchObject({ mustList: true, cursor: undefined })
})

test('of what it never will judge it reads no list again', async () => {
  await using story = follow({ waits: 'UNKNOWN_IDENTITY' })
  await story.settle()
  story.asked[0]?.reply(listed(1, [Uint8Array.of(1)]))
  await story.settle()
  expect(story.lost()).toBe(0)
  expect(story.wanted).toMatchObject({ mustList: false, cursor: { position: 5 } })
})

test('a source that says it holds the author no more is left; another is not believed', async () => {
  await using story = follow()
  await story.settle()
  story.asked[0]?.reply(listed(1))
  await story.settle()
  story.asked[1]?.reply(following)
  await story.settle()
  const end = encodeStop({ app, collections: ['posts'], authors: [author] })
  story.wanted.place = { state: 'following', node: 'cc'.repeat(32) }
  await story.hears('stream/end', end)
  expect(story.lost()).toBe(0)
  story.wanted.place = { state: 'following', node }
  await story.hears('stream/end', end)
  expect(story.lost()).toBe(1)
})
