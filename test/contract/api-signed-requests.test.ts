import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HttpServer } from '../../daemon/api/http.ts'
import { systemClock } from '../../daemon/clock.ts'
import { signRequest } from '../../protocol/api/http-signature.ts'
import type { SignatureClaim } from '../../protocol/api/http-signature.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { emptyBytes } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'
import { rawRequest, socketClient } from '../support/api-client.ts'
import type { RawAnswer } from '../support/api-client.ts'
import { adminToken, createApiNode, device, owner, strangerDevice, testCrypto } from '../support/api-node.ts'

const api = createApiNode()
let http: HttpServer

beforeAll(async () => {
  http = await api.openHttp()
})
afterAll(() => http.close())

const nowS = (): number => Math.floor(Date.now() / 1000)
let nonces = 0

interface Signing {
  readonly method?: string
  readonly authority?: string
  readonly path?: string
  readonly query?: string
  readonly body?: Uint8Array
  readonly claim?: Partial<SignatureClaim>
  readonly by?: DeviceSecrets
}

const schemaPut = '/api/v1/schema.put'
const goodBody = encode({ schema: Uint8Array.of(1) })

/** Fields for a request to the node; signed for something else where `signing` says so. */
function fieldsOf({ body = goodBody, claim, by = device, ...target }: Signing = {}): Record<string, string> {
  const request = {
    method: 'POST',
    authority: `127.0.0.1:${http.port}`,
    path: schemaPut,
    query: '',
    ...target,
  }
  const claimed = { owner, device: by.key, createdS: nowS(), nonce: `nonce-for-test-${++nonces}`, ...claim }
  return signRequest(testCrypto, request, body, claimed, by.seed)
}

interface Sending {
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array | undefined
  readonly path?: string
  readonly method?: string
  readonly port?: number
}

function send(fields: Record<string, string>, sending: Sending = {}): Promise<RawAnswer> {
  const { headers, body = goodBody, path = schemaPut, method = 'POST', port = http.port } = sending
  return rawRequest({
    port,
    path,
    method,
    headers: { 'content-type': 'application/cbor', accept: 'application/json', ...fields, ...headers },
    ...(method === 'POST' ? { body } : {}),
  })
}

function outcomeOf(answer: RawAnswer): { code: string; message: string; help: string } {
  const value = JSON.parse(answer.body.toString()) as { code?: string; message?: string; help?: string }
  return { code: value.code ?? 'none', message: value.message ?? '', help: value.help ?? '' }
}

const without = (fields: Record<string, string>, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name))
const changed = (
  fields: Record<string, string>,
  from: string | RegExp,
  to: string,
): Record<string, string> => {
  const input = fields['signature-input'] as string
  const other = input.replace(from, to)
  expect(other).not.toBe(input)
  return { ...fields, 'signature-input': other }
}

describe('a request signed by a device of a hosted identity', () => {
  test('is answered as a session of that device would be', async () => {
    expect(outcomeOf(await send(fieldsOf())).code).toBe('none')
    expect((await send({})).status).toBe(401)
  })

  test('may name the node that it is for', async () => {
    expect(outcomeOf(await send(fieldsOf({ claim: { node: api.node } }))).code).toBe('none')
  })

  test('may cover a query, though nothing here reads one', async () => {
    const answer = await send(fieldsOf({ query: '?x=%2f' }), { path: `${schemaPut}?x=%2f` })
    expect(outcomeOf(answer).code).toBe('none')
  })

  test('without a body, on a path that anybody may read', async () => {
    const fields = fieldsOf({ method: 'GET', path: '/', body: emptyBytes })
    expect((await send(fields, { method: 'GET', path: '/' })).status).toBe(302)
  })

  test('does no administration', async () => {
    const body = encode({})
    const fields = fieldsOf({ path: '/api/v1/admin.config', body })
    expect(outcomeOf(await send(fields, { path: '/api/v1/admin.config', body })).code).toBe('FORBIDDEN')
  })

  test('may be dated a little ahead', async () => {
    const fields = fieldsOf({ claim: { createdS: nowS() + apiLimits.signatureAheadS - 1 } })
    expect(outcomeOf(await send(fields)).code).toBe('none')
  })

  test('opens a WebSocket that speaks for the device', async () => {
    const fields = fieldsOf({ method: 'GET', path: '/api/v1/socket', body: emptyBytes })
    await using socket = await socketClient(http.port, { headers: fields })
    expect(await socket.call('schema.put', { schema: Uint8Array.of(1) })).toMatchObject({ app: 'demo' })
    await expect(socketClient(http.port, { headers: fields })).rejects.toThrow('status 401')
  })
})

