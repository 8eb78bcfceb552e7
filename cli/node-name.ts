/** How people name a node, or a shard: by its id, or by the first digits of that. */
import { fromHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { UsageError } from './failure.ts'

export const prefixMin = 8

export interface Naming {
  /** `node that is known here`. */
  readonly what: string
  /** Where the ids are listed. */
  readonly help: string
}

/** A whole id is taken as it is, known or not. */
export async function pickId(
  text: string,
  { what, help }: Naming,
  known: () => Promise<readonly string[]>,
): Promise<Uint8Array> {
  const typed = text.toLowerCase()
  const whole = fromHex(typed, 32)
  if (whole !== undefined) return whole
  if (typed.length < prefixMin || !/^[0-9a-f]+$/.test(typed)) {
    const digits = `the first digits of its id, ${prefixMin} at least`
    throw new UsageError(`a ${what.split(' ')[0]} is named by ${digits}, not ${JSON.stringify(text)}`, help)
  }
  const found = [...new Set(await known())].filter((name) => name.startsWith(typed))
  const [first, ...more] = found
  if (first !== undefined && more.length === 0) return fromHex(first, 32) as Uint8Array
  const how = first === undefined ? `no ${what} begins` : `more than one ${what} begins`
  throw new OnehopError('NOT_FOUND', `${how} with ${typed}`, { help })
}
