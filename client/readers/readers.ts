import { OnehopError } from '../../protocol/errors.ts'
import type { EpochSecret } from '../../protocol/identity/box.ts'
import { toHex } from '../../protocol/bytes.ts'
import { boxEpochOf } from '../../protocol/readers/epoch.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { AppParts } from '../app-parts.ts'
import { followRequests, type FollowRequests } from './follow-requests.ts'
import { idOf } from '../id.ts'
import type { Write } from '../item.ts'
import { mayNotApprove, type Occasion, ReaderBook, type ReaderBookParts } from './reader-book.ts'
import { withoutReader, withReader, type ReaderPageList, type UnwrappedEntry } from './reader-list.ts'
import type { CallOptions } from '../transport.ts'

/** Somebody who may read what this person keeps for followers. */
export interface ApprovedReader {
  readonly identity: IdentityId
  /** Put out: reads until a new epoch begins, with what is sealed a day after the last one began. */
  readonly isLeaving: boolean
}

export interface RemoveOptions extends CallOptions {
  /** What is sealed from now on they cannot read, even where somebody was put out today already. */
  readonly urgent?: boolean | undefined
}

/** As of a write: safe on this device when it is there, then on a node, then on two. */
export type ReadersChange = Pick<Write, 'accepted' | 'durable'>

/**
 * Whom this person approved in this app. Whoever follows without that sees that there is something, and no more.
 *
 * 1. What is sealed waits for the wraps of its epoch: they are signed and in the outbox before it.
 * 2. Other devices of the person change the list as well. It is read anew before each change, and every half minute before
 *    something is sealed; of what two of them change apart, the later counts.
 */
export class Readers {
  readonly #parts: AppParts
  readonly #own: ReaderBookParts
  readonly #book: ReaderBook
  #tail: Promise<unknown> = Promise.resolve()

  constructor(parts: AppParts, own: ReaderBookParts) {
    this.#parts = parts
    this.#own = own
    this.#book = new ReaderBook(parts, own)
  }

  /** They read what was sealed before, too. Again: their keys were renewed since. */
  async approve(user: IdentityId | string, options: CallOptions = {}): Promise<ReadersChange> {
    const identity = idOf(user, 32)
    if (this.#parts.isSelf(identity)) throw new OnehopError('BAD_REQUEST', 'one reads one’s own anyhow')
    const { type, boxes } = await this.#parts.identities.refresh(identity, options)
    const box = boxes.at(-1)
    if (type !== 'person' || box === undefined) {
      throw new OnehopError('BAD_REQUEST', `${toHex(identity)} is a group`, {
        help: 'Approve its members, or name it where you write: put(value, { readers: GROUP }).',
      })
    }
    return this.#change(options, 'change', (pages) => withReader(pages, { identity, box }))
  }

  /** What they could read they still can. Takes effect with what is sealed next, once a day; at once where urgent. */
  async remove(user: IdentityId | string, options: RemoveOptions = {}): Promise<ReadersChange> {
    const identity = idOf(user, 32)
    return this.#change(options, options.urgent === true ? 'urgent' : 'change', (pages) => {
      const changed = withoutReader(pages, identity, this.#book.newestEpoch)
      if (changed === undefined)
        throw new OnehopError('NOT_FOUND', `${toHex(identity)} is no reader`, {
          help: 'app.readers.list() names those who are, and on the command line: onehop readers.',
        })
      return changed
    })
  }

  async list(options: CallOptions = {}): Promise<readonly ApprovedReader[]> {
    this.#parts.self()
    const entries = await this.#entries(options)
    return entries.flatMap(({ reader, isRemoved, epoch }) =>
      isRemoved && epoch !== this.#book.newestEpoch ? [] : [{ identity: reader, isLeaving: isRemoved }],
    )
  }

  /** Who follows and was not approved. */
  async requests(options: CallOptions = {}): Promise<FollowRequests> {
    this.#parts.self()
    return followRequests(this.#parts, await this.#entries(options), options)
  }

  /** What to seal under now, once the wraps for it are on the way. */
  async current(): Promise<EpochSecret> {
    const book = this.#book
    return this.#inTurn(async () => {
      await book.freshen()
      // A device that may not write the list seals under what there is.
      if (book.isRead && book.mayWrite) await book.settle(new Map(), 'seal')
      const epoch = book.newestEpoch
      const box = this.#own.identity?.box()
      if (epoch === undefined || box === undefined) throw mayNotApprove(this.#parts.app)
      // Whoever was shut out since could make this secret.
      if (boxEpochOf(epoch) < box.epoch) {
        const what = 'a device was revoked, and new keys for your readers were not made yet'
        throw new OnehopError('STALE', what, {
          help: "Open the app on an owner's device while a node can be reached.",
        })
      }
      return { epoch, secret: book.secretOf(epoch) }
    })
  }

  async #entries(options: CallOptions): Promise<readonly UnwrappedEntry[]> {
    return this.#inTurn(async () => {
      await this.#book.refresh(options)
      return [...this.#book.pages.values()].flat()
    })
  }

  async #change(
    options: CallOptions,
    occasion: Occasion,
    edit: (pages: ReaderPageList) => readonly [number, readonly UnwrappedEntry[]],
  ): Promise<ReadersChange> {
    this.#parts.self()
    return this.#inTurn(async () => {
      const book = this.#book
      if (!book.mayWrite) throw mayNotApprove(this.#parts.app)
      await book.refresh(options)
      const [page, entries] = edit(book.pages)
      return changeOf(await book.settle(new Map([[page, entries]]), occasion))
    })
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(action)
    this.#tail = run.catch(() => undefined)
    return run
  }
}

function changeOf(writes: readonly Write[]): ReadersChange {
  const last = writes.at(-1) as Write
  const accepted = Promise.all(writes.map((write) => write.accepted)).then(() => last.accepted)
  // Nobody has to wait for it.
  accepted.catch(() => undefined)
  return {
    accepted,
    get durable() {
      return Promise.all(writes.map((write) => write.durable)).then(() => last.durable)
    },
  }
}
