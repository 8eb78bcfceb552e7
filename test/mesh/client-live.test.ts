import { expect, test } from 'vitest'
import { connect, connectAdmin, memoryKeyStore, microblog, pair } from '../../client/index.ts'
import type { LiveEvent } from '../../client/live.ts'
import { startDaemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

/** Nobody listens there. */
const nowhere = 'ws://127.0.0.1:1/'

test.each(['list', 'feed'] as const)('a live %s goes on over a broken socket where it was', async (of) => {
  await using daemons = await startDaemons(1)
  const daemon = daemons.all[0]!
  const keys = memoryKeyStore()
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open({})
  const run = await pair(link!, { keys, label: 'phone', schemas: [microblog], copies: 0 })
  await admin.pair.code(run.digits)
  run.confirm()
  await (await run.done).transport.close()

  let isCut = false
  let refusals = 0
  let socket: WebSocket | undefined
  const openSocket = (url: string): WebSocket => {
    if (isCut) refusals++
    return (socket = new WebSocket(isCut ? nowhere : url))
  }
  await using app = await connect({ schema: microblog, keys, node: daemon.local, openSocket })
  const put = async (text: string): Promise<void> => {
    await (
      await app.collection('posts').put({ text })
    ).accepted
  }
  // One's own posts are in the feed as everybody's whom one follows.
  await (
    await app.follow(app.owner!)
  ).accepted

  const leaving = new AbortController()
  const seen: LiveEvent<{ text?: string }>[] = []
  const texts = (): (string | undefined)[] =>
    seen.flatMap((event) => (event.type === 'items' ? event.items.map(({ value }) => value.text) : []))
  const reading = (async () => {
    const query =
      of === 'list'
        ? app.live({ list: 'posts' }, { signal: leaving.signal })
        : app.live({ feed: 'posts' }, { signal: leaving.signal })
    for await (const event of query) seen.push(event as LiveEvent<{ text?: string }>)
  })()
  await until(() => seen.length > 0)
  await put('before')
  await until(() => texts().includes('before'))

  isCut = true
  socket!.close()
  await put('meanwhile')
  // It tries, and tries again.
  await until(() => refusals >= 2, 20_000)
  expect(texts()).toEqual(['before'])
  isCut = false
  await until(() => texts().includes('meanwhile'), 20_000)
  await put('after')
  await until(() => texts().includes('after'))

  expect(texts()).toEqual(['before', 'meanwhile', 'after'])
  expect(seen.map(({ type }) => type)).toEqual(['reset', 'items', 'items', 'items'])
  const positions = seen.map(({ position }) => position.position)
  expect(positions).toEqual([...new Set(positions)].toSorted((a, b) => a - b))
  leaving.abort()
  await reading
})
