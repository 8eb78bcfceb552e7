import {
  connect,
  connectAdmin,
  defineSchema,
  deviceOf,
  joinIdentity,
  memoryKeyStore,
  pair,
} from '../../client/index.ts'
import type { AdmissionRequest, App, ConnectOptions } from '../../client/index.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import type { Daemon } from '../../daemon/start.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { provePossession } from '../../protocol/identity/make.ts'
import { systemRandom } from '../../client/random.ts'

/** Posts whose title is for everybody and whose text is for those whom the author approved. */
export const circle = defineSchema({
  onehop: 1,
  id: 'example.circle',
  version: 1,
  collections: {
    profile: {
      key: 'single',
      fields: { name: { type: 'text' }, phone: { type: 'text', audience: 'followers' } },
    },
    posts: {
      key: 'none',
      stream: true,
      fields: {
        title: { type: 'text', max: 200, required: true },
        text: { type: 'text', max: 2_000, audience: 'followers' },
      },
    },
    follows: {
      key: { field: 'user' },
      follows: { field: 'user', streams: ['posts'] },
      fields: { user: { type: 'user', required: true } },
    },
  },
  views: { home: { feed: { of: 'posts', latest: 20, with: ['profile.name', 'profile.phone'] } } },
})
export type Circle = App<typeof circle>

const crypto = portableCrypto((length) => systemRandom.bytes(length))

/** Somebody who lives at this daemon, with a phone. */
export async function personAt(
  daemon: Daemon,
  { keys = memoryKeyStore(), ...options }: Partial<ConnectOptions<typeof circle>> = {},
): Promise<Circle> {
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open({})
  const run = await pair(link!, { keys, label: 'phone', schemas: [circle], copies: 0 })
  await admin.pair.code(run.digits)
  run.confirm()
  const { transport } = await run.done
  await transport.close()
  return connect({ schema: circle, keys, node: daemon.local, ...options })
}

/** A new device of the same person. */
export async function newDeviceOf<S extends Schema>(
  app: App<S>,
  daemon: Daemon,
  leave: Pick<AdmissionRequest, 'role' | 'capabilities' | 'readsPrivate' | 'probation'> = {
    role: 'owner',
    readsPrivate: true,
    // As if it had been vouched for.
    probation: false,
  },
): Promise<App<S>> {
  const keys = memoryKeyStore()
  const device = await deviceOf({ keys })
  const identity = app.identity!
  const possession = provePossession(crypto, identity.id, device)
  const { key, boxKey } = device
  await identity.admit({ key, boxKey, possession, ...leave })
  await app.publish()
  await joinIdentity({ keys }, identity.log())
  return connect({ schema: app.schema, keys, node: daemon.local })
}

/** What a list of somebody's posts shows, newest first. */
export async function shownOf(app: Circle, owner: Uint8Array) {
  const items = await app.collection('posts').latest(50, { owner })
  return items.map(({ value, withheld }) => ({ ...value, withheld }))
}
