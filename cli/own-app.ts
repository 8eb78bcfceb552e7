import { connect } from '../client/connect.ts'
import type { App } from '../client/connect.ts'
import type { Identity } from '../client/identity/identity.ts'
import { microblog } from '../client/microblog.ts'
import type { Context } from './command.ts'
import type { Daemon } from './daemon.ts'

/** As this command line's person, with whoever holds their shard and the groups that they are in. */
export async function openOwnApp(
  context: Context,
  daemon: Daemon,
  identity: Identity,
): Promise<App<typeof microblog>> {
  return connect({
    schema: microblog,
    node: daemon.runtime.http,
    keys: context.keys(),
    crypto: await context.crypto(),
    clock: context.clock,
    identity,
    signal: context.signal,
  })
}
