import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import type { Box } from './box.ts'
import { readDisk, type Disk } from './disk.ts'
import { copies, type World } from './world.ts'

/** What was found wrong, in words. */
export class Findings {
  /** Acknowledged, and not at every holder; by record. */
  readonly lost = new Map<string, string>()
  /** Deleted, and shown; by item. */
  readonly revived = new Map<string, string>()
  /** Where holders differ from each other or from the model. */
  readonly unequal: string[] = []

  get all(): string[] {
    return [...this.lost.values(), ...this.revived.values(), ...this.unequal]
  }
}

/** What the running nodes say: who holds the shard, and which of the written records each of these has. */
export interface Seen {
  readonly members: readonly Box[]
  readonly held: ReadonlyMap<Box, ReadonlySet<string>>
  /** Why they are not equal yet; undefined when they are. */
  readonly differs: string | undefined
  /** Who tells apps of fewer copies than there are; undefined when all know of all. */
  readonly miscounts: string | undefined
}

const idsAtOnce = 1_000
const keysAtOnce = 200

export async function see(world: World): Promise<Seen> {
  const { boxes, person, history } = world
  const shard = toHex(person.owner)
  const views = await Promise.all(boxes.map((box) => seatsSeenBy(box, shard)))
  const seated = new Set(views.flatMap((view) => view?.others ?? []))
  const members = boxes.filter(({ node }) => seated.has(node))
  const held = new Map<Box, ReadonlySet<string>>()
  for (const box of members) held.set(box, await heldBy(world, box))
  return { members, held, differs: differs(), miscounts: miscounts() }

  function differs(): string | undefined {
    if (members.length <= copies) return `${members.length} holders`
    for (const [i, box] of boxes.entries()) {
      const others = views[i]?.others
      // One that never held it need not know.
      if (others === undefined) {
        if (members.includes(box)) return `box ${i} does not hold what it has a seat for`
        continue
      }
      const wanted = members.filter((member) => member !== box).map(({ node }) => node)
      if (wanted.length !== others.length || !wanted.every((node) => others.includes(node)))
        return `box ${i} names other holders`
    }
    const acknowledged = history.acknowledged(shard)
    const [first] = held.values()
    for (const [{ index }, names] of held) {
      const missing = acknowledged.filter(({ name }) => !names.has(name)).length
      if (missing > 0) return `box ${index} lacks ${missing} acknowledged`
      if (names.size !== first?.size || ![...names].every((name) => first.has(name)))
        return `box ${index} holds others than box ${members[0]?.index}`
    }
    return undefined
  }

  function miscounts(): string | undefined {
    for (const { index } of members) {
      const counted = views[index]?.copies ?? 0
      if (counted < members.length) return `box ${index} counts ${counted} copies of ${members.length}`
    }
    return undefined
  }
}

/** What each member shows to who asks it: the model's winners, and nothing that was deleted. */
export async function checkShown(
  { person, history }: World,
  { members, held }: Seen,
  findings: Findings,
): Promise<void> {
  const crypto = await loadCrypto()
  const shard = toHex(person.owner)
  const place = { owner: person.owner, app: microblog.id, collection: 'posts' }
  const winners = history.winners(shard, new Set([...held.values()].flatMap((names) => [...names])))
  for (const box of members) {
    const items = [...winners]
    for (let start = 0; start < items.length; start += keysAtOnce) {
      const some = items.slice(start, start + keysAtOnce)
      const keys = some.map(([item]) => keyOf(item))
      const { records } = await box.call('record.get', { ...place, keys })
      for (const [i, [item, { name }]] of some.entries()) {
        const shown = records[i] ? toHex(decodeRecord(crypto, records[i]).id) : undefined
        if (shown !== name)
          findings.unequal.push(`box ${box.index} shows ${shown} for ${item}, the model has ${name}`)
      }
    }
    for (const bytes of await listed(box, place)) {
      const record = decodeRecord(crypto, bytes)
      const item = `${shard} ${place.collection} ${toHex(itemKey(record))}`
      if (winners.get(item)?.deleted === true)
        findings.revived.set(item, `box ${box.index} lists ${item}, which was deleted`)
    }
  }
}

