import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { defaultConfig } from '../../daemon/config.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { systemRandom } from '../../daemon/random.ts'
import { startDaemon, type Daemon } from '../../daemon/start.ts'
import { signAppGrant } from '../../protocol/api/app-token.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { createGroup, removeMember } from '../../protocol/identity/make-group.ts'
import type { IdentityState, MemberRole } from '../../protocol/identity/types.ts'
import { httpCaller, socketClient } from '../support/api-client.ts'
import { openSession, silentLog, type Caller } from '../support/api-node.ts'
import { Human } from '../support/crowd.ts'

let folder: string
let crypto: CryptoProvider
let daemon: Daemon
/** Ada lives here and founded the club; Ben writes in it, Cleo reads, Dan is in none; they live elsewhere. */
let [ada, ben, cleo, dan]: Human[] = []
let club: IdentityState

const portOf = (): number => Number(new URL(daemon.local).port)
const people = (id: Uint8Array): IdentityState | undefined =>
  [ada, ben, cleo, dan].find((one) => one !== undefined && Buffer.compare(one.id, id) === 0)?.state

async function start(): Promise<void> {
  const base = defaultConfig({ XDG_STATE_HOME: folder })
  const network = { ...base.network, mdns: false, bootstrap: [], allowDial: [] }
  const listen = { host: '127.0.0.1', tcp: 0, websocket: 0, http: 0 }
  const config = { ...base, state: join(folder, 'state'), listen, network }
  daemon = await startDaemon({ config, version: 'test', log: silentLog })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onehop-members-'))
  crypto = await loadCrypto({ random: systemRandom })
  await start()
  ;[ada, ben, cleo, dan] = Array.from({ length: 4 }, () => new Human(crypto))
  const admin = httpCaller(portOf(), daemon.adminToken)
  await admin('admin.host.add', { hosts: [{ log: encodeLog(who(ada).state.entries) }] })
  await admin('schema.put', { schema: microblog.bytes })
  const named: { identity: Uint8Array; role: MemberRole }[] = [
    { identity: who(ben).id, role: 'writer' },
    { identity: who(cleo).id, role: 'reader' },
  ]
  club = createGroup(crypto, who(ada).signer, named, { people, isSealed: false }).state
  const logs = [ada, ben, cleo].map((one) => encodeLog(who(one).state.entries))
  const hosting = { identity: club.id, log: encodeLog(club.entries), people: logs }
  await (
    await session(ada)
  )('identity.host', hosting)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function who(one: Human | undefined): Human {
  if (one === undefined) throw new Error('nobody')
  return one
}

async function tokenOf(one: Human | undefined): Promise<string> {
  return openSession(httpCaller(portOf()), who(one).device, who(one).id)
}

async function session(one: Human | undefined): Promise<Caller> {
  return httpCaller(portOf(), await tokenOf(one))
}

async function code(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'ok',
    (error: unknown) => asOnehopError(error).code,
  )
}

const upload = (owner: Uint8Array) => ({
  owner,
  manifest: encodeManifest({ size: 3, chunks: [crypto.sha256(new Uint8Array(3))] }),
})

test('a member who lives elsewhere has a session where the group lives, for the group', async () => {
  const call = await session(ben)
  expect(await code(call('blob.begin', upload(club.id)))).toBe('ok')
  expect(await code(call('record.numbers', { owner: club.id, device: who(ben).device.key }))).toBe('ok')
  const reading = await session(cleo)
  expect(await code(reading('blob.begin', upload(club.id)))).toBe('FORBIDDEN')
  expect(await code(reading('record.numbers', { owner: club.id, device: who(ben).device.key }))).toBe(
    'FORBIDDEN',
  )
  expect(await code(tokenOf(dan))).toBe('NOT_HOSTED')
})

test('and for nothing else: it lives there no more than before', async () => {
  const call = await session(ben)
  const self = who(ben)
  const grant = {
    ...{ node: Buffer.from(daemon.node.id, 'hex'), id: crypto.random(32), identity: self.id },
    ...{ device: self.device.key, app: microblog.id, label: 'x', origin: undefined },
    ...{ scopes: [{ collection: undefined, access: 'read' as const }], expiresMs: Date.now() + 3_600_000 },
  }
  const asked = [
    call('schema.put', { schema: microblog.bytes }),
    call('token.grant', { grant: signAppGrant(crypto, grant, self.device.seed) }),
    call('placement.propose', { owners: [self.id] }),
    call('identity.host', { identity: club.id, log: encodeLog(club.entries), people: [] }),
  ]
  for (const attempt of asked) expect(await code(attempt)).toBe('NOT_HOSTED')
  expect(await code(call('feed.list', { owner: who(ada).id, app: microblog.id, collection: 'posts' }))).toBe(
    'FORBIDDEN',
  )
  expect(await code(call('blob.begin', upload(who(ada).id)))).toBe('FORBIDDEN')
})

test('after a restart too, and no more from the moment they are put out', async () => {
  await daemon[Symbol.asyncDispose]()
  await start()
  const token = await tokenOf(ben)
  await using socket = await socketClient(portOf(), { token })
  expect(await code(socket.call('blob.begin', upload(club.id)))).toBe('ok')
  const out = removeMember(crypto, club, who(ada).signer, who(ben).id, { numbers: [], people }).entry
  const home = await session(ada)
  await home('identity.append', { identity: club.id, log: encodeLog([out]) })
  expect(append(crypto, club, [out], people).members.size).toBe(2)
  await socket.closed
  expect(await code(httpCaller(portOf(), token)('blob.begin', upload(club.id)))).toBe('NOT_HOSTED')
  expect(await code(tokenOf(ben))).toBe('NOT_HOSTED')
})
