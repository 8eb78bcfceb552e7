import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import type { Clock } from '../protocol/ports.ts'
import { clockMs } from '../protocol/record/clock.ts'
import { isHidden, itemKey } from '../protocol/record/merge.ts'
import type {
  Fields,
  IdentityId,
  RecordHeader,
  SignedRecord,
  VerifiedRecord,
} from '../protocol/record/types.ts'
import { verifyRecord } from '../protocol/record/verify.ts'
import type { Verdict } from '../protocol/record/verify.ts'
import { decodeRecord } from '../protocol/record/wire.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { mergeSections } from '../protocol/schema/sections.ts'
import type { ItemValue } from '../protocol/schema/value.ts'
import type { Identities } from './identity/identities.ts'
import type { Item } from './item.ts'
import type { Sealing } from './sealing.ts'
import type { SeenTokens } from './seen-token.ts'
import type { CallOptions } from './transport.ts'

/** What records of an answer must be about; what is left out may be anything. */
export interface Expected {
  readonly app: string
  readonly owner?: IdentityId | undefined
  /** As it stands in the header. */
  readonly collection?: string | undefined
}

export interface ReaderParts {
  readonly schema: Schema
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly identities: Identities
  readonly sealing: Sealing
  readonly seen: SeenTokens
  readonly offsetMs: () => number
}

/** Turns what a node sent into items: bound, decode, verify, then open. Nothing of a node is believed. */
export class Reader {
  readonly #parts: ReaderParts

  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  /**
   * All of them, in order; undefined in place of one that its device signed after it was revoked. Throws for the first that
   * does not verify: a node that sends such is broken or lies. Of a revocation it may hear a moment later than this device.
   */
  async records(
    encoded: readonly Uint8Array[],
    expected: Expected,
    options: CallOptions = {},
  ): Promise<readonly (VerifiedRecord | undefined)[]> {
    const verdicts = await this.verdicts(encoded, expected, options)
    return verdicts.map((verdict) => {
      if (verdict.ok) return verdict.record
      // Told only of what the device signed: a forgery is called one, whoever it names.
      if (verdict.code === 'REVOKED') return undefined
      throw new OnehopError(verdict.code, `the node sent a record that does not verify: ${verdict.message}`)
    })
  }

  /** One verdict each, for answers in which one author's fault must not hide the others. */
  async verdicts(
    encoded: readonly Uint8Array[],
    expected: Expected,
    options: CallOptions = {},
  ): Promise<readonly Verdict[]> {
    const decoded = encoded.map((bytes) => this.#decode(bytes, expected))
    const records = decoded.filter((one) => 'header' in one)
    const ids = records.flatMap(({ header }) => [header.owner, header.author, ...groupsOf(header)])
    const states = await this.#parts.identities.gather(ids, options)
    const verdicts = await Promise.all(
      decoded.map((one) => ('header' in one ? this.#verify(one, states, options) : Promise.resolve(one))),
    )
    await this.#parts.sealing.learn(
      verdicts.flatMap((verdict) => (verdict.ok ? [verdict.record] : [])),
      options,
    )
    return verdicts
  }

  /** Undefined for what was deleted or has expired. */
  item(record: VerifiedRecord, collection: string): Item<ItemValue> | undefined {
    const { schema, clock, sealing, offsetMs } = this.#parts
    if (isHidden(record, clock.nowMs() + offsetMs())) return undefined
    const { header } = record
    const opened: Fields[] = []
    let withheld = 0
    for (const index of header.sections.keys()) {
      const fields = this.#open(() => sealing.open(record, index)?.fields)
      if (fields === undefined) withheld++
      else opened.push(fields)
    }
    return {
      owner: header.owner,
      collection,
      key: itemKey(record),
      id: record.id,
      clock: header.clock,
      writtenMs: clockMs(header.clock),
      value: mergeSections(schema, collection, opened),
      withheld,
    }
  }

  /** A section that its author filled with nonsense counts as one that cannot be read. */
  #open(open: () => Fields | undefined): Fields | undefined {
    try {
      return open()
    } catch (cause) {
      const { code } = asOnehopError(cause)
      if (code === 'BAD_MESSAGE' || code === 'TOO_LARGE') return undefined
      throw cause
    }
  }

  #decode(bytes: Uint8Array, expected: Expected): SignedRecord | (Verdict & { readonly ok: false }) {
    try {
      const record = decodeRecord(this.#parts.crypto, bytes)
      const { owner, app, collection } = record.header
      const fits =
        app === expected.app &&
        (expected.owner === undefined || equalBytes(owner, expected.owner)) &&
        (expected.collection === undefined || collection === expected.collection)
      return fits ? record : { ok: false, code: 'BAD_MESSAGE', message: 'it is not what was asked for' }
    } catch (cause) {
      const { code, message } = asOnehopError(cause)
      return { ok: false, code, message }
    }
  }

  async #verify(
    record: SignedRecord,
    states: ReadonlyMap<string, IdentityState>,
    options: CallOptions,
  ): Promise<Verdict> {
    const { crypto, identities, seen } = this.#parts
    const { header } = record
    const owner = states.get(toHex(header.owner))
    const author = states.get(toHex(header.author))
    if (owner === undefined || author === undefined)
      return { ok: false, code: 'UNKNOWN_IDENTITY', message: 'its author’s identity log is not to be had' }
    let verdict = verifyRecord(crypto, record, owner, author)
    // The device, or the member, may have been let in since the log was fetched, or a revocation may have lost; a forged
    // record costs one look-up.
    if (!verdict.ok && (verdict.code === 'FORBIDDEN' || verdict.code === 'REVOKED')) {
      const fresh = await identities.refresh(header.author, options)
      const isOwn = equalBytes(header.author, header.owner)
      const freshOwner = isOwn ? fresh : await identities.refresh(header.owner, options)
      if (fresh !== author || freshOwner !== owner) verdict = verifyRecord(crypto, record, freshOwner, fresh)
    }
    if (verdict.ok) seen.add(record)
    return verdict
  }
}

/** Whom its sections are sealed for. */
function groupsOf({ sections }: RecordHeader): IdentityId[] {
  return sections.flatMap(({ audience }) => (typeof audience === 'object' ? [audience.group] : []))
}
