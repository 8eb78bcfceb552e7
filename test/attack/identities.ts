/** Stolen phones, stolen words, fresh devices, and honest people who only look like thieves. */
import assert from 'node:assert/strict'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
  rotate,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { admitFresh } from '../support/fresh-device.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'
import { Theft } from '../support/theft.ts'
import type { Scenario } from './scenario.ts'

const place = '/geo/africa/ng/lagos'

/** The laptop writes one post that counts; then it is stolen. */
async function stolenLaptop(): Promise<{ theft: Theft; good: string }> {
  const theft = await Theft.begin()
  const { mesh, laptop, home } = theft
  const good = await mesh.wait(laptop.put(home, 'posts', { title: 'from the laptop' }))
  await theft.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
  return { theft, good }
}

const revokeLaptop = (theft: Theft, good: string): Promise<void> =>
  theft.tell(theft.home, theft.revocation(theft.phone.person.device, theft.laptopKeys, [good]))

async function logAt(node: MeshNode, { mesh, phone }: Theft): Promise<IdentityState> {
  const { log } = await mesh.wait(node.call('identity.get', { identity: phone.id }))
  return replay(mesh.crypto, decodeLog(mesh.crypto, log))
}

/** Ada with recovery words and two phones, at a node of one. */
async function withWords() {
  const mesh = await createMesh(1)
  const { crypto } = mesh
  const home = mesh.nodes[0] as MeshNode
  const [words, first, second, stolen] = [0, 0, 0, 0].map(() =>
    deviceFromSeed(crypto, crypto.random(32)),
  ) as [DeviceSecrets, DeviceSecrets, DeviceSecrets, DeviceSecrets]
  const genesis = createIdentity(crypto, first, { recovery: words }).state
  const admit = (from: IdentityState, signer: DeviceSecrets, of: DeviceSecrets) =>
    addDevice(crypto, from, signer, ownerAdmission(of, false), provePossession(crypto, from.id, of), {
      readsPrivate: true,
    })
  const state = append(crypto, genesis, [admit(genesis, first, second)])
  await mesh.wait(home.call('admin.host.add', { hosts: [{ log: encodeLog(state.entries) }] }))
  const tell = (...entries: Parameters<typeof encodeLog>[0]) =>
    mesh.wait(home.call('identity.append', { identity: state.id, log: encodeLog(entries) }))
  const known = async (): Promise<IdentityState> => {
    const { log } = await mesh.wait(home.call('identity.get', { identity: state.id }))
    return replay(crypto, decodeLog(crypto, log))
  }
  return { mesh, crypto, words, first, second, stolen, state, admit, tell, known }
}

