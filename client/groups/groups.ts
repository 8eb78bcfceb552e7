import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addMember,
  changeMember,
  createGroup,
  membersBehind,
  removeMember,
  type GroupSigner,
} from '../../protocol/identity/make-group.ts'
import { lastSignedBy } from '../../protocol/identity/last-entry.ts'
import { numberListHash } from '../../protocol/identity/make.ts'
import type {
  IdentityState,
  Member,
  MemberRole,
  RemovedNumbers,
  SignedEntry,
} from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { AppParts } from '../app-parts.ts'
import { askEach } from './ask-each.ts'
import { isTooLate, nextEpoch, type Unrenewed } from './group-epochs.ts'
import { shownGroup, type Group } from './group.ts'
import { requireChange } from './group-refusals.ts'
import { meetMembers, toldWith } from './group-people.ts'
import type { GroupSecrets } from './group-secrets.ts'
import { withDeadline } from '../deadline.ts'
import { idOf } from '../id.ts'
import type { Identity } from '../identity/identity.ts'
import { forgetGroup, noteGroup } from './joined-groups.ts'
import { knownGroups, type KnownGroup } from './known-groups.ts'
import { clientLimits } from '../limits.ts'
import { mayPlace } from '../../protocol/placement/may-place.ts'
import type { OwnGroup, OwnGroups } from './own-groups.ts'
import { placeShard } from '../placement.ts'
import type { PlaceOptions } from '../placement.ts'
import { recordNumbers } from '../identity/record-numbers.ts'
import { signAnew, unsignedSet, type StandingParts } from '../identity/standing-sets.ts'
import type { CallOptions } from '../transport.ts'
import type { WrittenInGroup } from '../identity/written.ts'

export interface NewMember {
  readonly identity: IdentityId | string
  readonly role: MemberRole
}

export interface GroupRequest extends PlaceOptions {
  /** Beside this person, who owns it. */
  readonly members?: readonly NewMember[] | undefined
  /** With a secret of its own, for what members alone read. True when not given. */
  readonly isSealed?: boolean | undefined
  /** What the node that it lives on calls it. */
  readonly label?: string | undefined
}

/** Clubs, labs, teams: they own shards of their own, in which their members write. */
export class Groups {
  readonly #parts: AppParts
  readonly #identity: Identity | undefined
  readonly #secrets: GroupSecrets
  readonly #looks = new Map<string, { readonly atMs: number; readonly done: Promise<void> }>()
  /** By group: when its members' logs were last asked for one by one. */
  readonly #met = new Map<string, number>()

  readonly #own: OwnGroups

  constructor(parts: AppParts, identity: Identity | undefined, secrets: GroupSecrets, own: OwnGroups) {
    this.#own = own
    this.#parts = parts
    this.#identity = identity
    this.#secrets = secrets
  }

