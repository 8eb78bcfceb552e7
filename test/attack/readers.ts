/** Who was never approved, or was put out, and takes from the node all that it gives. */
import assert from 'node:assert/strict'
import { defaultCrypto } from '../../client/index.ts'
import type { Daemon } from '../../daemon/start.ts'
import { decodeReaders, pageOf } from '../../protocol/readers/page.ts'
import { followersKeyFor, openReadersWrap } from '../../protocol/readers/secret.ts'
import { openSection } from '../../protocol/record/section.ts'
import type { VerifiedRecord } from '../../protocol/record/types.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { personAt, type Circle } from '../support/circle.ts'
import { startDaemons } from '../support/daemons.ts'
import type { Scenario } from './scenario.ts'

const crypto = defaultCrypto()

interface Attempt {
  /** Wraps on the thief's page. */
  readonly wraps: number
  /** Those that opened. */
  readonly secrets: number
  /** Sections that some secret opened, taken for any epoch. */
  readonly opened: number
  readonly sections: number
}

/** Every wrap with every box secret, every section with every secret: no rule of our client is kept. */
async function breakIn(thief: Circle, owner: Uint8Array, posts: readonly Uint8Array[]): Promise<Attempt> {
  const identity = thief.identity!
  const page = pageOf(identity.id)
  const held = await (thief as unknown as { collection(name: string): ReturnType<Circle['collection']> })
    .collection('@readers')
    .get(page, { owner })
  const { sender, readers } = (held?.value ?? {}) as { sender?: Uint8Array; readers?: Uint8Array }
  const entries = readers === undefined ? [] : decodeReaders(readers, page)
  const box = identity.box()!
  const secrets = entries.flatMap(({ wrap }) => openReadersWrap(crypto, wrap, sender!, box.secret) ?? [])
  const records = posts.map((bytes) => decodeRecord(crypto, bytes) as unknown as VerifiedRecord)
  const epochs = records.flatMap(({ header }) => header.sections.map(({ epoch }) => epoch))
  let opened = 0
  let sections = 0
  for (const record of records) {
    const { app, collection } = record.header
    for (const [i, { audience }] of record.header.sections.entries()) {
      if (audience !== 'followers') continue
      sections++
      const keys = [...secrets, box.secret].flatMap((secret) =>
        epochs.map((epoch) => followersKeyFor(crypto, secret, { owner, app, collection, epoch })),
      )
      if (keys.some((key) => openSection(crypto, record, i, key) !== undefined)) opened++
    }
  }
  return { wraps: entries.length, secrets: secrets.length, opened, sections }
}

async function post(ada: Circle, text: string): Promise<Uint8Array> {
  const write = await ada.collection('posts').put({ title: 'for all', text })
  await write.accepted
  return write.local.bytes
}

export const readerAttacks: readonly Scenario[] = [
  {
    name: 'unapproved-follower-reads',
    attack: 'who follows without being approved takes ciphertext and wraps and tries all they have on them',
    stoppedBy: "the epoch's secret is wrapped to approved readers' box keys alone",
    async run() {
      await using daemons = await startDaemons(1)
      const daemon = daemons.all[0] as Daemon
      await using ada = await personAt(daemon)
      await using eve = await personAt(daemon)
      await using ben = await personAt(daemon)
      await (
        await eve.follow(ada.owner!)
      ).accepted
      await (
        await ada.readers.approve(ben.owner!)
      ).accepted
      const posts = [await post(ada, 'for ben')]
      const { secrets, opened, sections } = await breakIn(eve, ada.owner!, posts)
      assert.deepEqual([secrets, opened, sections], [0, 0, 1])
      // What stops her is not a fault of the attempt: it opens for him.
      assert.equal((await breakIn(ben, ada.owner!, posts)).opened, 1)
    },
  },
  {
    name: 'removed-reader-reads-on',
    attack:
      'a reader who was put out keeps every secret they had and tries them on what is written afterwards',
    stoppedBy: 'a new epoch, wrapped to those who stay; its secret follows from none before it',
    async run() {
      await using daemons = await startDaemons(1)
      const daemon = daemons.all[0] as Daemon
      await using ada = await personAt(daemon)
      await using ben = await personAt(daemon)
      await (
        await ada.readers.approve(ben.owner!)
      ).accepted
      const before = await post(ada, 'for ben')
      await (
        await ada.readers.remove(ben.owner!, { urgent: true })
      ).accepted
      const after = await post(ada, 'without ben')
      assert.deepEqual(await breakIn(ben, ada.owner!, [before]), {
        ...{ wraps: 1, secrets: 1, opened: 1, sections: 1 },
      })
      assert.deepEqual(await breakIn(ben, ada.owner!, [after]), {
        ...{ wraps: 1, secrets: 1, opened: 0, sections: 1 },
      })
    },
  },
]
