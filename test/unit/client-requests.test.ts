import { expect, test } from 'vitest'
import { connect, microblog } from '../../client/index.ts'
import type { SearchRequest } from '../../client/search.ts'
import { createFakeNode } from '../support/fake-transport.ts'
import { createPerson, seededCrypto } from '../support/people.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const owner = createPerson(seededCrypto(22)).state.id

/** Asks nobody: what is wrong is seen before anything is sent. */
const noFetch = (): Promise<Response> => Promise.reject(new Error('something was sent'))

test.each([
  ['not a url', undefined],
  ['not a url', owner],
  ['ftp://box.example', undefined],
  ['/ip4/192.0.2.1/tcp/4181', owner],
])('%s is no node to connect to', async (node, whose) => {
  await expect(connect({ schema: microblog, node, owner: whose, fetch: noFetch })).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    message: expect.stringContaining(node),
    help: expect.stringContaining('http://HOST:PORT'),
  })
})

test('a multiaddr is an address too, with an owner and without', async () => {
  for (const whose of [undefined, owner]) {
    const asked: string[] = []
    const fetch = async (input: unknown): Promise<Response> => {
      asked.push(String(input))
      throw new TypeError('offline')
    }
    await using _ = await connect({
      schema: microblog,
      node: '/ip4/192.0.2.1/tcp/4180/http',
      owner: whose,
      fetch,
    })
    expect(asked[0]).toBe('http://192.0.2.1:4180/api/v1/node.info')
  }
})

test('a signal that has aborted already connects to nothing', async () => {
  for (const whose of [undefined, owner])
    await expect(
      connect({
        schema: microblog,
        node: 'http://192.0.2.1',
        owner: whose,
        fetch: noFetch,
        signal: AbortSignal.abort(),
      }),
    ).rejects.toMatchObject({ code: 'ABORTED' })
})

test('a signal that aborts while nobody answers yet ends the connecting', async () => {
  for (const whose of [undefined, owner]) {
    const leaving = new AbortController()
    const fetch = (_: unknown, init?: RequestInit): Promise<Response> => {
      leaving.abort()
      return new Promise((_resolve, reject) => {
        const { signal } = init!
        if (signal!.aborted) reject(signal!.reason as Error)
        signal!.addEventListener('abort', () => reject(signal!.reason as Error))
      })
    }
    await expect(
      connect({ schema: microblog, node: 'http://192.0.2.1', owner: whose, fetch, signal: leaving.signal }),
    ).rejects.toMatchObject({ code: 'ABORTED' })
  }
})

test.each<[string, Omit<Partial<SearchRequest>, 'collection'>, string, string]>([
  ['a name in place of a scope', { scope: 'Lagos' }, 'Lagos', '/geo/africa/ng/lagos'],
  ['no scope', { scope: '' }, 'scope', '/geo/africa/ng/lagos'],
  ['a limit of nothing', { limit: 0 }, 'limit', '1 to 100'],
  ['a limit beyond what an answer holds', { limit: 101 }, 'limit', '1 to 100'],
  ['half a hit', { limit: 1.5 }, 'limit', '1 to 100'],
  ['no text', { text: '' }, 'text', '1 to 1024'],
  ['a book', { text: 'a'.repeat(1025) }, 'text', '1 to 1024'],
])('a search with %s is refused before it is sent', async (_, wrong, what, help) => {
  const clock = createVirtualClock()
  const node = createFakeNode('n', clock, 0, {})
  node.state = 'gone'
  const opened = connect({ schema: microblog, transport: node.transport, owner, clock })
  await clock.advance(10)
  const app = await opened
  const asked = node.calls.length
  const request = { scope: '/geo', text: 'jazz', ...wrong }
  for (const call of [() => app.search(request), () => app.explain(request)])
    await expect(call()).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining(what),
      help: expect.stringContaining(help),
    })
  expect(node.calls).toHaveLength(asked)
})