type Attempt = () => Promise<RawAnswer>
/** Attempt, code, and a part of what the refusal says. */
const refusals: Readonly<Record<string, readonly [Attempt, string, RegExp]>> = {
  'no Signature': [() => send(without(fieldsOf(), 'signature')), 'UNAUTHENTICATED', /no signature field/],
  'no Signature-Input': [
    () => send(without(fieldsOf(), 'signature-input')),
    'UNAUTHENTICATED',
    /no signature-input field/,
  ],
  'a signature by another key': [
    () => send({ ...fieldsOf(), signature: fieldsOf({ by: strangerDevice })['signature'] as string }),
    'UNAUTHENTICATED',
    /did not sign/,
  ],
  'a key that the identity never admitted': [
    () => send(fieldsOf({ by: strangerDevice })),
    'FORBIDDEN',
    /not a device/,
  ],
  "a device's key under another identity": [
    () => send(fieldsOf({ claim: { owner: new Uint8Array(32).fill(2) } })),
    'UNKNOWN_IDENTITY',
    /not hosted/,
  ],
  'the same request again': [
    async () => {
      const fields = fieldsOf()
      expect(outcomeOf(await send(fields)).code).toBe('none')
      return send(fields)
    },
    'UNAUTHENTICATED',
    /answered already/,
  ],
  'a nonce again with another time': [
    async () => {
      const nonce = 'the-same-nonce-twice'
      expect(outcomeOf(await send(fieldsOf({ claim: { nonce } }))).code).toBe('none')
      return send(fieldsOf({ claim: { nonce, createdS: nowS() + 1 } }))
    },
    'UNAUTHENTICATED',
    /answered already/,
  ],
  expired: [
    () => send(fieldsOf({ claim: { createdS: nowS() - apiLimits.signatureWindowS - 2 } })),
    'UNAUTHENTICATED',
    /s ago, and is good for 60: here it is \d{4}-\d\d-\d\dT/,
  ],
  'from a clock that is fast': [
    () => send(fieldsOf({ claim: { createdS: nowS() + 600 } })),
    'UNAUTHENTICATED',
    /s from now, where 10 are allowed: here it is /,
  ],
  'for another node': [
    () => send(fieldsOf({ claim: { node: owner } })),
    'UNAUTHENTICATED',
    /for another node/,
  ],
  'another path': [() => send(fieldsOf({ path: '/api/v1/view.get' })), 'UNAUTHENTICATED', /did not sign/],
  'another method': [() => send(fieldsOf({ method: 'PUT' })), 'UNAUTHENTICATED', /did not sign/],
  'a query that was added': [
    () => send(fieldsOf(), { path: `${schemaPut}?admin=1` }),
    'UNAUTHENTICATED',
    /did not sign/,
  ],
  'a query that was taken out': [() => send(fieldsOf({ query: '?a' })), 'UNAUTHENTICATED', /did not sign/],
  'another authority': [
    () => send(fieldsOf(), { headers: { host: `localhost:${http.port}` } }),
    'UNAUTHENTICATED',
    /did not sign/,
  ],
  'another body': [
    () => send(fieldsOf(), { body: encode({ schema: Uint8Array.of(2) }) }),
    'UNAUTHENTICATED',
    /SHA-256 of the body/,
  ],
  'another body with its digest': [
    () => {
      const body = encode({ schema: Uint8Array.of(2) })
      return send(
        { ...fieldsOf(), 'content-digest': fieldsOf({ body })['content-digest'] as string },
        { body },
      )
    },
    'UNAUTHENTICATED',
    /did not sign/,
  ],
  'a body that was added': [
    () => send(fieldsOf({ body: emptyBytes })),
    'UNAUTHENTICATED',
    /does not cover "content-digest"/,
  ],
  'a component that is not covered': [
    () => send(changed(fieldsOf(), '"@query" ', '')),
    'UNAUTHENTICATED',
    /does not cover "@query"/,
  ],
  'a parameter twice': [
    () => send(changed(fieldsOf(), ';alg=', `;created=${nowS()};alg=`)),
    'UNAUTHENTICATED',
    /something twice/,
  ],
  'two signatures': [
    () => send(changed(fieldsOf(), /$/, ', proxy=("@method");created=1')),
    'UNAUTHENTICATED',
    /one signature/,
  ],
  'a token beside the signature': [
    () => send(fieldsOf(), { headers: { authorization: `Bearer ${adminToken}` } }),
    'UNAUTHENTICATED',
    /one of them/,
  ],
}

