/**
 * Following between nodes. A serving node tells an author's node that somebody on it follows, once for all its
 * people; the author's node pushes new records once per serving node, and forgets nothing while one is away: the
 * serving node's cursor says where to go on.
 *
 *   follow   = [1, app, [1*collection], mode, [1*[author b32, cursor / null]]]      mode: 0 push, 1 wait
 *   followed = [1, source b32, [*[author b32, stand]]]
 *   stand    = [0, [epoch, head]] / [1, [epoch, head]] / [2, null] / [3, null]
 *              ; following / following, reconcile first / not hosted / refused
 *   stop     = [1, app, [1*collection], [1*author b32]]
 *   push     = [1, source b32, app, [1*batch]]
 *   batch    = [author b32, epoch, after, through, head, [*[position, record]]]
 *   pushed   = [1, [*[author b32, receipt]]]
 *   receipt  = [0, [epoch, position]] / [1, null]                                   ; has it so far / stop
 *   pull     = [1, app, [1*collection], bytesMax, [1*[author b32, cursor / null]]]
 *   pulled   = [1, source b32, [*share]]
 *   share    = [0, batch] / [1, [author b32, epoch, head]] / [2, [author b32]]
 *              ; what is new / reconcile / not hosted
 *   cursor   = [source b32, epoch uint, position uint]
 */

/** A place in one source's arrival log. Worth nothing on another source, or in another epoch of its log. */
export interface Cursor {
  readonly source: Uint8Array
  readonly epoch: number
  readonly position: number
}

/** The end of a source's arrival log of one author. */
export interface Head {
  readonly epoch: number
  readonly head: number
}

export interface AuthorCursor {
  readonly author: Uint8Array
  /** Undefined: from now on. What is older is read as a list. */
  readonly cursor: Cursor | undefined
}

/** Replaces what this serving node asked for before about these authors; may be repeated. */
export interface Follow {
  readonly app: string
  readonly collections: readonly string[]
  /** `wait`: nobody here looks at present, the serving node pulls when somebody does. */
  readonly mode: 'push' | 'wait'
  readonly authors: readonly AuthorCursor[]
}

export type Stand =
  | ({ readonly state: 'following' } & Head)
  /** The cursor is of another source or epoch, or too old: reconcile the stream's set, then go on from head. */
  | ({ readonly state: 'reconcile' } & Head)
  | { readonly state: 'notHosted' }
  | { readonly state: 'refused' }

/** In the order of the request. */
export interface Followed {
  readonly source: Uint8Array
  readonly authors: readonly { readonly author: Uint8Array; readonly stand: Stand }[]
}

export interface Stop {
  readonly app: string
  readonly collections: readonly string[]
  readonly authors: readonly Uint8Array[]
}

/** All records of the followed collections that arrived after `after` up to and with `through`. */
export interface Batch {
  readonly author: Uint8Array
  readonly epoch: number
  readonly after: number
  readonly through: number
  readonly head: number
  /** Ascending. */
  readonly entries: readonly StreamEntry[]
}

export interface StreamEntry {
  readonly position: number
  readonly record: Uint8Array
}

export interface Push {
  /** Whose arrival log the positions are of: not the sender, when a relay sends. */
  readonly source: Uint8Array
  readonly app: string
  readonly batches: readonly Batch[]
}

/** `has`: everything up to this position is on disk there. `stop`: nobody there follows any more. */
export type Receipt =
  | { readonly state: 'has'; readonly epoch: number; readonly position: number }
  | { readonly state: 'stop' }

export interface Pushed {
  readonly authors: readonly { readonly author: Uint8Array; readonly receipt: Receipt }[]
}

export interface Pull {
  readonly app: string
  readonly collections: readonly string[]
  readonly bytesMax: number
  readonly authors: readonly AuthorCursor[]
}

export type Share =
  | ({ readonly state: 'batch' } & Batch)
  | ({ readonly state: 'reconcile'; readonly author: Uint8Array } & Head)
  | { readonly state: 'notHosted'; readonly author: Uint8Array }

export interface Pulled {
  readonly source: Uint8Array
  readonly shares: readonly Share[]
}
