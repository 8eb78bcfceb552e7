/**
 * What one node may ask of another, and by which rule it is answered. The table is what README.md lists, what a handler
 * must be named in before it compiles, and what test/mesh/methods.test.ts holds each handler to.
 *
 * Every request comes over a connection on which the asker proved its node key: who asks is never a claim in a message.
 */

/** `family/name`, such as `shard/push`, of whatever family. One long-lived stream per peer and family carries its requests. */
export type Method = `${string}/${string}`

/**
 * Who is answered.
 * - `anyone`: every node. What is told is public; what is brought is signed by others, or about the asker alone.
 * - `holder`: who has a seat in the shard, by its signed replica set; for questions also who had one in this epoch.
 * - `source`: the node that the author's posts come from at present; of a shard that is held here, the other holders.
 * - `invited`: whom an offer or a pact names, and for `shard/pact` who has the secret of an open invitation; of a shard that is
 *   held under a lease already, every node, as the next home of its owner may be one that nobody here knows.
 * - `registered`: who registered before, about its own log alone.
 */
export type Asker = 'anyone' | 'holder' | 'source' | 'invited' | 'registered'

/** What all others hear: an error, or `blank`, the answer of a node that has nothing of it and changes nothing. */
export type Refusal = 'FORBIDDEN' | 'STALE' | 'blank'

/**
 * What a request may change at the node that is asked.
 * - `signed`: what signatures and hashes prove, whoever brings it, in shards that are held, leased or followed here.
 * - `own`: what is kept of the asker alone, within a bound.
 * - `promise`: what this node signs. It lies on the disk before it is given away, one for each shard or predecessor.
 */
export type Change = 'nothing' | 'signed' | 'own' | 'promise'

/** What the same request changes when it comes again: nothing, or only the time at which it was last heard. */
export type Again = 'nothing' | 'renewed'

export interface MethodRule {
  readonly asker: Asker
  /** Undefined where anyone is answered. */
  readonly refusal: Refusal | undefined
  readonly change: Change
  readonly again: Again
}

function rule(
  asker: Asker,
  refusal?: Refusal,
  change: Change = 'nothing',
  again: Again = 'nothing',
): MethodRule {
  return { asker, refusal, change, again }
}

export const methods = {
  'search/adverts': rule('anyone'),
  'search/append': rule('registered', 'STALE', 'signed'),
  'search/identities': rule('anyone'),
  'search/query': rule('anyone'),
  'search/register': rule('anyone', undefined, 'own', 'renewed'),
  'search/statistics': rule('anyone'),
  'shard/audit': rule('holder', 'FORBIDDEN'),
  'shard/audit-file': rule('holder', 'FORBIDDEN'),
  'shard/blob-chunk': rule('anyone'),
  'shard/blob-manifest': rule('anyone'),
  'shard/blob-offer': rule('holder', 'FORBIDDEN', 'signed'),
  'shard/blobs': rule('holder', 'blank'),
  'shard/compare': rule('holder', 'blank'),
  'shard/compare-many': rule('holder', 'blank'),
  'shard/fetch': rule('holder', 'FORBIDDEN'),
  'shard/hello': rule('anyone', undefined, 'own', 'renewed'),
  'shard/lease': rule('invited', 'blank', 'promise', 'renewed'),
  'shard/locate': rule('anyone'),
  'shard/numbers': rule('holder', 'FORBIDDEN'),
  'shard/pact': rule('invited', 'FORBIDDEN', 'promise'),
  'shard/push': rule('anyone', undefined, 'signed'),
  'shard/reconcile': rule('holder', 'FORBIDDEN'),
  'shard/recover': rule('anyone'),
  'shard/schema': rule('anyone'),
  'shard/snapshot': rule('holder', 'FORBIDDEN'),
  'shard/sign-step': rule('holder', 'blank', 'promise'),
  'shard/take': rule('anyone', undefined, 'signed'),
  'stream/end': rule('source', 'blank', 'own'),
  'stream/follow': rule('anyone', undefined, 'own', 'renewed'),
  'stream/followers': rule('source', 'blank'),
  'stream/list': rule('anyone'),
  'stream/push': rule('source', 'FORBIDDEN', 'signed'),
  'stream/stop': rule('anyone', undefined, 'own'),
} as const satisfies Record<Method, MethodRule>

/** A method that nodes serve. */
export type NodeMethod = keyof typeof methods
