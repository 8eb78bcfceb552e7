import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { defaultConfig } from '../../daemon/config.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { systemRandom } from '../../daemon/random.ts'
import { startDaemon, type Daemon } from '../../daemon/start.ts'
import { signAppGrant, type AppGrant } from '../../protocol/api/app-token.ts'
import { isSubscription, operations, type OperationName } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { blindCollection } from '../../protocol/record/blind.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { httpCaller, rawRequest, socketClient } from '../support/api-client.ts'
import { openSession, silentLog, type Caller } from '../support/api-node.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'
import { until } from '../support/until.ts'

let folder: string
let crypto: CryptoProvider
let daemon: Daemon
let admin: Caller
let ada: SimPerson
let ben: SimPerson
/** A device of Ada's that is not one of her owners. */
let lent: DeviceSecrets
/** Another owner's device of hers. */
let phone: DeviceSecrets
/** Of her private collection, as it stands in headers. */
let notesName: string
let note: Uint8Array

const portOf = (): number => Number(new URL(daemon.local).port)
const nodeKey = (): Uint8Array => Buffer.from(daemon.node.id, 'hex')

async function start(): Promise<void> {
  const base = defaultConfig({ XDG_STATE_HOME: folder })
  const config = {
    ...base,
    state: join(folder, 'state'),
    listen: { host: '127.0.0.1', tcp: 0, websocket: 0, http: 0 },
    network: { ...base.network, mdns: false, bootstrap: [], allowDial: [] },
  }
  daemon = await startDaemon({ config, version: 'test', log: silentLog })
  admin = httpCaller(portOf(), daemon.adminToken)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onehop-tokens-'))
  crypto = await loadCrypto({ random: systemRandom })
  await start()
  ada = createSimPerson(crypto)
  ben = createSimPerson(crypto)
  lent = deviceFromSeed(crypto, crypto.random(32))
  const state = stateOf(ada.log)
  const admission = {
    ...{ key: lent.key, boxKey: lent.boxKey, role: 'app' as const, probation: false },
    capabilities: [],
  }
  const entry = addDevice(crypto, state, ada.owning, admission, provePossession(crypto, state.id, lent))
  phone = deviceFromSeed(crypto, crypto.random(32))
  const grown = append(crypto, state, [entry])
  const second = addDevice(
    ...([crypto, grown, ada.owning, ownerAdmission(phone, false)] as const),
    provePossession(crypto, state.id, phone),
  )
  const log = encodeLog(append(crypto, grown, [second]).entries)
  await admin('admin.host.add', { hosts: [{ log }, { log: ben.log }] })
  await admin('schema.put', { schema: microblog.bytes })
  notesName = blindCollection(crypto, crypto.random(32), microblog.id, 'notes')
  note = noteNumber(1)
  const { results } = await admin('record.put', { records: [note] })
  expect(results[0]).toMatchObject({ outcome: 'stored' })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** Sealed for Ada's own devices. */
function noteNumber(number: number): Uint8Array {
  const sealing = { epoch: 1, key: crypto.random(32) }
  const record = signRecord(
    crypto,
    {
      ...{ owner: ada.owner, author: ada.owner, app: microblog.id, collection: notesName },
      ...{ key: crypto.random(32), merge: 'register', number, clock: clockOf(Date.now()), operation: 'put' },
      ...{ schema: microblog.hash, expiresMs: undefined },
      sections: [{ audience: 'private', heights: {}, fields: { text: 'for me alone' }, sealing }],
    },
    ada.owning.seed,
  )
  return encodeRecord(record)
}

function stateOf(log: Uint8Array): IdentityState {
  return replay(crypto, decodeLog(crypto, log))
}

async function sessionOf(owner: Uint8Array, device: DeviceSecrets): Promise<Caller> {
  return httpCaller(portOf(), await openSession(httpCaller(portOf()), device, owner))
}

function grantOf(changes: Partial<AppGrant> = {}, by = ada.owning): Uint8Array {
  const grant: AppGrant = {
    node: nodeKey(),
    id: crypto.random(32),
    identity: ada.owner,
    device: by.key,
    app: microblog.id,
    label: 'Reader',
    origin: undefined,
    scopes: [{ collection: notesName, access: 'read' }],
    expiresMs: Date.now() + 3_600_000,
    ...changes,
  }
  return signAppGrant(crypto, grant, by.seed)
}

interface Held {
  readonly id: Uint8Array
  readonly token: string
  readonly call: Caller
}

/** A token that Ada granted. */
async function tokenFor(changes: Partial<AppGrant> = {}): Promise<Held> {
  const session = await sessionOf(ada.owner, ada.owning)
  const { id, token } = await session('token.grant', { grant: grantOf(changes) })
  return { id, token: toHex(token), call: httpCaller(portOf(), toHex(token)) }
}

async function refusal(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'none',
    (error: unknown) => `${asOnehopError(error).code}: ${asOnehopError(error).message}`,
  )
}

