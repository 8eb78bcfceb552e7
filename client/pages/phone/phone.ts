/** What every screen of the phone page needs: whose phone it is, the way to the node, and what was just written. */
import { systemClock } from '../../clock.ts'
import { connect, httpTransport, markTold, microblog, replaceRecovery, untoldChanges } from '../../index.ts'
import type { App, Change, Identity, KeyStore } from '../../index.ts'
import { readHomeNode, wayToNode } from './home-node.ts'
import type { HomePage, Microblog, Post } from './post.ts'
import { readRememberedHome, rememberHome } from './remembered.ts'

/** Own posts of this visit, until the node's answers carry them. */
const writtenMax = 50

export class Phone {
  readonly keys: KeyStore
  readonly identity: Identity
  /** Newest first. */
  written: readonly Post[] = []
  home: HomePage | undefined
  /** What happened to this person's devices and words that they have not been told. */
  changes: readonly Change[] = []
  /** Shut out, but not all was done that follows from it. */
  halfShutOut: Uint8Array | undefined = undefined
  #app: Promise<App<Microblog>> | undefined
  #connected: App<Microblog> | undefined
  readonly #listeners = new Set<() => void>()

  private constructor(keys: KeyStore, identity: Identity) {
    this.keys = keys
    this.identity = identity
  }

  static async open(keys: KeyStore, identity: Identity): Promise<Phone> {
    const phone = new Phone(keys, identity)
    phone.home = await readRememberedHome(keys)
    return phone
  }

  get id(): Uint8Array {
    return this.identity.id
  }

  /** Connects at the first call, and again at the next one after a failure. */
  app(): Promise<App<Microblog>> {
    if (this.#app === undefined) {
      const opened = this.#connect()
      this.#app = opened
      opened.then(
        (app) => {
          this.#connected = app
        },
        () => {
          if (this.#app === opened) this.#app = undefined
        },
      )
    }
    return this.#app
  }

  async #connect(): Promise<App<Microblog>> {
    const home = await readHomeNode(this.keys)
    const transport = home === undefined ? httpTransport({ address: location.origin }) : await wayToNode(home)
    return await connect({
      schema: microblog,
      keys: this.keys,
      identity: this.identity,
      clock: systemClock,
      transport,
    })
  }

  /** The next call of `app` connects anew: the node may have another address, or the phone another network. */
  async reconnect(): Promise<void> {
    const before = this.#app
    this.#app = undefined
    const app = await before?.catch(() => undefined)
    await app?.close()
  }

  async setHome(page: HomePage): Promise<void> {
    this.home = page
    this.changed()
    await rememberHome(this.keys, page)
  }

  /** An owner's phone, and no words that would bring its person back. */
  get lacksWords(): boolean {
    return this.identity.role === 'owner' && this.identity.state.recovery === undefined
  }

  /** What this phone signs is refused, for its key alone. */
  get isKeyRefused(): boolean {
    return this.#connected?.outbox.isKeyRefused === true
  }

  /** The page is to be loaded anew then. */
  async renewKey(): Promise<void> {
    const app = await this.app()
    try {
      await app.renewDevice()
    } catch (error) {
      // It sends nothing more.
      await this.reconnect()
      throw error
    }
  }

  /** What other devices did since. */
  async lookAtLog(): Promise<void> {
    const app = await this.app()
    await app.refreshIdentity()
    await this.#look()
  }

  /** An older key's word for a new one, which may add and revoke others from then on. */
  async vouchFor(device: Uint8Array): Promise<void> {
    const app = await this.app()
    await app.vouchForDevice(device)
    this.changed()
    await this.#look()
  }

  async shutOut(device: Uint8Array, since?: number, leaveGroups = false): Promise<void> {
    const app = await this.app()
    const { unsigned, unrenewed } = await app.revokeDevice(device, { since, leaveGroups })
    // What only the owners of a group can do is nothing to press a button for.
    const again = unrenewed.filter(({ error }) => error.code !== 'FORBIDDEN' && error.code !== 'TOO_LARGE')
    this.halfShutOut = unsigned.length + again.length === 0 ? undefined : device
    this.changed()
    await this.#look()
  }

  /** The person has read them. */
  async knowChanges(): Promise<void> {
    await markTold(this.keys, this.changes)
    await this.#look()
  }

  async #look(): Promise<void> {
    const before = this.changes
    this.changes = await untoldChanges(this.keys, this.identity)
    // Nothing moves under a finger because nothing is new.
    if (before.length + this.changes.length > 0) this.changed()
  }

  /** Puts words in force that were written down. They stay nowhere. */
  async useWords(words: readonly string[]): Promise<void> {
    const home = await readHomeNode(this.keys)
    const transport = home === undefined ? httpTransport({ address: location.origin }) : await wayToNode(home)
    try {
      await replaceRecovery({ identity: this.identity, transport, words })
    } finally {
      await transport.close()
    }
    this.changed()
  }

  /** Adds a post of this phone, or puts its newer state in place of the older. */
  note(post: Post): void {
    const others = this.written.filter((one) => one.writtenMs !== post.writtenMs)
    this.written = [post, ...others].toSorted((a, b) => b.writtenMs - a.writtenMs).slice(0, writtenMax)
    this.changed()
  }

  /** Calls until the signal aborts. */
  onChange(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }

  changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