describe('refused, and never answered as a stranger', () => {
  test.each(Object.entries(refusals))('%s', async (_name, [attempt, code, says]) => {
    const answer = outcomeOf(await attempt())
    expect([answer.code, answer.message]).toEqual([code, expect.stringMatching(says)])
  })

  test('also by an operation that asks nothing of its callers, and on a page', async () => {
    const fields = fieldsOf({ path: '/api/v1/node.info', body: encode({}) })
    const expired = { createdS: nowS() - 3600 }
    expect((await send(fields, { path: '/api/v1/node.info', body: encode({ a: 1 }) })).status).toBe(401)
    const page = fieldsOf({ method: 'GET', path: '/', body: emptyBytes, claim: expired })
    expect((await send(page, { method: 'GET', path: '/' })).status).toBe(401)
  })

  test('says how to mend a clock', async () => {
    const answer = outcomeOf(await send(fieldsOf({ claim: { createdS: nowS() - 900 } })))
    expect(answer.help).toMatch(/node\.info/)
  })

  test('a Host or an Origin that is not ours, before anything is looked at', async () => {
    const fields = fieldsOf({ authority: 'evil.example' })
    expect(outcomeOf(await send(fields, { headers: { host: 'evil.example' } })).code).toBe('FORBIDDEN')
    expect(outcomeOf(await send(fieldsOf(), { headers: { origin: 'https://evil.example' } })).code).toBe(
      'FORBIDDEN',
    )
  })

  test('a body over the limit, without reading it', async () => {
    const fields = fieldsOf()
    const answer = await send(fields, { body: new Uint8Array(apiLimits.bodyBytesMax + 1) })
    expect(outcomeOf(answer).code).toBe('TOO_LARGE')
  })

  test('a device that was revoked', async () => {
    const other = createApiNode()
    await using server = await other.openHttp()
    const authority = `127.0.0.1:${server.port}`
    const ask = (): Promise<RawAnswer> => send(fieldsOf({ authority }), { port: server.port })
    expect(outcomeOf(await ask()).code).toBe('none')
    other.revoke(device.key)
    expect(outcomeOf(await ask()).code).toBe('REVOKED')
  })
})

test('a node that has just started remembers nothing, and takes no signature from before', async () => {
  await using server = await createApiNode().openHttp()
  const signing = { authority: `127.0.0.1:${server.port}`, claim: { createdS: nowS() - 30 } }
  const answer = outcomeOf(await send(fieldsOf(signing), { port: server.port }))
  expect([answer.code, answer.message]).toEqual(['UNAUTHENTICATED', expect.stringContaining('remembers')])
})

test('a node whose clock is minutes off judges by it, and tells', async () => {
  const other = createApiNode({}, { ...systemClock, nowMs: () => Date.now() + 10 * 60_000 })
  await using server = await other.openHttp()
  const authority = `127.0.0.1:${server.port}`
  const ask = async (createdS: number): Promise<ReturnType<typeof outcomeOf>> =>
    outcomeOf(await send(fieldsOf({ authority, claim: { createdS } }), { port: server.port }))
  const { code, message } = await ask(nowS())
  expect(code).toBe('UNAUTHENTICATED')
  const told = Number(/\((\d+)\)$/.exec(message)?.[1])
  expect((await ask(told)).code).toBe('none')
})