const notes = () => ({ owner: ada.owner, app: microblog.id, collection: notesName })
const posts = () => ({ ...notes(), collection: 'posts' })

describe('a token that a person granted', () => {
  test('reads what it is for, as the person would', async () => {
    const { call } = await tokenFor()
    const { records } = await call('record.list', notes())
    expect(records.map(toHex)).toEqual([toHex(note)])
    const stranger = await httpCaller(portOf())('record.list', notes())
    expect(stranger.records.map(toHex)).not.toEqual([toHex(note)])
  })

  test('reads nothing else of that person, and of others what anybody may', async () => {
    const { call } = await tokenFor()
    expect(await refusal(call('record.list', posts()))).toMatch(/^FORBIDDEN: .*not granted/)
    expect(await refusal(call('record.list', { ...notes(), app: 'another.app' }))).toMatch(/^FORBIDDEN/)
    expect(await refusal(call('feed.list', posts()))).toMatch(/^FORBIDDEN/)
    expect(await refusal(call('feed.list', { ...notes(), owner: ben.owner }))).toMatch(/^FORBIDDEN/)
    expect((await call('record.list', { ...notes(), owner: ben.owner })).records).toEqual([])
    expect(await call('node.info', {})).toMatchObject({ node: Uint8Array.from(nodeKey()) })
  })

  test('a view needs every collection that it shows', async () => {
    const view = { owner: ada.owner, app: microblog.id, view: 'person' }
    const read = (...collections: string[]) => ({
      scopes: collections.map((collection) => ({ collection, access: 'read' as const })),
    })
    const some = await tokenFor(read('posts', 'follows'))
    expect(await refusal(some.call('view.get', view))).toMatch(/^FORBIDDEN/)
    const all = await tokenFor(read('posts', 'follows', 'profile'))
    expect(await refusal(all.call('view.get', view))).toBe('none')
    const whole = await tokenFor({ scopes: [{ collection: undefined, access: 'read' }] })
    expect(await refusal(whole.call('view.get', view))).toBe('none')
    expect(await refusal(whole.call('feed.list', posts()))).toBe('none')
  })

  test('uploads and puts schemas of its app with leave to write alone', async () => {
    const reading = await tokenFor({ scopes: [{ collection: undefined, access: 'read' }] })
    const writing = await tokenFor({ scopes: [{ collection: 'posts', access: 'write' }] })
    const elsewhere = await tokenFor({
      app: 'another.app',
      scopes: [{ collection: 'posts', access: 'write' }],
    })
    const schema = { schema: microblog.bytes }
    expect(await refusal(reading.call('schema.put', schema))).toMatch(/^FORBIDDEN/)
    expect(await refusal(elsewhere.call('schema.put', schema))).toMatch(/^FORBIDDEN/)
    expect(await refusal(writing.call('schema.put', schema))).toBe('none')
    const manifest = { owner: ada.owner, manifest: Uint8Array.of(1) }
    expect(await refusal(reading.call('blob.begin', manifest))).toMatch(/^FORBIDDEN/)
    expect(await refusal(writing.call('blob.begin', manifest))).not.toMatch(/^(FORBIDDEN|UNAUTHENTICATED)/)
  })

  test.each(
    (Object.keys(operations) as OperationName[]).filter(
      (name) => ['session', 'admin'].includes(operations[name].rule) && !isSubscription(name),
    ),
  )('%s: no more than its scope, whatever it is asked', async (operation) => {
    const { call } = await tokenFor({ scopes: [{ collection: notesName, access: 'read' }] })
    const staged = { owner: ada.owner, upload: note.slice(0, 32) }
    const requests: Partial<Record<OperationName, object>> = {
      'schema.put': { schema: microblog.bytes },
      'feed.list': posts(),
      'follower.list': { owner: ada.owner, app: microblog.id },
      'blob.begin': { owner: ada.owner, manifest: Uint8Array.of(1) },
      'blob.put': { owner: ada.owner, blob: note.slice(0, 32), index: 0, chunk: Uint8Array.of(1) },
      'blob.stage': { ...staged, index: 0, chunk: Uint8Array.of(1) },
      'blob.commit': { ...staged, manifest: Uint8Array.of(1) },
      'blob.drop': staged,
      'record.numbers': { owner: ada.owner, device: note.slice(0, 32) },
      'record.shards': { owner: ada.owner, device: note.slice(0, 32) },
      'identity.groups': { owner: ada.owner },
      'identity.host': { identity: ada.owner, log: Uint8Array.of(1), people: [] },
      'placement.propose': { owners: [ada.owner] },
      'placement.guests': { owner: ada.owner },
      'token.grant': { grant: grantOf() },
      'token.revoke': { owner: ada.owner, id: note.slice(0, 32) },
    }
    const loose = call as (name: OperationName, request: object) => Promise<unknown>
    expect(await refusal(loose(operation, requests[operation] ?? {}))).toMatch(/^FORBIDDEN/)
  })

  test('is listed with what it may do, and shows when it was used', async () => {
    const { id, call } = await tokenFor({ label: 'Backup' })
    const session = await sessionOf(ada.owner, ada.owning)
    const mine = async () =>
      (await session('token.list', {})).tokens.find((one) => toHex(one.id) === toHex(id))
    expect(await mine()).toMatchObject({
      ...{ label: 'Backup', app: microblog.id, origin: null, revokedMs: null, usedMs: null },
      scopes: [{ collection: notesName, access: 'read' }],
    })
    await call('record.list', notes())
    expect((await mine())?.usedMs).toBeGreaterThan(0)
    const { tokens } = await admin('token.list', {})
    expect(tokens.map((one) => toHex(one.id))).toContain(toHex(id))
    expect((await (await sessionOf(ben.owner, ben.owning))('token.list', {})).tokens).toEqual([])
  })

  test('is worth nothing once it was revoked, by its person or the administrator', async () => {
    for (const who of [await sessionOf(ada.owner, ada.owning), admin]) {
      const { id, call } = await tokenFor()
      expect(await refusal(call('record.list', notes()))).toBe('none')
      expect(await who('token.revoke', { owner: ada.owner, id })).toEqual({ revoked: true })
      expect(await refusal(call('record.list', notes()))).toMatch(/^UNAUTHENTICATED: .*revoked/)
      expect(await refusal(call('node.info', {}))).toMatch(/^UNAUTHENTICATED: .*revoked/)
      expect(await who('token.revoke', { owner: ada.owner, id })).toEqual({ revoked: false })
    }
  })

  test('ends live queries when it is revoked', async () => {
    const { id, token } = await tokenFor()
    await using socket = await socketClient(portOf(), { token })
    const { frames } = socket.open('live.open', {
      ...{ of: 'list', owner: ada.owner, app: microblog.id, name: notesName },
    })
    expect((await frames.next()).value).toMatchObject({ kind: 'reply' })
    await admin('token.revoke', { owner: ada.owner, id })
    // Though nothing of it changed: the app is told, and its connection closed.
    expect((await socket.loose.next()).value).toMatchObject({
      kind: 'error',
      payload: { code: 'UNAUTHENTICATED' },
    })
    await socket.closed
  })

  test('is over when its time is', async () => {
    const { call } = await tokenFor({ expiresMs: Date.now() + 1_500 })
    expect(await refusal(call('record.list', notes()))).toBe('none')
    await until(async () => (await refusal(call('record.list', notes()))) !== 'none')
    expect(await refusal(call('record.list', notes()))).toMatch(/^UNAUTHENTICATED: .*over its time/)
  })

  test('is for pages of its site, which may then call, and for no other', async () => {
    const origin = 'https://reader.example'
    const ask = async (headers: Record<string, string>, method = 'POST') =>
      rawRequest({
        port: portOf(),
        path: '/api/v1/record.list',
        method,
        headers: { 'content-type': 'application/cbor', ...headers },
        ...(method === 'POST' ? { body: encode(notes()) } : {}),
      })
    expect((await ask({ origin }, 'OPTIONS')).status).toBe(403)
    const { id, token } = await tokenFor({ origin })
    const authorization = `Bearer ${token}`
    expect((await ask({ origin }, 'OPTIONS')).headers['access-control-allow-origin']).toBe(origin)
    expect((await ask({ origin, authorization })).status).toBe(200)
    expect((await ask({ authorization })).status).toBe(200)
    const own = `http://127.0.0.1:${portOf()}`
    expect((await ask({ origin: own, authorization })).status).toBe(403)
    await admin('token.revoke', { owner: ada.owner, id })
    expect((await ask({ origin, authorization })).status).toBe(403)
  })
})

