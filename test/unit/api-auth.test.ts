import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  bearerToken,
  identifyCaller,
  identifySession,
  isFromHere,
  openAdminToken,
} from '../../daemon/api/auth.ts'
import { serverLimits } from '../../daemon/api/limits.ts'
import { createSessions } from '../../daemon/api/sessions.ts'
import type { Call } from '../../daemon/api/operations.ts'
import { signSession, verifySession } from '../../protocol/api/session.ts'
import { toHex } from '../../protocol/bytes.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { device, owner, testCrypto } from '../support/api-node.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const random = createSeededRandom(5)
const admin = 'ab'.repeat(32)
const none = { find: () => undefined }

describe('who calls', () => {
  test('nobody known, without a token', () => {
    expect(identifyCaller(undefined, true, none, admin)).toEqual({ kind: 'anyone' })
  })

  test('the administrator, on this machine only', () => {
    expect(identifyCaller(admin, true, none, admin)).toEqual({ kind: 'admin' })
    expect(() => identifyCaller(admin, false, none, admin)).toThrowError(/on this machine only/)
  })

  test('the device that opened the session, by its token', () => {
    const sessions = { find: (token: string) => (token === 'ef' ? { owner, device: device.key } : undefined) }
    const found = { kind: 'session', owner, device: device.key }
    expect(identifyCaller('ef', true, sessions, admin)).toEqual(found)
    expect(identifySession('ef', sessions)).toEqual(found)
    expect(() => identifySession('cd', sessions)).toThrowError(/no longer/)
  })

  test('a token that is no longer good is refused, not taken for none', () => {
    expect(() => identifyCaller('cd'.repeat(32), true, none, admin)).toThrowError(/no longer/)
  })

  test.each([
    ['127.0.0.1', true],
    ['127.3.0.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:10.0.0.1', false],
    ['10.0.0.1', false],
    ['127.0.0.1.evil.example', false],
    ['1270.0.0.1', false],
    [undefined, false],
  ])('%s is this machine: %s', (address, expected) => {
    expect(isFromHere({ socket: { remoteAddress: address }, headers: {} })).toBe(expected)
  })

  test.each([
    [{ host: '127.0.0.1', accept: '*/*', 'x-requested-with': 'a page' }, true],
    [{ host: '127.0.0.1', via: '1.1 cache' }, false],
    [{ host: '127.0.0.1', 'x-forwarded-proto': 'https' }, false],
  ])('%j comes from a program of this machine: %s', (headers, expected) => {
    expect(isFromHere({ socket: { remoteAddress: '127.0.0.1' }, headers })).toBe(expected)
  })

  test.each(['Bearer', 'Bearer xyz', `Basic ${admin}`, `Bearer ${admin} `, `Bearer ${admin}${admin}`])(
    'no bearer token: %s',
    (header) => {
      expect(() => bearerToken(header)).toThrowError(/bearer/)
    },
  )

  test('a bearer token, in either case', () => {
    expect(bearerToken(`bearer ${admin.toUpperCase()}`)).toBe(admin)
    expect(bearerToken(undefined)).toBeUndefined()
  })
})

describe('the admin token', () => {
  test('is made once, readable by its owner alone, and mended when somebody widened it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'onehop-token-'))
    const path = join(folder, 'admin-token')
    const token = await openAdminToken(path, random)
    expect(token).toMatch(/^[0-9a-f]{64}$/)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await chmod(path, 0o644)
    expect(await openAdminToken(path, random)).toBe(token)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await writeFile(path, 'short')
    await expect(openAdminToken(path, random)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await rm(folder, { recursive: true })
  })

  test('says so when it cannot be read, and makes no other in its place', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'onehop-token-'))
    // Nobody reads a folder as a file, root neither.
    await expect(openAdminToken(folder, random)).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
      message: expect.stringContaining('cannot read'),
    })
    await rm(folder, { recursive: true })
  })

  test('says so when its folder is missing', async () => {
    const attempt = openAdminToken(join(tmpdir(), 'onehop-none', 'x', 'token'), random)
    await expect(attempt).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
  })
})

