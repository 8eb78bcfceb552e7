import { microblog } from '../../client/microblog.ts'
import type { Daemon } from '../../daemon/start.ts'
import { signAppGrant, type AppGrant } from '../../protocol/api/app-token.ts'
import { signRequest, type HttpRequest, type SignatureClaim } from '../../protocol/api/http-signature.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import { revokeDevice } from '../../protocol/identity/make.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'
import { httpCaller, rawRequest, type RawAnswer } from './api-client.ts'
import { openSession, testCrypto as crypto, type Caller } from './api-node.ts'
import { startDaemons } from './daemons.ts'

/** A real daemon at 127.0.0.1 in which two people live, and what its callers over HTTP need. */
export interface House extends AsyncDisposable {
  readonly daemon: Daemon
  readonly port: number
  readonly node: Uint8Array
  readonly ada: SimPerson
  readonly ben: SimPerson
  readonly admin: Caller
  readonly anyone: Caller
  as(person: SimPerson, device?: DeviceSecrets): Promise<Caller>
  /** A token that Ada granted to an app: to read her posts, unless told otherwise. */
  appToken(changes?: Partial<AppGrant>): Promise<string>
  /** Fields that sign such a request of Ada's; sent or not, by whomever. */
  sign(
    body: Uint8Array,
    target?: Partial<Omit<HttpRequest, 'field'>>,
    claim?: Partial<SignatureClaim>,
  ): Readonly<Record<string, string>>
  /** Ada's first device revokes another one of hers. */
  revoke(device: Uint8Array): Promise<void>
  post(path: string, headers: Readonly<Record<string, string>>, body?: Uint8Array): Promise<RawAnswer>
}

let nonces = 0

export async function openHouse(): Promise<House> {
  const daemons = await startDaemons(1, (config) => ({
    ...config,
    listen: { ...config.listen, host: '127.0.0.1' },
  }))
  const daemon = daemons.all[0] as Daemon
  const port = Number(new URL(daemon.local).port)
  const [admin, anyone] = [httpCaller(port, daemon.adminToken), httpCaller(port)]
  const [ada, ben] = [createSimPerson(crypto), createSimPerson(crypto)]
  await admin('admin.host.add', { hosts: [{ log: ada.log }, { log: ben.log }] })
  await admin('schema.put', { schema: microblog.bytes })
  const node = fromHex(daemon.node.id, 32) as Uint8Array
  const as = async (person: SimPerson, device = person.owning): Promise<Caller> =>
    httpCaller(port, await openSession(anyone, device, person.owner))
  return {
    ...{ daemon, port, node, ada, ben, admin, anyone, as },
    async appToken(changes = {}) {
      const grant: AppGrant = {
        ...{ node, id: crypto.random(32), identity: ada.owner, device: ada.owning.key, app: microblog.id },
        ...{ label: 'Reader', origin: undefined, scopes: [{ collection: 'posts', access: 'read' as const }] },
        expiresMs: Date.now() + 3_600_000,
        ...changes,
      }
      const session = await as(ada)
      const { token } = await session('token.grant', { grant: signAppGrant(crypto, grant, ada.owning.seed) })
      return toHex(token)
    },
    sign(body, target = {}, claim = {}) {
      const request = {
        ...{ method: 'POST', authority: `127.0.0.1:${port}`, path: '/api/v1/schema.put', query: '' },
        ...target,
      }
      const { owner, owning } = ada
      const createdS = Math.floor(Date.now() / 1000)
      const claimed = { owner, device: owning.key, createdS, nonce: `nonce-of-a-house-${++nonces}`, ...claim }
      return signRequest(crypto, request, body, claimed, owning.seed)
    },
    async revoke(device) {
      const { log } = await admin('identity.get', { identity: ada.owner })
      const state = replay(crypto, decodeLog(crypto, log))
      const { entry } = revokeDevice(crypto, state, ada.owning, device, [])
      const longer = encodeLog(append(crypto, state, [entry]).entries)
      await admin('identity.append', { identity: ada.owner, log: longer })
    },
    post: (path, headers, body = encode({})) =>
      rawRequest({
        ...{ port, path, body },
        headers: { 'content-type': 'application/cbor', accept: 'application/json', ...headers },
      }),
    [Symbol.asyncDispose]: () => daemons[Symbol.asyncDispose](),
  }
}