describe('a grant is refused', () => {
  const attempts: Readonly<Record<string, readonly [() => Promise<unknown>, RegExp]>> = {
    'without a session': [
      () => httpCaller(portOf())('token.grant', { grant: grantOf() }),
      /^UNAUTHENTICATED/,
    ],
    'from a session of somebody else': [
      async () => (await sessionOf(ben.owner, ben.owning))('token.grant', { grant: grantOf() }),
      /^FORBIDDEN: .*does not speak/,
    ],
    "from a device that is not an owner's": [
      async () => (await sessionOf(ada.owner, lent))('token.grant', { grant: grantOf() }),
      /^FORBIDDEN: .*not one of the owner/,
    ],
    "signed by a device that is not an owner's": [
      () => admin('token.grant', { grant: grantOf({}, lent) }),
      /^FORBIDDEN: .*not one of the owner/,
    ],
    'signed by somebody else': [
      () => admin('token.grant', { grant: grantOf({}, ben.owning) }),
      /^FORBIDDEN: .*never admitted/,
    ],
    'with a signature that is not its device’s': [
      () =>
        admin('token.grant', {
          grant: grantOf({ device: ada.owning.key }, { ...ben.owning, key: ada.owning.key }),
        }),
      /^BAD_SIGNATURE/,
    ],
    'for another node': [() => admin('token.grant', { grant: grantOf({ node: ben.owner }) }), /^BAD_REQUEST/],
    'over its time': [() => admin('token.grant', { grant: grantOf({ expiresMs: 1 }) }), /^EXPIRED/],
    'for longer than a season': [
      () => admin('token.grant', { grant: grantOf({ expiresMs: Date.now() + 91 * 86_400_000 }) }),
      /^BAD_REQUEST: .*90 days/,
    ],
    'of somebody who does not live here': [
      () => admin('token.grant', { grant: grantOf({ identity: crypto.random(32) }) }),
      /^NOT_HOSTED/,
    ],
    'twice, also after it was revoked': [
      async () => {
        const grant = grantOf()
        const { id } = await admin('token.grant', { grant })
        expect(await refusal(admin('token.grant', { grant }))).toMatch(/already/)
        await admin('token.revoke', { owner: ada.owner, id })
        return admin('token.grant', { grant })
      },
      /^BAD_REQUEST: .*already/,
    ],
  }

  test.each(Object.entries(attempts))('%s', async (_name, [attempt, says]) => {
    expect(await refusal(attempt())).toMatch(says)
  })

  test('and nobody lists or revokes the tokens of another', async () => {
    const { id } = await tokenFor()
    for (const session of [await sessionOf(ben.owner, ben.owning), await sessionOf(ada.owner, lent)]) {
      expect(await refusal(session('token.list', { owner: ada.owner }))).toMatch(/^FORBIDDEN/)
      expect(await refusal(session('token.revoke', { owner: ada.owner, id }))).toMatch(/^FORBIDDEN/)
    }
  })
})

