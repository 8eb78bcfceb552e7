import { microblog } from '../../client/microblog.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { addDevice, deviceFromSeed, ownerAdmission, provePossession } from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { createMesh, type MeshNode } from './mesh.ts'
import { Resident } from './resident.ts'

/** Ada with a phone and a second one, fresh and on probation. */
export async function admitFresh() {
  // A day of heartbeats is not what is looked at.
  const mesh = await createMesh(1, { config: () => ({ hosting: { heartbeatMs: 600_000 } }) })
  const { crypto } = mesh
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  const [fresh, third] = [0, 0].map(() => deviceFromSeed(crypto, crypto.random(32))) as [
    DeviceSecrets,
    DeviceSecrets,
  ]
  const admit = (state: IdentityState, signer: DeviceSecrets, of: DeviceSecrets): SignedEntry =>
    addDevice(crypto, state, signer, ownerAdmission(of, true), provePossession(crypto, ada.id, of), {
      readsPrivate: true,
    })
  const put = (...entries: SignedEntry[]) =>
    mesh.wait(home.call('identity.append', { identity: ada.id, log: encodeLog(entries) }))
  const { device } = ada.person
  const first = admit(ada.person.state, device, fresh)
  await put(first)
  return { mesh, crypto, put, admit, device, fresh, third, state: append(crypto, ada.person.state, [first]) }
}
