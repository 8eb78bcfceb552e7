/** Who speaks for a person: challenges, sessions, requests signed one by one, tokens of apps. */
import assert from 'node:assert/strict'
import { microblog } from '../../client/microblog.ts'
import { identifyCaller } from '../../daemon/api/auth.ts'
import { signSession } from '../../protocol/api/session.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { addDevice, deviceFromSeed, ownerAdmission, provePossession } from '../../protocol/identity/make.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'
import { httpCaller, socketClient, type RawAnswer } from '../support/api-client.ts'
import { openSession, testCrypto as crypto, type Caller } from '../support/api-node.ts'
import type { House } from '../support/house.ts'
import { openStreet } from '../support/street.ts'
import { inHouse } from './in-house.ts'
import { refusal, type Scenario } from './scenario.ts'

const path = '/api/v1/schema.put'
const body = encode({ schema: microblog.bytes })
const posts = (owner: Uint8Array) => ({ owner, app: microblog.id, collection: 'posts' })

async function claimOf(call: Caller, { ada }: House, device: DeviceSecrets = ada.owning) {
  const { node, nonce, expiresMs } = await call('session.challenge', { owner: ada.owner, device: device.key })
  const who = { owner: ada.owner, device: device.key, nonce, expiresMs }
  return { ...who, signature: signSession(crypto, { node, ...who }, device.seed) }
}

function codeOf(answer: RawAnswer): unknown {
  return (JSON.parse(answer.body.toString()) as { code?: string }).code ?? 'none'
}

/** The honest request gets through, so that it is the change that is refused. */
async function changed(house: House, attempt: () => Promise<RawAnswer>): Promise<void> {
  assert.equal(codeOf(await house.post(path, house.sign(body), body)), 'none')
  assert.equal(codeOf(await attempt()), 'UNAUTHENTICATED')
}

