import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHttpServer } from '../../daemon/api/http.ts'
import type { HttpServer } from '../../daemon/api/http.ts'
import { createRoutes } from '../../daemon/api/routes.ts'
import { systemClock } from '../../daemon/clock.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { rawRequest, httpCaller, socketClient } from '../support/api-client.ts'
import type { RawAnswer } from '../support/api-client.ts'
import {
  adminToken,
  createApiNode,
  noAppTokens,
  openSession,
  owner,
  replicaSet,
  silentLog,
} from '../support/api-node.ts'

const partner = 'https://partner.example'
const api = createApiNode()
let http: HttpServer
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onehop-pages-'))
  await mkdir(join(folder, 'pages', 'phone'), { recursive: true })
  await mkdir(join(folder, 'pages', 'dashboard'), { recursive: true })
  await writeFile(join(folder, 'secret.txt'), 'secret')
  await writeFile(join(folder, 'pages', 'phone', 'index.html'), '<!doctype html>phone')
  await writeFile(join(folder, 'pages', 'phone', 'app-ABCD1234.js'), 'export {}')
  await writeFile(join(folder, 'pages', 'phone', '.hidden.txt'), 'hidden')
  await symlink(join(folder, 'secret.txt'), join(folder, 'pages', 'phone', 'link.txt'))
  http = await api.openHttp({ pages: join(folder, 'pages'), origins: [partner], hosts: ['box.home.example'] })
})

afterAll(async () => {
  await http.close()
  await rm(folder, { recursive: true })
})

type Headers = Record<string, string>
const cbor: Headers = { 'content-type': 'application/cbor' }

function post(
  operation: string,
  headers: Headers,
  body: Uint8Array | string = encode({}),
): Promise<RawAnswer> {
  return rawRequest({ port: http.port, path: `/api/v1/${operation}`, headers, body })
}

function get(path: string, headers: Headers = {}): Promise<RawAnswer> {
  return rawRequest({ port: http.port, path, method: 'GET', headers })
}

const failureOf = (answer: RawAnswer): unknown => JSON.parse(answer.body.toString()) as unknown

const samples = [
  ['POST', '/api/v1/node.info'],
  ['GET', `/.well-known/onehop/${toHex(owner)}`],
  ['GET', '/'],
  ['GET', '/phone'],
  ['GET', '/phone/'],
  ['GET', '/dashboard/index.html'],
] as const

test('the samples below visit every route', () => {
  const routes = createRoutes({ dispatch: api.dispatch, pages: undefined })
  for (const { method, pattern } of routes) {
    expect(samples.some(([sample, path]) => sample === method && pattern.test(path))).toBe(true)
  }
})