describe('session proofs', () => {
  const claim = { node: random.bytes(32), nonce: random.bytes(32), owner, device: device.key, expiresMs: 5 }
  const signature = signSession(testCrypto, claim, device.seed)

  test('verify for exactly what was signed', () => {
    expect(verifySession(testCrypto, claim, signature)).toBe(true)
    const others = [
      { ...claim, node: random.bytes(32) },
      { ...claim, nonce: random.bytes(32) },
      { ...claim, owner: random.bytes(32) },
      { ...claim, expiresMs: 6 },
    ]
    for (const other of others) expect(verifySession(testCrypto, other, signature)).toBe(false)
  })
})

describe('sessions', () => {
  function open() {
    const clock = createVirtualClock()
    const node = random.bytes(32)
    const admit = (of: Uint8Array) => (of === owner ? 'resident' : 'visitor')
    const sessions = createSessions({ crypto: testCrypto, clock, random, node, admit })
    const call: Call = {
      caller: { kind: 'anyone' },
      token: undefined,
      signal: new AbortController().signal,
      bind: () => undefined,
    }
    const challenge = () => sessions.operations['session.challenge']({ owner, device: device.key }, call)
    const answer = async (given: Awaited<ReturnType<typeof challenge>>): Promise<string> => {
      if (given instanceof Uint8Array) throw new Error('encoded')
      const { nonce, expiresMs } = given
      const signature = signSession(
        testCrypto,
        { node, nonce, owner, device: device.key, expiresMs },
        device.seed,
      )
      const opened = await sessions.operations['session.open'](
        { owner, device: device.key, nonce, expiresMs, signature },
        call,
      )
      if (opened instanceof Uint8Array) throw new Error('encoded')
      return toHex(opened.token)
    }
    return { clock, sessions, challenge, answer }
  }

  test('end by themselves', async () => {
    const { clock, sessions, challenge, answer } = open()
    const token = await answer(await challenge())
    await clock.advance(serverLimits.sessionLifetimeMs - 1)
    expect(sessions.find(token)).toEqual({ owner, device: device.key })
    await clock.advance(1)
    expect(sessions.find(token)).toBeUndefined()
  })

  test('do not last longer because the clock was set back', async () => {
    const { clock, sessions, challenge, answer } = open()
    const token = await answer(await challenge())
    clock.jump(-10 * 3_600_000)
    await clock.advance(serverLimits.sessionLifetimeMs)
    expect(sessions.find(token)).toBeUndefined()
  })

  test('cannot be opened by an old challenge', async () => {
    const { clock, challenge, answer } = open()
    const given = await challenge()
    await clock.advance(serverLimits.challengeLifetimeMs + 1)
    await expect(answer(given)).rejects.toMatchObject({ code: 'EXPIRED' })
  })

  test('of visitors leave room for who lives here, and end in time', async () => {
    const { clock, sessions } = open()
    const visit = () => toHex(sessions.begin(random.bytes(32), random.bytes(32)))
    for (let i = 0; i < serverLimits.visitorSessionsMax; i++) visit()
    expect(visit).toThrow(expect.objectContaining({ code: 'BUSY' }))
    for (let i = serverLimits.visitorSessionsMax; i < serverLimits.sessionsMax; i++)
      expect(sessions.find(toHex(sessions.begin(owner, random.bytes(32))))).toBeDefined()
    expect(() => sessions.begin(owner, device.key)).toThrow(expect.objectContaining({ code: 'BUSY' }))
    await clock.advance(serverLimits.sessionLifetimeMs)
    expect(sessions.find(visit())).toBeDefined()
  })

  test('of one device are bounded: the oldest makes way', async () => {
    const { sessions, challenge, answer } = open()
    const tokens: string[] = []
    for (let i = 0; i <= serverLimits.sessionsPerDeviceMax; i++) tokens.push(await answer(await challenge()))
    expect(sessions.find(tokens[0] as string)).toBeUndefined()
    expect(sessions.find(tokens[1] as string)).toBeDefined()
  })
})
