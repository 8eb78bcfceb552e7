import { expect, test } from 'vitest'
import { connectAdmin } from '../../client/admin.ts'
import { httpTransport } from '../../client/http.ts'
import { microblog } from '../../client/microblog.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { systemRandom } from '../../daemon/random.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import { startDaemons } from '../support/daemons.ts'
import { createSimPerson } from '../sim/writer.ts'

test('a device signs its requests to a node that hosts its person, until it is revoked', async () => {
  await using daemons = await startDaemons(1)
  const [daemon] = daemons.all
  const crypto = await loadCrypto({ random: systemRandom })
  const { owner, log, owning } = createSimPerson(crypto)
  const before = replay(crypto, decodeLog(crypto, log))
  const device = deviceFromSeed(crypto, crypto.random(32))
  const possession = provePossession(crypto, owner, device)
  const added = append(crypto, before, [
    addDevice(crypto, before, owning, ownerAdmission(device, false), possession),
  ])

  const { call: admin } = connectAdmin({ address: daemon!.local, token: daemon!.adminToken })
  await admin('admin.host.add', { hosts: [{ log: encodeLog(added.entries) }] })
  await admin('schema.put', { schema: microblog.bytes })

  const script = httpTransport({ address: daemon!.local, sign: { crypto, owner, device } })
  const feed = () => script.call('feed.list', { owner, app: microblog.id, collection: 'posts' })
  expect((await feed()).records).toEqual([])
  const { entry } = revokeDevice(crypto, added, owning, device.key, [])
  await admin('identity.append', { identity: owner, log: encodeLog(append(crypto, added, [entry]).entries) })
  await expect(feed()).rejects.toMatchObject({ code: 'REVOKED' })
})