test('a restart ends no token and revives none; on the disk there is none to be found', async () => {
  const good = await tokenFor()
  const bad = await tokenFor()
  await admin('token.revoke', { owner: ada.owner, id: bad.id })
  await daemon[Symbol.asyncDispose]()
  const files = await readdir(join(folder, 'state'), { recursive: true, withFileTypes: true })
  for (const file of files) {
    if (!file.isFile()) continue
    const bytes = await readFile(join(file.parentPath, file.name))
    expect(bytes.includes(Buffer.from(good.token, 'hex')) || bytes.includes(good.token)).toBe(false)
  }
  await start()
  const list = (token: string) => httpCaller(portOf(), token)('record.list', notes())
  expect(await refusal(list(good.token))).toBe('none')
  expect(await refusal(list(bad.token))).toMatch(/revoked/)
})

test('a token ends with the device that granted it', async () => {
  const { token, id } = await admin('token.grant', { grant: grantOf({}, phone) })
  const list = () => httpCaller(portOf(), toHex(token))('record.list', notes())
  const refusedOf = async () => {
    const { tokens } = await admin('token.list', {})
    return tokens.find((one) => toHex(one.id) === toHex(id))?.refused
  }
  expect(await refusal(list())).toBe('none')
  expect(await refusedOf()).toBeNull()
  const { log } = await admin('identity.get', { identity: ada.owner })
  const state = stateOf(log)
  const { entry } = revokeDevice(crypto, state, ada.owning, phone.key, [])
  const longer = encodeLog(append(crypto, state, [entry]).entries)
  await admin('identity.append', { identity: ada.owner, log: longer })
  expect(await refusal(list())).toMatch(/^REVOKED/)
  // And is told as what it is to whoever looks, not as good.
  expect(await refusedOf()).toBe('REVOKED')
})
