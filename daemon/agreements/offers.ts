import { utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { decodeAs, struct, text, uint } from '../../protocol/shape.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { NodeId } from '../net/rpc.ts'
import type { Pacts } from './pacts.ts'

const kind = 'offer'
const shape = struct({ to: text(limits.scopeBytesMax), bytes: uint() })
const offersMax = 256

/** To whom so many bytes are offered: `anyone`, a place such as `/geo/africa/ng`, or a node by its id. */
export interface Offer {
  readonly to: string
  readonly bytes: number
  readonly source: 'config' | 'offer' | 'pact'
}

/**
 * What this node offers to keep for others, and to whom: nothing to strangers unless somebody says so. Of several offers the one
 * that names the asker most closely counts: a pact, the node, the smallest place, anyone. Bytes of an offer to many are shared among them.
 */
export class Offers {
  readonly #store: Pick<Store, 'documents' | 'write'>
  readonly #config: Pick<Config['hosting'], 'offerTo' | 'offerBytes'>
  readonly #pacts: Pick<Pacts, 'get'>
  readonly #made = new Map<string, number>()

  private constructor(
    store: Pick<Store, 'documents' | 'write'>,
    config: Pick<Config['hosting'], 'offerTo' | 'offerBytes'>,
    pacts: Pick<Pacts, 'get'>,
  ) {
    this.#store = store
    this.#config = config
    this.#pacts = pacts
  }

  static async open(
    store: Pick<Store, 'documents' | 'write'>,
    config: Pick<Config['hosting'], 'offerTo' | 'offerBytes'>,
    pacts: Pick<Pacts, 'get'>,
  ): Promise<Offers> {
    const offers = new Offers(store, config, pacts)
    for (const { bytes } of await store.documents.list(kind, { limit: offersMax })) {
      const offer = decodeAs(shape, bytes, kind)
      offers.#made.set(offer.to, offer.bytes)
    }
    return offers
  }

  /** Those of the config and of `onehop offer`; pacts are told apart. */
  list(): readonly Offer[] {
    const { offerTo, offerBytes } = this.#config
    const named = offerTo === 'nobody' ? [] : offerTo === 'anyone' ? ['anyone'] : offerTo
    return [
      ...named
        .filter((to) => !this.#made.has(to))
        .map((to) => ({ to, bytes: offerBytes, source: 'config' as const })),
      ...[...this.#made].map(([to, bytes]) => ({ to, bytes, source: 'offer' as const })),
    ].toSorted((a, b) => (a.to < b.to ? -1 : 1))
  }

  /** In place of what was offered to the same. No bytes: what is left is what the config says. */
  async set(to: string, bytes: number): Promise<void> {
    const key = utf8(to)
    if (bytes === 0) {
      this.#made.delete(to)
      await this.#store.documents.delete(kind, key)
      return
    }
    if (!this.#made.has(to) && this.#made.size >= offersMax)
      throw new OnehopError('NO_QUOTA', `${offersMax} offers are made already`)
    await this.#store.write((batch) => {
      this.#store.documents.putIn(batch, kind, key, encode([to, bytes]))
    })
    this.#made.set(to, bytes)
  }

  /** What counts for this node, which says that it stands in that place. */
  for(node: NodeId, region: string | undefined): Offer | undefined {
    const pact = this.#pacts.get(node)
    if (pact !== undefined) return { to: node, bytes: pact.givesBytes, source: 'pact' }
    const fitting = this.list().filter(({ to }) => to === node || to === 'anyone' || isWithin(region, to))
    const rank = ({ to }: Offer): number => (to === node ? 1_000 : to === 'anyone' ? 0 : to.length)
    return fitting.toSorted((a, b) => rank(b) - rank(a))[0]
  }
}

function isWithin(region: string | undefined, place: string): boolean {
  return region !== undefined && place.startsWith('/') && (region === place || region.startsWith(`${place}/`))
}
