/** Records that are not what they say: forged, malleated, swapped, dated ahead. */
import assert from 'node:assert/strict'
import { ed25519 } from '@noble/curves/ed25519.js'
import { concatBytes } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { RecordDraft, SignedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { decodeReceipts, encodePush } from '../../protocol/replication/messages.ts'
import { createSimPerson } from '../sim/writer.ts'
import { draftOf, onDisk, openStreet, sectionOf } from '../support/street.ts'
import { bytesOf, groupOrder, modulo } from '../verdicts/points.ts'
import type { Scenario } from './scenario.ts'

type Street = Awaited<ReturnType<typeof openStreet>>

/** Brings a record by the API and, as a stranger, from node to node: refused with this code, and nothing is kept. */
async function bring(street: Street, record: Uint8Array, code: string): Promise<void> {
  const { mesh, home, ask } = street
  const before = await onDisk(home)
  const { results } = await mesh.wait(home.call('record.put', { records: [record] }))
  assert.equal(results[0]?.code, code)
  const receipts = await ask('shard/push', encodePush([record]))
  assert.notEqual(typeof receipts === 'string' ? receipts : decodeReceipts(receipts)[0], 'held')
  assert.deepEqual(await onDisk(home), before)
}

function scenario(
  name: string,
  attack: string,
  stoppedBy: string,
  code: string,
  forge: (street: Street) => Uint8Array | Promise<Uint8Array>,
): Scenario {
  return {
    name,
    attack,
    stoppedBy: `${stoppedBy} (${code})`,
    async run() {
      const street = await openStreet()
      await using _ = street.mesh
      // The honest record gets in, so that it is the forgery that is refused and nothing else.
      const honest = encodeRecord(sign(street, { number: 9 }))
      const { results } = await street.mesh.wait(street.home.call('record.put', { records: [honest] }))
      assert.equal(results[0]?.outcome, 'stored')
      await bring(street, await forge(street), code)
    },
  }
}

function sign(
  { mesh, ada }: Street,
  changes: Partial<RecordDraft> = {},
  seed = ada.owning.seed,
): SignedRecord {
  return signRecord(mesh.crypto, { ...draftOf(mesh, ada), ...changes }, seed)
}

export const recordAttacks: readonly Scenario[] = [
  scenario(
    'forged-device',
    'a key that nobody admitted signs a record of Ada',
    'only devices in the owner’s identity log write',
    'FORBIDDEN',
    (street) => encodeRecord(sign(street, {}, street.mesh.crypto.random(32))),
  ),
  scenario(
    'borrowed-signature',
    "a record that names Ada's device, signed by another key",
    'verifyStrict over context and header, by the device that the header names',
    'BAD_SIGNATURE',
    (street) => {
      const record = sign(street)
      const signature = street.mesh.crypto.sign(record.message, street.strangerSeed)
      return encodeRecord({ ...record, signature })
    },
  ),
  scenario(
    'malleated-signature',
    'S + L in place of S: a second signature of an honest record, which some libraries take',
    'verifyStrict refuses S of the group order and above',
    'BAD_SIGNATURE',
    (street) => {
      const record = sign(street)
      const s = BigInt(`0x${Buffer.from(record.signature.slice(32)).reverse().toString('hex')}`)
      const moved = Buffer.from((s + groupOrder).toString(16).padStart(64, '0'), 'hex').reverse()
      return encodeRecord({ ...record, signature: concatBytes(record.signature.slice(0, 32), moved) })
    },
  ),
  {
    name: 'small-order-key',
    attack: 'an identity whose device key is the neutral point: one signature fits every message',
    stoppedBy: 'verifyStrict refuses A and R of small order (BAD_SIGNATURE)',
    async run() {
      const { mesh, home } = await openStreet()
      await using _ = mesh
      const { crypto } = mesh
      const before = await onDisk(home)
      const neutral = Uint8Array.of(1, ...new Uint8Array(31))
      // R = rB, S = r: the equation SB = R + hA holds whatever h is.
      const signature = concatBytes(ed25519.Point.BASE.multiply(7n).toBytes(), bytesOf(modulo(7n)))
      const anybody = { ...deviceFromSeed(crypto, crypto.random(32)), key: neutral }
      const loose = { ...crypto, sign: () => signature, verifyStrict: () => true }
      const { entry } = createIdentity(loose, anybody)
      const { results } = await mesh.wait(
        home.call('admin.host.add', { hosts: [{ log: encodeLog([entry]) }] }),
      )
      assert.equal(results[0]?.code, 'BAD_SIGNATURE')
      assert.deepEqual(await onDisk(home), before)
    },
  },
  scenario(
    'swapped-section',
    'the words of one of her records under the header of another',
    'the signed header holds the hash of each section',
    'BAD_SIGNATURE',
    (street) => {
      const [one, other] = ['hello', 'adieu'].map((text) => sign(street, { sections: [sectionOf({ text })] }))
      return encodeRecord({ ...(one as SignedRecord), sections: (other as SignedRecord).sections })
    },
  ),
  scenario(
    'stranger-in-shard',
    "a stranger who lives at the same node writes into Ada's shard under their own name",
    'the author is the owner, or a member of the group that owns the shard',
    'FORBIDDEN',
    async (street) => {
      const { mesh, home } = street
      const eve = createSimPerson(mesh.crypto)
      await mesh.wait(home.call('admin.host.add', { hosts: [{ log: eve.log }] }))
      return encodeRecord(sign(street, { author: eve.owner }, eve.owning.seed))
    },
  ),
  scenario(
    'unknown-shard',
    'records of a shard that this node never took, to fill its disk',
    'a node keeps what it hosts, and nothing else',
    'NOT_HOSTED',
    (street) => {
      const eve = createSimPerson(street.mesh.crypto)
      return encodeRecord(sign(street, { owner: eve.owner, author: eve.owner }, eve.owning.seed))
    },
  ),
  scenario(
    'clock-ahead',
    'a record dated a year ahead, so that nothing written later outshines it',
    'at most five minutes ahead of the node’s own time',
    'CLOCK_AHEAD',
    (street) => encodeRecord(sign(street, { clock: clockOf(street.mesh.clock.nowMs() + 365 * 86_400_000) })),
  ),
]
