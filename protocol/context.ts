import { concatBytes, utf8 } from './bytes.ts'

/**
 * One context string for each kind of signature. None is a prefix of another, of libp2p's (`libp2p-…`) or of
 * RFC 9421's (`"…`), and a zero byte ends each, so a signature made for one purpose fits no other.
 */
export const contexts = {
  record: 'onehop/record/1',
  identity: 'onehop/identity/1',
  possession: 'onehop/possession/1',
  replicaSet: 'onehop/replica-set/1',
  lease: 'onehop/lease/1',
  leaseAsk: 'onehop/lease-ask/1',
  session: 'onehop/session/1',
  pairing: 'onehop/pairing/1',
  advert: 'onehop/advert/1',
  logHead: 'onehop/log-head/1',
  scope: 'onehop/scope/1',
  appToken: 'onehop/app-token/1',
  pact: 'onehop/pact/1',
} as const

export type Context = (typeof contexts)[keyof typeof contexts]

/** Made once: every record that passes needs one. */
const openings = new Map(Object.values(contexts).map((context) => [context, utf8(`${context}\0`)]))

/** The bytes that are signed, and whose SHA-256 names the thing: context, zero byte, exact document bytes. */
export function signedMessage(context: Context, document: Uint8Array): Uint8Array {
  return concatBytes(openings.get(context) as Uint8Array, document)
}

/** What keys and hashes that are not signatures are made for; the first item of what goes into them. */
export const derivations = {
  section: 'onehop/section-key/1',
  blobChunk: 'onehop/blob-chunk/1',
  privateAudience: 'onehop/private-key/1',
  groupAudience: 'onehop/group-key/1',
  followersAudience: 'onehop/followers-key/1',
  readersSecret: 'onehop/readers-secret/1',
  readersChain: 'onehop/readers-chain/1',
  typedCode: 'onehop/typed-code/1',
  deviceBox: 'onehop/device-box/1',
  boxChain: 'onehop/box-chain/1',
  blinding: 'onehop/blind-key/1',
  numberList: 'onehop/number-list/1',
  recoverySigning: 'onehop/recovery-signing/1',
  recoveryBox: 'onehop/recovery-box/1',
  recoveryLookup: 'onehop/recover',
} as const
