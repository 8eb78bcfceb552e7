/** The node's HTTP door: pages of other sites, rebinding names, proxies, bodies that are too much or too slow. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { apiLimits } from '../../protocol/api/limits.ts'
import { encode } from '../../protocol/codec.ts'
import { rawRequest, socketClient } from '../support/api-client.ts'
import { createApiNode } from '../support/api-node.ts'
import type { House } from '../support/house.ts'
import { inHouse } from './in-house.ts'
import type { Scenario } from './scenario.ts'

const info = '/api/v1/node.info'

function atDoor(
  name: string,
  attack: string,
  stoppedBy: string,
  run: (house: House) => Promise<void>,
): Scenario {
  return inHouse(name, attack, stoppedBy, async (house) => {
    // The same without the attack is answered.
    assert.equal((await house.post(info, {})).status, 200)
    await run(house)
  })
}

export const doorAttacks: readonly Scenario[] = [
  atDoor(
    'foreign-origin',
    'a page of another site that somebody has open calls the node at home, also by WebSocket',
    'Origin must be a page of the node or a site of the config; no CORS headers (403)',
    async (house) => {
      for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:1']) {
        const answer = await house.post(info, { origin })
        assert.equal(answer.status, 403)
        assert.equal(answer.headers['access-control-allow-origin'], undefined)
        await assert.rejects(socketClient(house.port, { headers: { origin } }), /status 403/)
      }
    },
  ),
  atDoor(
    'rebinding-host',
    'a name of the attacker that now resolves to the node (DNS rebinding), so that Origin and Host agree',
    'Host must be the address, localhost or a name of the config (403)',
    async (house) => {
      for (const host of [
        'evil.example',
        `evil.example:${house.port}`,
        'localhost.evil.example',
        '10.9.8.7',
      ]) {
        const answer = await house.post(info, { host, origin: `http://${host}` })
        assert.equal(answer.status, 403)
        const page = await rawRequest({ port: house.port, path: '/phone/', method: 'GET', headers: { host } })
        assert.equal(page.status, 403)
      }
    },
  ),
  atDoor(
    'admin-behind-proxy',
    'the admin token comes through a proxy on the same machine, where everybody looks local',
    'administration is refused with Forwarded, Via, X-Forwarded-*, X-Real-IP and their like (403)',
    async (house) => {
      const authorization = `Bearer ${house.daemon.adminToken}`
      const config = '/api/v1/admin.config'
      assert.equal((await house.post(config, { authorization })).status, 200)
      for (const field of ['x-forwarded-for', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'])
        assert.equal((await house.post(config, { authorization, [field]: '203.0.113.9' })).status, 403)
      assert.equal((await house.post(config, {})).status, 401)
    },
  ),
  atDoor(
    'form-of-a-page',
    'a form of any site posts to the node without asking beforehand',
    'bodies are CBOR or JSON by their Content-Type, which no form can send (400)',
    async (house) => {
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
      ])
        assert.equal((await house.post(info, { 'content-type': type })).status, 400)
    },
  ),
  atDoor(
    'path-out-of-pages',
    'paths that climb out of the pages to the keys in the state folder',
    'pages are named files of one folder; nothing is resolved (404)',
    async (house) => {
      for (const path of [
        '/phone/../../node.key',
        '/phone/%2e%2e/%2e%2e/admin.token',
        '/phone/..%2f..%2fnode.key',
      ]) {
        const answer = await raw(
          house.port,
          `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`,
        )
        assert.match(answer, /^HTTP\/1\.1 404 /)
        assert.equal(answer.includes(house.daemon.adminToken), false)
      }
    },
  ),
  atDoor(
    'oversized-body',
    'a body of more than a frame, told beforehand and in chunks',
    'bodies are bounded while they are read (413)',
    async (house) => {
      const body = new Uint8Array(apiLimits.bodyBytesMax + 1)
      const told = await house.post(info, { 'content-length': String(body.length) }, body)
      const chunked = await house.post(info, { 'transfer-encoding': 'chunked' }, body)
      assert.deepEqual([told.status, chunked.status], [413, 413])
    },
  ),
  {
    name: 'slow-body',
    attack: 'a body that trickles, to hold connections for ever',
    stoppedBy: 'a request has 30 s in all; then the connection is cut (408)',
    async run() {
      // The door alone, with less patience: nobody waits half a minute here.
      await using http = await createApiNode().openHttp({ requestTimeoutMs: 200 })
      const head = `POST ${info} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/cbor\r\ncontent-length: 9\r\n\r\n`
      assert.match(await raw(http.port, `${head}a`), /^HTTP\/1\.1 (408|499) /)
      const whole = await rawRequest({
        ...{ port: http.port, path: info, body: encode({}) },
        headers: { 'content-type': 'application/cbor' },
      })
      assert.equal(whole.status, 200)
    },
  },
]

/** What is answered until the node closes. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answered = ''
  socket.on('data', (part: Buffer) => {
    answered += part.toString('latin1')
  })
  socket.on('error', () => {}) // cut: what was said until then is looked at
  socket.write(bytes)
  await once(socket, 'close')
  return answered
}