export const identityAttacks: readonly Scenario[] = [
  {
    name: 'thiefs-newer-profile',
    attack: 'a thief renames Ada by her stolen laptop; she revokes it',
    stoppedBy: 'records after the last number that counts are dropped, and winners computed again',
    async run() {
      const { theft, good } = await stolenLaptop()
      await using mesh = theft.mesh
      await mesh.wait(theft.laptop.put(theft.home, 'profile', { name: 'Mallory', place }))
      await theft.showsEverywhere('Mallory', ['honest jazz', 'from the laptop'])
      await revokeLaptop(theft, good)
      await theft.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
    },
  },
  {
    name: 'old-numbers-anew',
    attack: 'after the revocation the thief signs other records under numbers that count',
    stoppedBy: 'the revocation names the hash of the list number -> id; others are REVOKED',
    async run() {
      const { theft, good } = await stolenLaptop()
      await using mesh = theft.mesh
      await revokeLaptop(theft, good)
      await theft.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
      for (const node of theft.holders) {
        for (const number of [0, 1]) {
          theft.laptop.numbered = number
          const forged = mesh.wait(theft.laptop.put(node, 'posts', { title: 'forged' }))
          await assert.rejects(forged, /REVOKED/)
        }
      }
      await mesh.clock.advance(30_000)
      await theft.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
    },
  },
  {
    name: 'early-sibling-record',
    attack: 'before the revocation is known the thief gives one holder another record of the same number',
    stoppedBy: 'the list behind the hash is fetched from other holders; what is not on it is dropped',
    async run() {
      const theft = await Theft.begin()
      await using mesh = theft.mesh
      const { laptop, home } = theft
      await mesh.clock.advance(2_000) // the schema is at the other holder too
      // It has not heard of the record that bears the number; else it would refuse (EQUIVOCATION).
      const deceived = theft.holders[2] as MeshNode
      mesh.holdBack((from, to) => from === deceived.id || to === deceived.id)
      const good = await mesh.wait(laptop.put(home, 'posts', { title: 'from the laptop' }))
      laptop.numbered = 0
      await mesh.wait(laptop.put(deceived, 'posts', { title: 'forged, early' }))
      mesh.holdBack(undefined)
      await theft.showsEverywhere('Ada', ['honest jazz', 'from the laptop', 'forged, early'])
      await revokeLaptop(theft, good)
      await theft.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
    },
  },
  {
    name: 'sibling-of-own-revocation',
    attack: 'the thief lets a second key of theirs in, from the entries before the revocation',
    stoppedBy: 'of two branches the one with the higher-ranked signer holds: the phone outranks the laptop',
    async run() {
      const { theft, good } = await stolenLaptop()
      await using mesh = theft.mesh
      const { crypto } = mesh
      const { state, laptopKeys } = theft
      const spare = deviceFromSeed(crypto, crypto.random(32))
      const isOut = ({ devices }: IdentityState): boolean =>
        devices.get(toHex(laptopKeys.key))?.revoked !== undefined
      const possession = provePossession(crypto, state.id, spare)
      const sibling = addDevice(crypto, state, laptopKeys, ownerAdmission(spare, false), possession)
      await revokeLaptop(theft, good)
      await theft.showsEverywhere('Ada', ['honest jazz', 'from the laptop'])
      for (const node of theft.holders) await mesh.until(async () => isOut(await logAt(node, theft)), 30_000)
      for (const node of theft.holders) await assert.rejects(theft.tell(node, sibling), { code: 'REVOKED' })
      const resident = new Resident(mesh, microblog, {
        device: spare,
        state: append(crypto, state, [sibling]),
      })
      for (const node of theft.holders) {
        const known = await logAt(node, theft)
        assert.equal(isOut(known), true)
        assert.equal(known.devices.has(toHex(spare.key)), false)
        await assert.rejects(mesh.wait(resident.put(node, 'posts', { title: 'by the spare' })), /FORBIDDEN/)
      }
    },
  },
  {
    name: 'lower-phone-revokes-owner',
    attack: 'a thief with the lower-ranked device shuts the owner out, and with her everything she wrote',
    stoppedBy: 'the older device takes it back by a branch that outranks; what was dropped was kept aside',
    async run() {
      const theft = await Theft.begin()
      await using mesh = theft.mesh
      const { home, phone, laptop, holders } = theft
      await mesh.wait(laptop.put(home, 'posts', { title: 'of the thief' }))
      await theft.showsEverywhere('Ada', ['honest jazz', 'of the thief'])
      await theft.tell(home, theft.revocation(theft.laptopKeys, phone.person.device, []))
      const replica = holders[3] as MeshNode
      await mesh.until(async () => (await theft.shownAt(replica)).titles.join() === 'of the thief', 30_000)
      await theft.tell(replica, theft.revocation(phone.person.device, theft.laptopKeys, []))
      await theft.showsEverywhere('Ada', ['honest jazz'])
      await assert.rejects(mesh.wait(laptop.put(home, 'posts', { title: 'again' })), /REVOKED/)
    },
  },
  {
    name: 'fresh-device-adds-and-revokes',
    attack: 'a device admitted a minute ago lets another in and shuts the old one out',
    stoppedBy:
      'on probation it adds and revokes nothing for 24 h where the entry is first accepted (FORBIDDEN)',
    async run() {
      const { mesh, crypto, put, admit, device, fresh, third, state } = await admitFresh()
      await using _ = mesh
      await assert.rejects(put(admit(state, fresh, third)), { code: 'FORBIDDEN' })
      await assert.rejects(put(revokeDevice(crypto, state, fresh, device.key, []).entry), {
        code: 'FORBIDDEN',
      })
    },
  },
  {
    name: 'thief-rotates-words',
    attack: 'a thief with the second phone names recovery words of their own and lets their key in',
    stoppedBy: 'the former words (rank 0) take it back by a branch from before the rotation',
    async run() {
      const { mesh, crypto, words, first, second, stolen, state, admit, tell, known } = await withWords()
      await using _ = mesh
      const theirs = deviceFromSeed(crypto, crypto.random(32))
      const rotated = rotate(crypto, state, second, theirs).entry
      const grown = append(crypto, state, [rotated])
      await tell(rotated, admit(grown, theirs, stolen))
      assert.equal(toHex((await known()).recovery?.key ?? words.key), toHex(theirs.key))
      await tell(revokeDevice(crypto, state, words, second.key, []).entry)
      const now = await known()
      assert.equal(toHex(now.recovery?.key ?? theirs.key), toHex(words.key))
      assert.equal(now.devices.has(toHex(stolen.key)), false)
      assert.notEqual(now.devices.get(toHex(second.key))?.revoked, undefined)
      assert.equal(now.devices.get(toHex(first.key))?.revoked, undefined)
    },
  },
  {
    name: 'restored-from-backup',
    attack: 'none: an honest phone restored from a backup uses a number twice; it must freeze nobody',
    stoppedBy:
      'both records are proof of equivocation, and both merge; replicas stay equal; that install needs a new key, the others write on',
    async run() {
      const theft = await Theft.begin()
      await using mesh = theft.mesh
      const { home, phone, laptop, holders } = theft
      await mesh.clock.advance(2_000) // the schema is at the other holder too
      const away = holders[2] as MeshNode
      mesh.holdBack((from, to) => from === away.id || to === away.id)
      await mesh.wait(laptop.put(home, 'posts', { title: 'after the backup' }))
      laptop.numbered = 0
      await mesh.wait(laptop.put(away, 'posts', { title: 'after the restore' }))
      mesh.holdBack(undefined)
      await mesh.until(async () => (await home.store.records.equivocations(phone.id)).length === 1, 120_000)
      assert.match(
        await mesh.wait(laptop.put(home, 'posts', { title: 'going on' }).catch(String)),
        /EQUIVOCATION/,
      )
      await mesh.wait(phone.put(home, 'posts', { title: 'the phone goes on' }))
      const all = ['honest jazz', 'after the backup', 'after the restore', 'the phone goes on']
      await theft.showsEverywhere('Ada', all)
      const refs = await Promise.all(holders.map((node) => node.store.records.refs(phone.id)))
      for (const held of refs) assert.deepEqual(held, refs[0])
      const doubled = await home.store.records.equivocations(phone.id)
      assert.deepEqual(
        doubled.map(({ number }) => number),
        [1],
      )
      assert.equal((await logAt(home, theft)).devices.get(toHex(theft.laptopKeys.key))?.revoked, undefined)
    },
  },
  {
    name: 'two-offline-phones',
    attack: 'none: two phones of one person each let a device in and write while apart; neither must lose',
    stoppedBy:
      'the older phone’s addition holds, the other is named as dropped and can be made again; records merge by clocks',
    async run() {
      const theft = await Theft.begin()
      await using mesh = theft.mesh
      const { crypto } = mesh
      const { state, phone, laptop, holders } = theft
      const joining = (from: IdentityState, signer: DeviceSecrets, added: DeviceSecrets): SignedEntry =>
        addDevice(
          ...([crypto, from, signer, ownerAdmission(added, false)] as const),
          provePossession(crypto, from.id, added),
        )
      const [one, other] = [0, 0].map(() => deviceFromSeed(crypto, crypto.random(32))) as [
        DeviceSecrets,
        DeviceSecrets,
      ]
      const [near, , far] = holders as [MeshNode, MeshNode, MeshNode]
      await mesh.clock.advance(2_000)
      await theft.tell(near, joining(state, phone.person.device, one))
      await theft.tell(far, joining(state, theft.laptopKeys, other))
      await mesh.wait(phone.put(near, 'posts', { title: 'by the phone' }))
      await mesh.wait(laptop.put(far, 'posts', { title: 'by the laptop' }))
      await theft.showsEverywhere('Ada', ['honest jazz', 'by the phone', 'by the laptop'])
      // The phone's guest is in; the laptop's waits, is named, and comes in when it is asked again.
      const settled = async (node: MeshNode, size: number): Promise<void> =>
        mesh.until(async () => {
          const { devices, dropped } = await logAt(node, theft)
          const isOut = [...devices.values()].some(({ revoked }) => revoked !== undefined)
          return devices.size === size && dropped.size === 1 && !isOut
        }, 30_000)
      for (const node of holders) await settled(node, 3)
      await theft.tell(near, joining(await logAt(near, theft), theft.laptopKeys, other))
      for (const node of holders) await settled(node, 4)
    },
  },
]
