/** What people who live at a node are called where the node itself was told no name, as after they came back by their words. */
import { connect } from '../client/connect.ts'
import { httpTransport } from '../client/http.ts'
import { microblog } from '../client/microblog.ts'
import { toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Context } from './command.ts'

/** A household, and some: a node with more unnamed people is one of trials. */
const askedMax = 16

/** By identity in hex, as their public profiles say; of those who have none yet, or cannot be asked for, nothing. */
export async function profileNames(
  context: Pick<Context, 'crypto' | 'clock' | 'signal'>,
  http: string,
  people: readonly IdentityId[],
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  if (people.length === 0) return names
  const { clock, signal } = context
  await using app = await connect({
    schema: microblog,
    transport: httpTransport({ address: http }),
    crypto: await context.crypto(),
    clock,
    signal,
  })
  const profiles = app.collection('profile')
  const ask = async (owner: IdentityId): Promise<void> => {
    try {
      const name = (await profiles.get(undefined, { owner, signal }))?.value.name
      if (name !== undefined) names.set(toHex(owner), name)
    } catch (error) {
      // They stay unnamed: the rest of the status is to be seen all the same.
      if (!(error instanceof OnehopError) || signal.aborted) throw error
    }
  }
  await Promise.all(people.slice(0, askedMax).map(ask))
  return names
}
