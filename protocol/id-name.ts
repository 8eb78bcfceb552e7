import { equalBytes, toHex } from './bytes.ts'

/** As many as are asked about by turns: the people and devices of some batches. Some 200 bytes each. */
const slots = 1_024
const known = new Array<{ readonly id: Uint8Array; readonly name: string } | undefined>(slots)

/**
 * The hex of an id that is asked for record after record, as an owner's and a device's are: it is made once, and a map that
 * has seen the text itself before finds it sooner. Not for secrets, which would stay here.
 */
export function nameOf(id: Uint8Array): string {
  if (id.length !== 32) return toHex(id)
  const slot = (((id[0] as number) << 8) | (id[1] as number)) % slots
  const found = known[slot]
  if (found !== undefined && equalBytes(found.id, id)) return found.name
  const name = toHex(id)
  known[slot] = { id: id.slice(), name }
  return name
}
