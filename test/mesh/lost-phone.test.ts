/** Real daemons, real libp2p: what is left to a paired phone once its person has shut it out from another device. */
import { expect, test } from 'vitest'
import {
  connect,
  connectAdmin,
  defaultCrypto,
  deviceOf,
  dialNode,
  fromHex,
  httpTransport,
  joinIdentity,
  memoryKeyStore,
  microblog,
  pair,
  streamTransport,
  type Identity,
  type Transport,
} from '../../client/index.ts'
import { apiProtocol } from '../../client/identity/secure-node.ts'
import { openSession } from '../../client/session.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import type { Daemon } from '../../daemon/start.ts'
import { provePossession } from '../../protocol/identity/make.ts'
import { startDaemons } from '../support/daemons.ts'
import { startNetNode } from '../support/net-node.ts'
import { until } from '../support/until.ts'

const crypto = defaultCrypto()

/** As the phone page does it away from home: a connection that proves the node's key, and a session over it. */
async function overLibp2p(daemon: Daemon, { id, device }: Pick<Identity, 'id' | 'device'>) {
  const node = fromHex(daemon.node.id, 32)!
  const secure = await dialNode({ node, addresses: daemon.addresses })
  const link = streamTransport(await secure.openStream(apiProtocol))
  return {
    secure,
    link,
    session: openSession(link, { crypto, owner: id, device, node }),
    [Symbol.asyncDispose]: () => secure.close(),
  }
}

const reached = (session: Transport, { id, device }: Pick<Identity, 'id' | 'device'>): Promise<unknown> =>
  session.call('record.shards', { owner: id, device: device.key })

test('a phone that its person revokes elsewhere is cut off at every holder by the push, and let in at none', async () => {
  // Nothing but the push brings the revocation from one holder to the other.
  await using daemons = await startDaemons(2, (config) => ({
    ...config,
    hosting: { ...config.hosting, reconcileEveryMs: 3_600_000 },
  }))
  const [home, away] = daemons.all as [Daemon, Daemon]
  const admin = connectAdmin({ address: home.local, token: home.adminToken })
  await until(async () => (await admin.status()).peers.some(({ connected }) => connected))
  const keys = memoryKeyStore()
  const { link } = await admin.pair.open()
  const run = await pair(link!, { keys, label: 'phone', schemas: [microblog], copies: 1 })
  await admin.pair.code(run.digits)
  run.confirm()
  const paired = await run.done
  await using _paired = { [Symbol.asyncDispose]: () => paired.transport.close() }
  expect(paired).toMatchObject({ problem: undefined, members: [{}, {}] })
  const phone = paired.identity

  // Her laptop, which the phone has let in, and which speaks with the other holder alone.
  const laptopKeys = memoryKeyStore()
  const device = await deviceOf({ keys: laptopKeys })
  const possession = provePossession(crypto, phone.id, device)
  const { key, boxKey } = device
  await phone.admit({ key, boxKey, possession, role: 'owner', readsPrivate: true, probation: false })
  const log = { identity: phone.id, log: phone.log() }
  await paired.transport.call('identity.append', log)
  await joinIdentity({ keys: laptopKeys }, phone.log())
  await using laptop = await connect({
    schema: microblog,
    keys: laptopKeys,
    transport: httpTransport({ address: away.local }),
  })
  await laptop.publish()

  // The phone, by keys that libp2p made for it; and once more under its own key, as an app without a session may come.
  await using atHome = await overLibp2p(home, phone)
  await using atAway = await overLibp2p(away, phone)
  const holders = [atHome, atAway]
  for (const { session } of holders) await until(() => reached(session, phone).then(Boolean, () => false))
  for (const { secure } of holders) (await secure.openStream(apiProtocol)).close()
  const bootstrap = [home, away].map(({ addresses, node }) =>
    fullAddress(node.id, addresses.find((address) => /\/tcp\/\d+$/.test(address))!),
  )
  await using bare = await startNetNode({ number: 9, seed: phone.device.seed, bootstrap })
  await until(() => bare.rpc.connected().length === 2)
  const knock = ({ node }: Daemon): Promise<unknown> =>
    bare.rpc.request(node.id, 'shard/hello', new Uint8Array(0), { signal: new AbortController().signal })
  // It is heard, if only to be told that this is no message.
  for (const daemon of [home, away])
    await expect(knock(daemon)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })

  expect(await laptop.revokeDevice(phone.device.key)).toMatchObject({ wasRevoked: false })
  for (const { link: open, secure } of holders) {
    await until(() => open.closed.aborted)
    expect(open.closed.reason).toMatchObject({ code: 'REVOKED' })
    // With its streams the connection under them.
    await until(() =>
      secure.openStream(apiProtocol).then(
        () => false,
        () => true,
      ),
    )
  }
  await expect(reached(paired.transport, phone)).rejects.toMatchObject({ code: 'REVOKED' })
  await until(() => bare.rpc.connected().length === 0)

  for (const daemon of [home, away]) {
    await using again = await overLibp2p(daemon, phone)
    await expect(reached(again.session, phone)).rejects.toMatchObject({ code: 'REVOKED' })
    await until(() =>
      again.secure.openStream(apiProtocol).then(
        () => false,
        () => true,
      ),
    )
    await expect(knock(daemon)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  }
  // Nobody else suffers by it.
  await (
    await laptop.collection('posts').put({ title: 'without the phone' })
  ).accepted
})
