/** The identity of this command line. */
import { openIdentity } from '../client/identity/identity.ts'
import type { Identity } from '../client/identity/identity.ts'
import { fromHex } from '../protocol/bytes.ts'
import type { Context } from './command.ts'
import { NeedsAction, UsageError } from './failure.ts'

export async function requireIdentity(context: Context): Promise<Identity> {
  const identity = await openIdentity({ keys: context.keys(), crypto: await context.crypto() })
  if (identity !== undefined) return identity
  throw new NeedsAction('UNKNOWN_IDENTITY', 'this command line belongs to nobody yet', {
    help: 'Make an identity: onehop init --user NAME. Or come back to yours, with its words: onehop recover',
  })
}

/** An id as people copy it. */
export function readId(text: string, what: string): Uint8Array {
  const id = fromHex(text.toLowerCase(), 32)
  if (id === undefined) throw new UsageError(`${what} is 64 hex digits, not ${JSON.stringify(text)}`)
  return id
}
