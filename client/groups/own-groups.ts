/**
 * Which groups a person is in, kept in their own shard, sealed for their own devices. Nodes know of groups as far as they
 * have heard; a new node, after the old one burnt, has heard of none, and this comes back with everything else.
 */
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { AppParts } from '../app-parts.ts'
import { Collection } from '../collection.ts'
import { withDeadline } from '../deadline.ts'
import type { Identity } from '../identity/identity.ts'
import { clientLimits } from '../limits.ts'
import type { CallOptions } from '../transport.ts'

export const ownSchema = defineSchema({
  onehop: 1,
  id: 'onehop.own',
  version: 1,
  title: 'What a person knows of themself',
  shard: 'owner',
  collections: {
    groups: {
      key: { field: 'group' },
      private: true,
      importance: 'high',
      fields: { group: { type: 'user', required: true }, label: { type: 'text', max: 64 } },
    },
  },
})

export interface OwnGroup {
  readonly group: IdentityId
  /** What the node that it was founded on called it. */
  readonly label: string
}

interface Noted {
  readonly group: Uint8Array
  readonly label?: string
}

/** More than anybody is in; a stolen device could note any number. */
const groupsMax = 1_024

export class OwnGroups {
  readonly #identity: Identity | undefined
  readonly #groups: Collection<Noted>
  readonly #clock: AppParts['clock']
  #noted: Promise<Map<string, OwnGroup>> | undefined

  /** `parts`: of this schema. */
  constructor(parts: AppParts, identity: Identity | undefined) {
    this.#identity = identity
    this.#clock = parts.clock
    this.#groups = new Collection<Noted>(parts, 'groups')
  }

  /** Empty on a device that may not read private data. */
  async list(options: CallOptions = {}): Promise<readonly OwnGroup[]> {
    if (!this.#mayRead) return []
    this.#noted = this.#read(options)
    this.#noted.catch(() => {
      this.#noted = undefined
    })
    return [...(await this.#noted).values()]
  }

  /** By an owner's device; what is noted already costs nothing. What cannot be told now is noted the next time. */
  async note(group: IdentityId, label = ''): Promise<void> {
    if (!this.#mayRead || this.#identity?.role !== 'owner') return
    try {
      if (this.#noted === undefined) await this.list()
      const known = (await this.#noted)?.get(toHex(group))
      if (known !== undefined && (label === '' || known.label === label)) return
      const { accepted } = await this.#groups.put({ group, ...(label === '' ? {} : { label }) })
      ;(await this.#noted)?.set(toHex(group), { group, label })
      // A command ends, and its machine may burn. What no node takes in time is in the outbox.
      await withDeadline(this.#clock, clientLimits.groupsRefreshTimeoutMs, undefined, () => accepted)
    } catch (cause) {
      if (!(cause instanceof OnehopError)) throw cause
    }
  }

  /** One that is gone for good. */
  async forget(group: IdentityId): Promise<void> {
    const { accepted } = await this.#groups.delete(group)
    ;(await this.#noted)?.delete(toHex(group))
    await withDeadline(this.#clock, clientLimits.groupsRefreshTimeoutMs, undefined, () => accepted)
  }

  async #read(options: CallOptions): Promise<Map<string, OwnGroup>> {
    const found = new Map<string, OwnGroup>()
    // Oldest first: what a stolen device notes comes last.
    for (const { value } of (await this.#groups.latest(groupsMax, options)).toReversed()) {
      const { group, label = '' } = value
      // A field that cannot be read here is missing.
      if (group instanceof Uint8Array) found.set(toHex(group), { group, label })
    }
    return found
  }

  get #mayRead(): boolean {
    return this.#identity?.boxes.newest() !== undefined
  }
}
