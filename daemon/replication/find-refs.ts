import { toHex } from '../../protocol/bytes.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import { refAfter } from '../../storage/keys.ts'
import type { OrderRange, Records } from '../../storage/types.ts'

const pageRecords = 10_000

/** Where records stand whose ids (in hex) alone are known: goes through the whole shard until all are found. */
export async function findRefs(
  records: Pick<Records, 'refs'>,
  owner: IdentityId,
  wanted: ReadonlySet<string>,
): Promise<Map<string, RecordRef>> {
  const found = new Map<string, RecordRef>()
  let range: OrderRange = { limit: pageRecords }
  while (found.size < wanted.size) {
    const page = await records.refs(owner, range)
    for (const ref of page) {
      const name = toHex(ref.id)
      if (wanted.has(name)) found.set(name, ref)
    }
    const last = page.at(-1)
    if (page.length < pageRecords || last === undefined) break
    range = { limit: pageRecords, from: refAfter(last) }
  }
  return found
}
