/** Makes readers.json, as record.ts makes record.json: pages of approved readers, and the keys of the audience `followers`. */
import { writeFileSync } from 'node:fs'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { wrapSecret, type EpochSecret } from '../../protocol/identity/box.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import { limits } from '../../protocol/limits.ts'
import { encodeReaders, pageOf, type ReaderEntry } from '../../protocol/readers/page.ts'
import { followersKeyFor, secretForReaders, sealReadersChain } from '../../protocol/readers/secret.ts'
import { seededCrypto } from '../support/people.ts'
import { arrayOf, invalidCases, raw, type InvalidCase } from './wire.ts'

export interface ReadersVectors {
  readonly about: string
  readonly owner: string
  readonly app: string
  readonly collection: string
  /** The owner's box secrets, by epoch. */
  readonly boxSecrets: readonly { readonly epoch: number; readonly secret: string }[]
  readonly epochs: readonly {
    readonly epoch: number
    readonly secret: string
    readonly followersKey: string
    readonly before: number | null
    readonly chain: string | null
  }[]
  readonly sender: string
  readonly pages: readonly {
    readonly name: string
    readonly page: number
    readonly bytes: string
    readonly readers: readonly {
      readonly reader: string
      readonly boxEpoch: number
      readonly boxSecret: string
      readonly epoch: number
      readonly secret: string
      readonly removed: boolean
    }[]
  }[]
  /** Of page 7. */
  readonly invalid: readonly InvalidCase[]
}

export function readersVectors(): ReadersVectors {
  const crypto = seededCrypto(0x4ead)
  const device = deviceFromSeed(crypto, crypto.random(32))
  const { state } = createIdentity(crypto, device)
  const of = { owner: state.id, app: 'example.circle' }
  const collection = 'posts'
  const boxes: EpochSecret[] = [1, 2].map((epoch) => ({ epoch, secret: crypto.random(32) }))
  const secretOf = (epoch: number): Uint8Array =>
    secretForReaders(crypto, boxes[Math.floor(epoch / 65_536) - 1] as EpochSecret, { ...of, epoch })

  const numbers = [65_536, 65_537, 131_072]
  const epochs = numbers.map((epoch, i) => {
    const before = numbers[i - 1]
    const secret = secretOf(epoch)
    return {
      epoch,
      secret: toHex(secret),
      followersKey: toHex(followersKeyFor(crypto, secret, { ...of, epoch, collection })),
      before: before ?? null,
      chain:
        before === undefined
          ? null
          : toHex(
              sealReadersChain(
                crypto,
                secret,
                { ...of, epoch },
                { epoch: before, secret: secretOf(before) },
              ),
            ),
    }
  })

  const reader = (first: number, epoch: number, isRemoved = false): ReaderEntry & { boxSecret: Uint8Array } => {
    const boxSecret = crypto.random(32)
    const boxKey = crypto.boxPublicKey(boxSecret)
    const id = crypto.random(32)
    id[0] = first
    const wrap = wrapSecret(crypto, device, boxKey, secretOf(epoch))
    return { reader: id, boxEpoch: 1, boxKey, epoch, wrap, isRemoved, boxSecret }
  }
  const two = [reader(7, 131_072), reader(7, 65_537, true)]
  const page = (name: string, number: number, entries: typeof two): ReadersVectors['pages'][number] => ({
    name,
    page: number,
    bytes: toHex(encodeReaders(entries)),
    readers: entries
      .map((entry) => ({
        reader: toHex(entry.reader),
        boxEpoch: entry.boxEpoch,
        boxSecret: toHex(entry.boxSecret),
        epoch: entry.epoch,
        secret: toHex(secretOf(entry.epoch)),
        removed: entry.isRemoved,
      }))
      .toSorted((a, b) => (a.reader < b.reader ? -1 : 1)),
  })
  const items = (entries: readonly ReaderEntry[]): unknown[][] =>
    entries
      .toSorted((a, b) => (toHex(a.reader) < toHex(b.reader) ? -1 : 1))
      .map((one) => [one.reader, one.boxEpoch, one.boxKey, one.epoch, one.wrap, one.isRemoved])
  const [first, second] = items(two) as [unknown[], unknown[]]
  const changed = (place: number, value: unknown) => raw(encode([first.with(place, value)]))
  return {
    about:
      'what the owner of a shard keeps of approved readers: secrets of epochs, pages of wraps; bytes in hex. `sender` is the X25519 key of the wrapping device',
    owner: toHex(of.owner),
    app: of.app,
    collection,
    boxSecrets: boxes.map(({ epoch, secret }) => ({ epoch, secret: toHex(secret) })),
    epochs,
    sender: toHex(device.boxKey),
    pages: [
      page('nobody', pageOf(two[0]?.reader as Uint8Array), []),
      page('a reader, and one who was removed', 7, two),
      page('the last page', 255, [reader(255, 65_536)]),
    ],
    invalid: invalidCases({
      'no list': raw(encode({})),
      'in descending order': raw(encode([second, first])),
      'one twice': raw(encode([first, first])),
      'a reader of another page': raw(encode(items([reader(8, 65_536)]))),
      'a short id': changed(0, new Uint8Array(31)),
      'box epoch 0': changed(1, 0),
      'a short box key': changed(2, new Uint8Array(31)),
      'epoch 0': changed(3, 0),
      'a short wrap': changed(4, new Uint8Array(71)),
      'removed is no boolean': changed(5, 1),
      'an item too few': raw(encode([first.slice(0, 5)])),
      'an item too many': raw(encode([[...first, null]])),
      'a long head': raw(Uint8Array.of(0x98, 0x00)),
      'bytes behind': raw(Uint8Array.of(0x80, 0x80)),
      'more than a page holds': arrayOf(limits.readersOnPageMax + 1, first),
    }),
  }
}

if (import.meta.main) {
  const file = new URL('readers.json', import.meta.url)
  writeFileSync(file, `${JSON.stringify(readersVectors(), undefined, 2)}\n`)
}