describe.each(samples)('%s %s', (method, path) => {
  const visit = (headers: Headers): Promise<RawAnswer> =>
    rawRequest({
      port: http.port,
      path,
      method,
      headers: method === 'POST' ? { ...cbor, ...headers } : headers,
      ...(method === 'POST' ? { body: encode({}) } : {}),
    })

  test.each([
    ['another name, as after DNS rebinding', { host: 'evil.example' }],
    ['a name that ends as ours', { host: 'xlocalhost' }],
    ['another address', { host: '10.9.8.7' }],
    ['a host that is none', { host: '/' }],
    ['a host with a path', { host: 'localhost/x' }],
    ['a host with a user', { host: 'localhost@evil.example' }],
    ['a page of another site', { origin: 'https://evil.example' }],
    ['a page without origin (sandboxed, file)', { origin: 'null' }],
    ['a page of another port', { origin: 'http://127.0.0.1:1' }],
  ])('refuses %s', async (_what, headers) => {
    const answer = await visit({ ...headers, accept: 'application/json' })
    expect(answer.status).toBe(403)
    expect(failureOf(answer)).toMatchObject({ code: 'FORBIDDEN' })
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  test('answers under its address, localhost and configured names', async () => {
    for (const host of [`127.0.0.1:${http.port}`, `localhost:${http.port}`, 'box.home.example']) {
      expect((await visit({ host })).status).not.toBe(403)
    }
  })

  test('answers its own pages and a configured site, with CORS for the latter alone', async () => {
    const host = `127.0.0.1:${http.port}`
    const own = await visit({ host, origin: `http://${host}` })
    expect([own.status === 403, own.headers['access-control-allow-origin']]).toEqual([false, undefined])
    const other = await visit({ host, origin: partner })
    expect(other.headers['access-control-allow-origin']).toBe(partner)
  })

  test.each([
    ['an unknown token', `Bearer ${'0'.repeat(64)}`],
    ['a short token', 'Bearer abc'],
    ['another scheme', 'Basic YTpi'],
  ])('refuses %s', async (_what, authorization) => {
    expect((await visit({ authorization })).status).toBe(401)
  })
})

describe('operations', () => {
  test('the admin token opens administration, behind no proxy', async () => {
    const authorization = `Bearer ${adminToken}`
    expect((await post('admin.config', { ...cbor, authorization })).status).toBe(200)
  })

  test.each([
    'Forwarded',
    'Via',
    'X-Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Real-IP',
    'X-Client-IP',
    'X-Cluster-Client-IP',
    'X-Original-Host',
    'X-Envoy-External-Address',
    'X-Amzn-Trace-Id',
    'Client-IP',
    'True-Client-IP',
    'CF-Connecting-IP',
    'CDN-Loop',
    'Tailscale-User-Login',
  ])('and closes it to what %s says was passed on', async (field) => {
    const headers = { authorization: `Bearer ${adminToken}`, [field]: '203.0.113.9' }
    expect((await post('admin.config', { ...cbor, ...headers })).status).toBe(403)
    const socket = socketClient(http.port, { headers })
    await expect(socket).rejects.toThrow('status 403')
    expect((await get('/', { [field]: '203.0.113.9' })).headers.location).toBe('/phone/')
    expect((await get('/')).headers.location).toBe('/dashboard/')
  })

  test('more headers than are read are refused: the one left out might be the proxy’s', async () => {
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`x-padding-${i}`, 'x']))
    const headers = { ...cbor, authorization: `Bearer ${adminToken}`, ...many }
    expect((await post('admin.config', { ...headers, 'x-forwarded-for': '203.0.113.9' })).status).toBe(431)
  })

  test('the admin token does what a session does', async () => {
    const call = httpCaller(http.port, adminToken)
    expect(await call('schema.put', { schema: Uint8Array.of(1) })).toMatchObject({ app: 'demo' })
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])(
    'refuses the content type %j, which a form of any site can send',
    async (type) => {
      const answer = await post('node.info', type === '' ? {} : { 'content-type': type })
      expect([answer.status, failureOf(answer)]).toMatchObject([400, { code: 'BAD_REQUEST' }])
    },
  )

  test('JSON in, JSON out: bytes as hex, u64 as decimal text', async () => {
    const list = JSON.stringify({
      owner: toHex(owner),
      app: 'demo',
      collection: 'post',
      after: { clock: '18446744073709551615', id: toHex(owner) },
    })
    const answer = await post('record.list', { 'content-type': 'application/json; charset=utf-8' }, list)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(failureOf(answer)).toEqual({
      records: [],
      asOf: '5',
      more: { clock: '9223372036854775809', id: '07'.repeat(32) },
    })
  })

  test.each([
    ['upper-case hex', { owner: 'AA'.repeat(32), app: 'demo', collection: 'post' }],
    [
      'a u64 that is none',
      {
        owner: toHex(owner),
        app: 'd',
        collection: 'p',
        after: { clock: '18446744073709551616', id: toHex(owner) },
      },
    ],
    ['an unknown field', { owner: toHex(owner), app: 'demo', collection: 'post', limits: 3 }],
    [
      '__proto__ as a field',
      JSON.parse(`{"owner":"${toHex(owner)}","app":"d","collection":"p","__proto__":{"limit":1}}`) as object,
    ],
  ])('refuses %s in JSON', async (_what, request) => {
    const answer = await post('record.list', { 'content-type': 'application/json' }, JSON.stringify(request))
    expect([answer.status, failureOf(answer)]).toMatchObject([400, { code: 'BAD_REQUEST' }])
  })

  test('text in place of bytes is refused in CBOR', async () => {
    const request = encode({ owner: toHex(owner), app: 'demo', collection: 'post' })
    expect((await post('record.list', cbor, request)).status).toBe(400)
  })

  test.each([
    ['CBOR', 'application/cbor', Uint8Array.of(0xff)],
    ['an empty CBOR body', 'application/cbor', new Uint8Array(0)],
    ['JSON', 'application/json', '{"a":'],
  ])('refuses what is not %s', async (_what, type, body) => {
    const answer = await post('node.info', { 'content-type': type, accept: 'application/json' }, body)
    expect([answer.status, failureOf(answer)]).toMatchObject([400, { code: 'BAD_MESSAGE' }])
  })

  test('answers in the form that Accept asks for', async () => {
    const answer = await post(
      'node.info',
      { 'content-type': 'application/json', accept: 'application/cbor' },
      '{}',
    )
    expect(decode(answer.body)).toMatchObject({ node: api.node })
  })

  test('refuses an oversized body, told or chunked', async () => {
    const body = new Uint8Array(apiLimits.bodyBytesMax + 1)
    expect((await post('node.info', { ...cbor, 'content-length': String(body.length) }, body)).status).toBe(
      413,
    )
    expect((await post('node.info', { ...cbor, 'transfer-encoding': 'chunked' }, body)).status).toBe(413)
  })

  test('cuts off a body that trickles', async () => {
    await using slow = await api.openHttp({ requestTimeoutMs: 200 })
    const socket = connect(slow.port, '127.0.0.1')
    const head = `POST /api/v1/node.info HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/cbor\r\ncontent-length: 9\r\n\r\n`
    let answered = ''
    socket.on('data', (part: Buffer) => {
      answered += part.toString()
    })
    socket.write(`${head}a`)
    await new Promise((resolve) => socket.once('close', resolve))
    expect(answered).toMatch(/^HTTP\/1\.1 (408|499) /)
  })

  test('refuses other methods and paths', async () => {
    expect((await get('/api/v1/node.info')).status).toBe(400)
    expect((await get('/api/v2/node.info')).status).toBe(404)
    expect((await get(`/.well-known/onehop/${'A'.repeat(64)}`)).status).toBe(404)
  })

  test('live queries point to the WebSocket', async () => {
    const answer = await post(
      'live.open',
      { ...cbor, accept: 'application/json' },
      encode({ of: 'feed', owner, app: 'a', name: '' }),
    )
    expect(failureOf(answer)).toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('a configured site may ask beforehand, another may not', async () => {
    const ask = (origin: string): Promise<RawAnswer> =>
      rawRequest({ port: http.port, path: '/api/v1/node.info', method: 'OPTIONS', headers: { origin } })
    expect(await ask(partner)).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': partner },
    })
    expect((await ask('https://evil.example')).status).toBe(403)
  })
})