export const sessionAttacks: readonly Scenario[] = [
  inHouse(
    'replayed-challenge',
    "the answer to a challenge is sent again, and to another's challenge",
    'a nonce serves once; it is bound to node, owner, device and time (UNAUTHENTICATED)',
    async (house) => {
      const claim = await claimOf(house.anyone, house)
      assert.equal(await refusal(house.anyone('session.open', claim)), 'none')
      assert.equal(await refusal(house.anyone('session.open', claim)), 'UNAUTHENTICATED')
      const of = { owner: house.ben.owner, device: house.ben.owning.key }
      const other = await house.anyone('session.challenge', of)
      const moved = { ...claim, nonce: other.nonce, expiresMs: other.expiresMs }
      assert.equal(await refusal(house.anyone('session.open', moved)), 'UNAUTHENTICATED')
    },
  ),
  inHouse(
    'relayed-challenge',
    "a node that Ada's phone talks to signs in with her answer at another node",
    'the claim names the node that asked; the other finds the signature wrong (BAD_SIGNATURE)',
    async (house) => {
      const { ada } = house
      const who = { owner: ada.owner, device: ada.owning.key }
      const { nonce, expiresMs } = await house.anyone('session.challenge', who)
      // What the phone signs for the node that relays: that node's own key.
      const relay = crypto.random(32)
      const signature = signSession(crypto, { node: relay, ...who, nonce, expiresMs }, ada.owning.seed)
      const opened = house.anyone('session.open', { ...who, nonce, expiresMs, signature })
      assert.equal(await refusal(opened), 'BAD_SIGNATURE')
    },
  ),
  inHouse(
    'session-of-revoked-device',
    'a stolen phone goes on with its session and the live query that it left open, and opens another session',
    'each call asks again whether the device belongs to the identity; open connections are told and cut (REVOKED)',
    async (house) => {
      const { ada } = house
      const session = await house.as(ada)
      const spare = await addSpare(house)
      const stolen = await house.as(ada, spare)
      assert.equal(await refusal(stolen('feed.list', posts(ada.owner))), 'none')
      await using socket = await socketClient(house.port)
      await openSession(socket.call, spare, ada.owner)
      const live = socket.open('live.open', {
        of: 'feed',
        name: 'posts',
        owner: ada.owner,
        app: microblog.id,
      }).frames
      assert.equal((await live.next()).value?.kind, 'reply')
      const claim = await claimOf(house.anyone, house, spare)
      await house.revoke(spare.key)
      // Nothing is written meanwhile: the connection ends by itself.
      await socket.closed
      assert.equal(await refusal(socket.call('node.info', {})), 'REVOKED')
      assert.equal(await refusal(stolen('feed.list', posts(ada.owner))), 'REVOKED')
      assert.equal(await refusal(house.anyone('session.open', claim)), 'REVOKED')
      assert.equal(await refusal(session('feed.list', posts(ada.owner))), 'none')
    },
  ),
  {
    name: 'expired-session',
    attack: 'a token found an hour later, and a challenge answered after its minute',
    stoppedBy:
      'sessions live an hour and challenges a minute, by the clock of the node (UNAUTHENTICATED, EXPIRED)',
    async run() {
      const { mesh, home, ada } = await openStreet()
      await using _ = mesh
      const { node } = home
      const who = { owner: ada.owner, device: ada.owning.key }
      const open = async (waitMs: number): Promise<string> => {
        const challenge = await mesh.wait(home.call('session.challenge', who))
        const { nonce, expiresMs } = challenge
        const signature = signSession(mesh.crypto, { ...challenge, ...who }, ada.owning.seed)
        await mesh.clock.advance(waitMs)
        const request = { ...who, nonce, expiresMs, signature }
        const { token } = await mesh.wait(home.call('session.open', request))
        return toHex(token)
      }
      const token = await open(50_000)
      const identify = () => identifyCaller(token, true, node.sessions, 'none')
      await mesh.clock.advance(50 * 60_000)
      assert.equal(identify().kind, 'session')
      await mesh.clock.advance(10 * 60_000)
      assert.throws(identify, { code: 'UNAUTHENTICATED' })
      assert.equal(await refusal(open(61_000)), 'EXPIRED')
    },
  },
  inHouse(
    'others-feed',
    "Ben, who lives at the same node, reads Ada's feed by his session; and a stranger by none",
    'feeds are answered to a session of their owner (FORBIDDEN, UNAUTHENTICATED)',
    async (house) => {
      const ben = await house.as(house.ben)
      assert.equal(await refusal(ben('feed.list', posts(house.ben.owner))), 'none')
      assert.equal(await refusal(ben('feed.list', posts(house.ada.owner))), 'FORBIDDEN')
      assert.equal(await refusal(house.anyone('feed.list', posts(house.ada.owner))), 'UNAUTHENTICATED')
    },
  ),
  inHouse(
    'app-token-beyond-scope',
    'an app that may read posts reads other collections and the feed, uploads, grants itself more',
    'a token is worth the scopes that its person signed (FORBIDDEN)',
    async (house) => {
      const app = httpCaller(house.port, await house.appToken())
      const { owner } = house.ada
      assert.equal(await refusal(app('record.list', posts(owner))), 'none')
      const beyond = [
        () => app('record.list', { ...posts(owner), collection: 'follows' }),
        () => app('view.get', { owner, app: microblog.id, view: 'home' }),
        () => app('schema.put', { schema: microblog.bytes }),
        () => app('blob.begin', { owner, manifest: Uint8Array.of(1) }),
        () => app('token.list', {}),
        () => app('admin.config', {}),
      ]
      for (const attempt of beyond) assert.equal(await refusal(attempt()), 'FORBIDDEN')
    },
  ),
  inHouse(
    'app-token-elsewhere',
    'a page of another site uses the token that was granted to https://reader.example',
    'the grant names the origin; pages of others are refused, and told nothing by CORS',
    async (house) => {
      const origin = 'https://reader.example'
      const authorization = `Bearer ${await house.appToken({ origin })}`
      const list = '/api/v1/record.list'
      const asked = encode(posts(house.ada.owner))
      const good = await house.post(list, { origin, authorization }, asked)
      assert.equal(good.headers['access-control-allow-origin'], origin)
      const other = await house.post(list, { origin: 'https://evil.example', authorization }, asked)
      assert.equal(codeOf(other), 'FORBIDDEN')
      assert.equal(other.headers['access-control-allow-origin'], undefined)
    },
  ),
  inHouse(
    'signed-request-replayed',
    'a request that Ada signed is sent once more by who saw it',
    'a nonce serves once for each device (UNAUTHENTICATED)',
    async (house) => {
      const fields = house.sign(body)
      await changed(house, async () => {
        assert.equal(codeOf(await house.post(path, fields, body)), 'none')
        return house.post(path, fields, body)
      })
    },
  ),
  inHouse(
    'signed-request-body',
    'the body of a signed request is exchanged',
    'the signature covers Content-Digest, and the body must have it (UNAUTHENTICATED)',
    (house) => changed(house, () => house.post(path, house.sign(body), encode({ schema: Uint8Array.of(1) }))),
  ),
  inHouse(
    'signed-request-path',
    'the fields of a signed request are put on another operation',
    'the signature covers method, path and query (UNAUTHENTICATED)',
    async (house) => {
      await changed(house, () => house.post('/api/v1/token.list', house.sign(body), body))
      await changed(house, () => house.post(`${path}?x=1`, house.sign(body), body))
    },
  ),
  inHouse(
    'signed-request-authority',
    'a request signed for one name of the node comes under another',
    'the signature covers the authority (UNAUTHENTICATED)',
    (house) =>
      changed(house, () => house.post(path, { ...house.sign(body), host: `localhost:${house.port}` }, body)),
  ),
  inHouse(
    'signed-request-other-node',
    'a request signed for one node is carried to another that answers to the same name',
    'the tag of the signature names the node (UNAUTHENTICATED)',
    async (house) => {
      const { node } = house
      assert.equal(codeOf(await house.post(path, house.sign(body, {}, { node }), body)), 'none')
      const other = crypto.random(32)
      await changed(house, () => house.post(path, house.sign(body, {}, { node: other }), body))
    },
  ),
]

/** Of Ada's, admitted a moment ago, and not on probation. */
async function addSpare({ admin, ada }: House): Promise<DeviceSecrets> {
  const { log } = await admin('identity.get', { identity: ada.owner })
  const state = replay(crypto, decodeLog(crypto, log))
  const spare = deviceFromSeed(crypto, crypto.random(32))
  const possession = provePossession(crypto, state.id, spare)
  const entry = addDevice(crypto, state, ada.owning, ownerAdmission(spare, false), possession)
  await admin('identity.append', { identity: ada.owner, log: encodeLog([entry]) })
  return spare
}
