import { equalBytes } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { pageOf, type ReaderEntry } from '../../protocol/readers/page.ts'
import type { IdentityId } from '../../protocol/record/types.ts'

/** An entry whose wrap is made when its page is written. */
export type UnwrappedEntry = Omit<ReaderEntry, 'wrap'>
export type ReaderPageList = ReadonlyMap<number, readonly UnwrappedEntry[]>

interface Person {
  readonly identity: IdentityId
  readonly box: { readonly epoch: number; readonly publicKey: Uint8Array }
}

/** The page with this reader on it, wrapped to the newest of their box keys. `epoch` is set when the page is written. */
export function withReader(
  pages: ReaderPageList,
  { identity, box }: Person,
): readonly [number, readonly UnwrappedEntry[]] {
  const page = pageOf(identity)
  const others = (pages.get(page) ?? []).filter(({ reader }) => !equalBytes(reader, identity))
  const readers = [...pages.values()]
    .flat()
    .filter(({ reader, isRemoved }) => !isRemoved && !equalBytes(reader, identity))
  if (readers.length >= limits.readersMax) {
    throw new OnehopError('BAD_REQUEST', `${limits.readersMax} readers are approved already`, {
      help: 'Remove some first, or show it to everybody.',
    })
  }
  const room = limits.readersOnPageMax - 1
  const longestGone = others.filter(({ isRemoved }) => isRemoved).toSorted((a, b) => a.epoch - b.epoch)
  const leftOut = new Set(longestGone.slice(0, Math.max(0, others.length - room)))
  const kept = others.filter((entry) => !leftOut.has(entry))
  if (kept.length > room) {
    throw new OnehopError('BAD_REQUEST', 'too many readers whose ids begin alike are approved already', {
      help: 'Remove some of them first; that many are no accident.',
    })
  }
  const entry = { reader: identity, boxEpoch: box.epoch, boxKey: box.publicKey, epoch: 0, isRemoved: false }
  return [page, [...kept, entry]]
}

/** The page with this reader marked as removed; undefined where they read nothing more, or never did. */
export function withoutReader(
  pages: ReaderPageList,
  identity: IdentityId,
  newestEpoch: number | undefined,
): readonly [number, readonly UnwrappedEntry[]] | undefined {
  const page = pageOf(identity)
  const entries = pages.get(page) ?? []
  const reads = entries.some(
    ({ reader, isRemoved, epoch }) => equalBytes(reader, identity) && (!isRemoved || epoch === newestEpoch),
  )
  if (!reads) return undefined
  return [
    page,
    entries.map((entry) => (equalBytes(entry.reader, identity) ? { ...entry, isRemoved: true } : entry)),
  ]
}