  /** Founds a group that lives at this person's home; the home finds holders for its shard. By an owner's device. */
  async create(request: GroupRequest = {}): Promise<Group> {
    const { members = [], isSealed = true, label, ...placing } = request
    const { crypto, callHome } = this.#parts
    const options = { signal: placing.signal, timeoutMs: placing.timeoutMs }
    const signer = this.#signer()
    const named = members.map(({ identity, role }) => ({ identity: idOf(identity, 32), role }))
    for (const { identity } of named) await this.#parts.identities.get(identity, options)
    const { state } = createGroup(crypto, signer, named, { people: this.#people, isSealed })
    const hosting = {
      ...toldWith(state, state.entries, this.#people),
      ...(label === undefined ? {} : { label }),
    }
    const { identity } = signer
    // A device that was let in a moment ago the home may not know yet.
    await callHome('identity.append', { identity: identity.id, log: identity.log() }, options)
    await callHome('identity.host', hosting, options)
    await callHome('schema.put', { schema: this.#parts.schema.bytes }, options)
    await placeShard({ call: callHome }, identity, crypto, { ...placing, owner: state.id })
    await this.#own.note(state.id, label)
    return this.#shown(this.#parts.identities.learn(state))
  }

  /**
   * Those that this person is in, as far as their home has heard, and those that were opened on a device of theirs. UNREACHABLE where
   * the home does not answer: other nodes know fewer.
   */
  async list(options: CallOptions = {}): Promise<KnownGroup[]> {
    return knownGroups(this.#parts, this, this.#self().id, options)
  }

  /**
   * As nodes know it now. A member of a sealed group can read and write what is sealed for it from then on. By an owner's
   * device: its secret is renewed where a member's revoked device opens the one it has; should nobody who signed who holds it
   * be an owner now, that is signed anew.
   */
  async open(group: IdentityId | string, options: CallOptions = {}): Promise<Group> {
    const id = idOf(group, 32)
    this.#met.delete(toHex(id))
    return this.#open(id, options)
  }

  async #open(id: IdentityId, options: CallOptions): Promise<Group> {
    const state = await this.#parts.identities.refresh(id, options)
    if (state.type !== 'group') throw new OnehopError('BAD_REQUEST', `${toHex(id)} is a person`)
    if (this.#identity !== undefined && state.members.has(toHex(this.#identity.id)))
      await this.#introduce(id, options)
    const { role } = this.#shown(state)
    if (this.#identity !== undefined) await noteGroup(this.#parts.keys, this.#identity.id, state)
    if (role === undefined) return this.#shown(state)
    await this.#own.note(id)
    const { renewed, unrenewed } = await this.#renew(state, options)
    const mayChange = role === 'owner' && this.#identity?.role === 'owner'
    const shown = mayChange ? await this.#signAnew(renewed, options) : this.#shown(renewed)
    return { ...shown, unrenewed }
  }

  /** Those that the person founded or opened, as their own shard has it: wherever they live, whatever nodes know. */
  noted(options: CallOptions = {}): Promise<readonly OwnGroup[]> {
    this.#self()
    return this.#own.list(options)
  }

  /**
   * Takes it off the person's own list: one whose holders are gone for good, which would hold up every revocation. What they
   * are in it they stay.
   */
  async forget(group: IdentityId | string): Promise<void> {
    this.#signer()
    const id = idOf(group, 32)
    await forgetGroup(this.#parts.keys, id)
    await this.#own.forget(id)
  }

  /** What a device of this person's did in a group, by a node that holds it. Undefined where they are no member any more. */
  async writtenBy(
    group: IdentityId,
    device: Uint8Array,
    options: CallOptions = {},
  ): Promise<WrittenInGroup | undefined> {
    const { clock, identities } = this.#parts
    // Strangers are asked: none holds up what has to be done now.
    return withDeadline(clock, clientLimits.groupWrittenMs, options.signal, async (signal) => {
      const state = await identities.refresh(group, { signal })
      if (!state.members.has(toHex(this.#self().id))) return undefined
      await this.#introduce(group, { signal })
      const list = await recordNumbers(this.#toHolders(group), { owner: group, device }, { signal })
      return { list, lastEntry: lastSignedBy(state, device) }
    })
  }

  /** After a device of this person's was revoked: of groups that live elsewhere their home may not have heard. */
  async renewAll(groups: readonly IdentityId[], options: CallOptions = {}): Promise<readonly Unrenewed[]> {
    const opened = await askEach(groups, async (group) => {
      try {
        return await this.open(group, options)
      } catch (cause) {
        throw asOnehopError(cause)
      }
    })
    return groups.flatMap((group) => {
      const found = opened.get(toHex(group))
      const error = found instanceof OnehopError ? found : found?.unrenewed
      return error === undefined ? [] : [{ group, error }]
    })
  }

  /** Before something is sealed for the group: others may have given it another secret. What is known is good enough offline. */
  async freshen(group: IdentityId): Promise<void> {
    const name = toHex(group)
    const atMs = this.#parts.clock.monotonicMs()
    const last = this.#looks.get(name)
    // What is written meanwhile waits for the same look.
    if (last !== undefined && atMs - last.atMs < clientLimits.groupsRefreshMs) return last.done
    const done = this.#look(group)
    this.#looks.set(name, { atMs, done })
    return done
  }

  async #look(group: IdentityId): Promise<void> {
    try {
      const { clock } = this.#parts
      await withDeadline(clock, clientLimits.groupsRefreshTimeoutMs, undefined, (signal) =>
        this.#open(group, { signal }),
      )
    } catch (cause) {
      // Sealing says what is missing, if something is.
      if (!(cause instanceof OnehopError)) throw cause
    }
  }

  /** They read what was sealed before, too. */
  async add(group: IdentityId | string, member: NewMember, options: CallOptions = {}): Promise<Group> {
    const identity = idOf(member.identity, 32)
    await this.#parts.identities.refresh(identity, options)
    const added = { identity, role: member.role }
    const state = await this.#extend(group, options, (before, signer) => {
      requireChange(before, signer.person.id, { kind: 'add', ...added })
      const box = this.#secrets.newest(before.id)
      return addMember(this.#parts.crypto, before, signer, added, { people: this.#people, box })
    })
    return this.#shown(state)
  }

  async change(group: IdentityId | string, member: NewMember, options: CallOptions = {}): Promise<Group> {
    const changed = { identity: idOf(member.identity, 32), role: member.role }
    if (changed.role !== 'owner') await this.#requireAnotherSigner(idOf(group, 32), changed.identity, options)
    const state = await this.#extend(group, options, (before, signer) => {
      requireChange(before, signer.person.id, { kind: 'change', ...changed })
      return changeMember(this.#parts.crypto, before, signer, changed)
    })
    return this.#signAnew(state, options)
  }

  /** What they wrote until now stays; what is sealed from now on they cannot read. */
  async remove(
    group: IdentityId | string,
    member: IdentityId | string,
    options: CallOptions = {},
  ): Promise<Group> {
    const identity = idOf(member, 32)
    await this.#requireAnotherSigner(idOf(group, 32), identity, options)
    const person = await this.#parts.identities.refresh(identity, options)
    const numbers: RemovedNumbers[] = []
    for (const { key } of person.devices.values()) {
      const written = await this.#numbersOf(idOf(group, 32), key, options)
      if (written !== undefined) numbers.push(written)
    }
    this.#met.delete(toHex(idOf(group, 32)))
    const changed = await this.#extend(group, options, async (state, signer) => {
      requireChange(state, signer.person.id, { kind: 'remove', identity })
      // Whoever stays is given the next secret by what they can open now; what is known has to do where nobody answers.
      await this.#meet(state, options)
      const boxes = state.boxes.length === 0 ? undefined : this.#secrets.boxes(state.id)
      const before = boxes && [boxes.newest() ?? [], boxes.unlinked()].flat()
      return removeMember(this.#parts.crypto, state, signer, identity, {
        numbers,
        people: this.#people,
        before,
      }).entry
    })
    return this.#signAnew(changed, options)
  }

  async #renew(
    state: IdentityState,
    options: CallOptions,
  ): Promise<{ readonly renewed: IdentityState; readonly unrenewed: OnehopError | undefined }> {
    const { crypto } = this.#parts
    const self = this.#self()
    try {
      const unmet = await this.#meet(state, options)
      const make = (of: IdentityState) =>
        nextEpoch(crypto, of, { person: self.state, device: self.device, boxes: self.boxes }, this.#people)
      if (make(state) === undefined) return { renewed: state, unrenewed: unmet }
      // Another owner may have done it in the meantime.
      const renewed = await this.#extend(state.id, options, make)
      return { renewed, unrenewed: undefined }
    } catch (cause) {
      const error = asOnehopError(cause)
      if (!isTooLate(error)) return { renewed: state, unrenewed: error }
      // Another owner was first, most likely.
      const again = await this.#parts.identities.refresh(state.id, options)
      return { renewed: again, unrenewed: membersBehind(again, this.#people).length > 0 ? error : undefined }
    }
  }

  /**
   * Who holds the shard may have been signed by an owner who is none any more. The change itself stands, whatever comes of
   * this: whoever knows the holders goes on meanwhile, and the next owner who opens the group signs.
   */
  async #signAnew(state: IdentityState, { signal }: CallOptions): Promise<Group> {
    const shown = this.#shown(state)
    const { identity } = this.#signer()
    const parts = { ...this.#toHolders(state.id), identity, signal }
    const maySign = (key: Uint8Array): boolean => mayPlace(state, key, this.#people)
    return { ...shown, unsigned: await signAnew(parts, state.id, maySign) }
  }

  /** Who goes can sign nothing any more, and where they alone had signed newcomers would not find the group: another sees to both. */
  async #requireAnotherSigner(id: IdentityId, going: IdentityId, { signal }: CallOptions): Promise<void> {
    if (!equalBytes(going, this.#self().id)) return
    const state = await this.#parts.identities.refresh(id, { signal })
    const isAnother = ({ identity, role }: Member): boolean =>
      role === 'owner' && !equalBytes(identity, going)
    // The last owner stays, as the log says.
    if (![...state.members.values()].some(isAnother)) return
    const isOther = (key: Uint8Array): boolean =>
      mayPlace(state, key, (person) => (equalBytes(person, going) ? undefined : this.#people(person)))
    if ((await unsignedSet({ ...this.#toHolders(id), signal }, id, isOther)) === undefined) return
    throw new OnehopError('FORBIDDEN', 'you alone signed which nodes hold this group', {
      help: 'Have another of its owners take you out, or change your role: they sign in your place.',
    })
  }

  #toHolders(id: IdentityId): Pick<StandingParts, 'call' | 'crypto'> {
    const { callAbout, crypto } = this.#parts
    return { call: (operation, request, options) => callAbout(id, operation, request, options), crypto }
  }

  /** What the device wrote in the group's shard, as a removal names it. */
  async #numbersOf(
    owner: IdentityId,
    device: Uint8Array,
    options: CallOptions,
  ): Promise<RemovedNumbers | undefined> {
    const list = await recordNumbers(this.#toHolders(owner), { owner, device }, options)
    const lastNumber = list.at(-1)?.number
    if (lastNumber === undefined) return undefined
    return { device, lastNumber, listHash: numberListHash(this.#parts.crypto, owner, device, list) }
  }

  async #extend(
    group: IdentityId | string,
    options: CallOptions,
    /** Undefined: there is nothing to change any more. */
    make: (
      state: IdentityState,
      signer: GroupSigner,
    ) => SignedEntry | undefined | Promise<SignedEntry | undefined>,
  ): Promise<IdentityState> {
    const { identities, crypto } = this.#parts
    const state = await identities.refresh(idOf(group, 32), options)
    const signer = this.#signer()
    const isOwner = state.members.get(toHex(signer.person.id))?.role === 'owner'
    const entry = await make(state, signer)
    if (entry === undefined) return state
    const next = isOwner ? append(crypto, state, [entry], this.#people) : undefined
    if (next === undefined || next.dropped.has(toHex(entry.hash)))
      throw new OnehopError('FORBIDDEN', 'the log of the group does not allow that', {
        help: 'Owners alone change a group, and one of them stays.',
      })
    await this.#bring(next, [entry], options)
    return identities.learn(next)
  }

  /** To a node that holds the group's shard, with what proves who signed. */
  async #bring(state: IdentityState, entries: readonly SignedEntry[], options: CallOptions): Promise<void> {
    const told = toldWith(state, entries, this.#people)
    await this.#parts.callAbout(state.id, 'identity.append', told, options)
  }

  /** Where the group has a secret: what its members can open now is said in their logs. Whoever writes waits for that now and then. */
  async #meet(state: IdentityState, options: CallOptions): Promise<OnehopError | undefined> {
    const nowMs = this.#parts.clock.monotonicMs()
    const lastMs = this.#met.get(toHex(state.id)) ?? -Infinity
    if (state.boxes.length === 0 || nowMs - lastMs < clientLimits.groupsMeetMs) return undefined
    this.#met.set(toHex(state.id), nowMs)
    const identities = this.#parts.identities.from(this.#toHolders(state.id))
    return meetMembers(identities, state, this.#self().id, options)
  }

  /** A member lives elsewhere: the group's nodes learn of a new device when it comes. */
  async #introduce(group: IdentityId, options: CallOptions): Promise<void> {
    const self = this.#self()
    await this.#parts.callAbout(group, 'identity.append', { identity: self.id, log: self.log() }, options)
  }

  #shown(state: IdentityState): Group {
    return shownGroup(state, this.#identity?.id)
  }

  readonly #people = (id: IdentityId): IdentityState | undefined =>
    this.#identity !== undefined && equalBytes(id, this.#identity.id)
      ? this.#identity.state
      : this.#parts.identities.known(id)

  #signer(): GroupSigner & { readonly identity: Identity } {
    const identity = this.#self()
    if (identity.role !== 'owner')
      throw new OnehopError('FORBIDDEN', "only an owner's device founds and changes groups")
    return { identity, person: identity.state, device: identity.device }
  }

  #self(): Identity {
    this.#parts.self()
    return this.#identity as Identity
  }
}
