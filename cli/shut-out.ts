/** Whoever was shut out is told so, with the way back that there is: nodes would answer with a rule of the log. */
import type { Identity } from '../client/identity/identity.ts'
import { nodeShutOut } from '../client/identity/revoked-key.ts'
import type { Recovered } from '../client/identity/recovery.ts'
import { toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Context } from './command.ts'
import { cliDevicePath } from './key-store.ts'
import { counted } from './units.ts'

/** Throws REVOKED where the key of this command line was. */
export function requireOwnKeyIn({ environment }: Pick<Context, 'environment'>, identity: Identity): void {
  if (identity.role !== undefined) return
  throw new OnehopError('REVOKED', 'the key of this command line was revoked in your identity', {
    help: `Your recovery words give it another one: onehop recover. Without them, to be somebody new here, move the key file away: ${cliDevicePath(environment)}`,
  })
}

/** What `onehop recover` did about a key that was revoked, in words; empty where it was not. */
export function sayRenewed({ identity, renewed }: Pick<Recovered, 'identity' | 'renewed'>): string[] {
  if (renewed === undefined) return []
  const { records, left } = renewed
  return [
    `The key of this command line had been revoked. It has another one now: ${toHex(identity.device.key)}`,
    ...(records === 0 ? [] : [`Waiting for a node, and signed anew: ${counted(records, 'record')}.`]),
    ...(left === 0
      ? []
      : [`Given up, as it cannot be opened here to be signed anew: ${counted(left, 'record')}.`]),
  ]
}

/** Throws REVOKED where the node's key was: no identity admits a key twice. */
export function requireNodeIn({ state }: Identity, node: Uint8Array): void {
  if (state.devices.get(toHex(node))?.revoked !== undefined) throw nodeShutOut()
}