describe('the replica set of an identity', () => {
  const path = `/.well-known/onehop/${toHex(owner)}`

  test('as it travels, and as JSON', async () => {
    expect(new Uint8Array((await get(path, { accept: 'application/cbor' })).body)).toEqual(replicaSet)
    expect(failureOf(await get(path))).toEqual({ replicaSet: '010203', source: 'local', heard: [], gone: [] })
  })

  test('nobody has one', async () => {
    expect((await get(`/.well-known/onehop/${'ab'.repeat(32)}`)).status).toBe(404)
  })
})

describe('pages', () => {
  test('come with a policy, their type and a tag', async () => {
    const page = await get('/phone/')
    expect([page.status, page.body.toString()]).toEqual([200, '<!doctype html>phone'])
    expect(page.headers['content-security-policy']).toContain("script-src 'self'")
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    const again = await get('/phone/', { 'if-none-match': String(page.headers.etag) })
    expect([again.status, again.body.length]).toEqual([304, 0])
  })

  test('keep what never changes', async () => {
    const script = await get('/phone/app-ABCD1234.js')
    expect(script.headers['cache-control']).toContain('immutable')
    expect((await get('/phone/')).headers['cache-control']).toBe('no-cache')
  })

  test.each([
    '/phone/../../secret.txt',
    '/phone/%2e%2e/%2e%2e/secret.txt',
    '/phone/..%2f..%2fsecret.txt',
    '/phone/.hidden.txt',
    '/phone/link.txt',
    '/phone//index.html',
    '/phone/none.js',
    '/phone/index.html/x.js',
    '/dashboard/',
  ])('nothing else: %s', async (path) => {
    const socket = connect(http.port, '127.0.0.1')
    let answered = ''
    socket.on('data', (part: Buffer) => {
      answered += part.toString()
    })
    socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`)
    await new Promise((resolve) => socket.once('close', resolve))
    expect(answered).toMatch(/^HTTP\/1\.1 404 /)
    expect(answered).not.toContain('secret')
  })
})

describe('the WebSocket upgrade', () => {
  test.each([
    ['a rebinding host', { host: 'evil.example' }, 403],
    ['a page of another site', { origin: 'https://evil.example' }, 403],
    ['an unknown token', { authorization: `Bearer ${'0'.repeat(64)}` }, 401],
  ])('refuses %s', async (_what, headers, status) => {
    await expect(socketClient(http.port, { headers })).rejects.toThrow(`status ${status}`)
  })

  test('takes a session and the admin token from its header', async () => {
    const token = await openSession(httpCaller(http.port))
    await using phone = await socketClient(http.port, { token })
    expect(await phone.call('schema.put', { schema: Uint8Array.of(1) })).toMatchObject({ app: 'demo' })
    await using admin = await socketClient(http.port, { token: adminToken })
    expect(await admin.call('admin.config', {})).toEqual({ settings: [] })
  })
})

test('a request without a Host header is refused', async () => {
  const socket = connect(http.port, '127.0.0.1')
  let answered = ''
  socket.on('data', (part: Buffer) => {
    answered += part.toString()
  })
  socket.write('GET /phone/ HTTP/1.0\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  expect(answered).toMatch(/^HTTP\/1\.1 403 /)
})

test('closing ends live queries and connections, and then nobody listens', async () => {
  const node = createApiNode()
  const server = await node.openHttp()
  const client = await socketClient(server.port)
  await client.open('live.open', { of: 'feed', owner, app: 'a', name: '' }).frames.next()
  await server.close()
  await client.closed
  expect(node.opened[0]?.signal.aborted).toBe(true)
  await expect(httpCaller(server.port)('node.info', {})).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a port that is taken is named', async () => {
  const attempt = openHttpServer({
    host: '127.0.0.1',
    port: http.port,
    rules: { hosts: [], origins: [] },
    dispatch: api.dispatch,
    leave: api.leave,
    sessions: api.sessions,
    signedRequests: api.signedRequests,
    appTokens: noAppTokens,
    adminToken,
    pages: undefined,
    clock: systemClock,
    log: silentLog,
  })
  await expect(attempt).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringContaining(String(http.port)),
  })
})