/** All nodes have ended: what lies on the disks, and nothing but that. */
export async function checkDisks({ boxes, person, history }: World, findings: Findings): Promise<void> {
  const shard = toHex(person.owner)
  const disks = new Map<Box, Disk>()
  for (const box of boxes) {
    disks.set(
      box,
      await readDisk(box.state, person.owner, (store, { held, members }) => {
        if (!members.includes(box.node)) return
        for (const [item, { name, deleted }] of history.winners(shard, held)) {
          const entry = store.records.winnerEntry(person.owner, microblog.id, 'posts', keyOf(item))
          const id = entry && toHex(entry.ref.id)
          if (id !== name)
            findings.unequal.push(`on disk ${box.index} ${item} is ${id}, the model has ${name}`)
          if (deleted && store.records.winner(person.owner, microblog.id, 'posts', keyOf(item)) !== undefined)
            findings.revived.set(item, `on disk ${box.index} ${item} is back`)
        }
      }),
    )
  }
  const holders = [...disks].filter(([{ node }, { members }]) => members.includes(node))
  const differing = (of: (disk: Disk) => string): boolean =>
    new Set(holders.map(([, disk]) => of(disk))).size > 1
  if (holders.length <= copies) findings.unequal.push(`${holders.length} holders on the disks`)
  if (differing(({ set }) => set)) findings.unequal.push('different replica sets on the disks')
  if (differing(({ fingerprint }) => fingerprint))
    findings.unequal.push('different fingerprints on the disks')
  for (const issued of history.acknowledged(shard)) {
    const without = holders.filter(([, { held }]) => !held.has(issued.name)).map(([{ index }]) => index)
    if (without.length > 0)
      findings.lost.set(
        issued.name,
        `${issued.name}, acknowledged by box ${[...issued.acknowledgedBy].join()}, is not on disk ${without.join()}`,
      )
  }
  for (const [{ index }, { held }] of disks)
    for (const name of held)
      if (history.get(name) === undefined)
        findings.unequal.push(`disk ${index} holds ${name}, which nobody wrote`)
}

/** The other nodes that it takes for holders, and how many whole copies it counts; undefined where it holds nothing. */
async function seatsSeenBy(
  box: Box,
  shard: string,
): Promise<{ readonly others: readonly string[]; readonly copies: number } | undefined> {
  const { hosted } = await box.call('admin.status', { limit: 10 })
  const one = hosted.find(({ identity }) => toHex(identity) === shard)
  return one && { others: one.replicas.map(({ node }) => toHex(node)), copies: one.copies }
}

async function heldBy({ person, history }: World, box: Box): Promise<Set<string>> {
  const issued = history.of(toHex(person.owner))
  const held = new Set<string>()
  for (let start = 0; start < issued.length; start += idsAtOnce) {
    const some = issued.slice(start, start + idsAtOnce)
    const ids = some.map(({ name }) => fromHex(name, 32) as Uint8Array)
    const { copies: counted } = await box.call('record.status', { owner: person.owner, ids })
    for (const [i, { name }] of some.entries()) if ((counted[i] ?? 0) > 0) held.add(name)
  }
  return held
}

async function listed(
  box: Box,
  place: { readonly owner: Uint8Array; readonly app: string; readonly collection: string },
): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  for (let before: Awaited<ReturnType<typeof page>>['more'] | undefined; ; ) {
    const { records, more } = await page(before)
    all.push(...records)
    if (more === null) return all
    before = more
  }
  function page(from: { readonly clock: bigint; readonly id: Uint8Array } | null | undefined) {
    return box.call('record.list', { ...place, limit: keysAtOnce, ...(from && { before: from }) })
  }
}

function keyOf(item: string): Uint8Array {
  return fromHex(item.split(' ')[2] ?? '') as Uint8Array
}
