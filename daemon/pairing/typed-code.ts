import type * as opaque from '@serenity-kit/opaque'
import { fromBase64Url } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { pairingLimits } from '../../protocol/pairing/limits.ts'
import { drawTypedCode, sealLink } from '../../protocol/pairing/typed-code.ts'
import type { Random } from '../../protocol/ports.ts'
import type { Operations } from '../api/operations.ts'

/** Both sides take part in the exchange within seconds, so nothing that is guessed later is worth stretching. */
const keyStretching = { 'argon2id-custom': { iterations: 1, memory: 8, parallelism: 1 } }
const userIdentifier = 'onehop'

interface Offered {
  readonly code: string
  readonly link: string
  readonly serverSetup: string
  readonly registrationRecord: string
  /** Exchanges under way: the state of each, by its number. */
  readonly attempts: Map<number, string>
  begun: number
}

type TypedCodeOperations = Pick<Operations, 'pair.begin' | 'pair.finish'>

/** The eleven digits that stand beside a QR, and the exchange that gives its link to whoever knows them. */
export class TypedCode {
  readonly #crypto: CryptoProvider
  readonly #random: Random
  #offered: Offered | undefined
  /** Moves on with every offer and every end of one. */
  #turn = 0

  constructor({ crypto, random }: { readonly crypto: CryptoProvider; readonly random: Random }) {
    this.#crypto = crypto
    this.#random = random
  }

  /** Of the link that is shown now; undefined when it was used up. */
  get code(): string | undefined {
    const offered = this.#offered
    return offered !== undefined && offered.begun < pairingLimits.typedTriesMax ? offered.code : undefined
  }

  /** Nothing is offered where the link was closed, or another one offered, while this was drawn up. */
  async offer(link: string): Promise<void> {
    const turn = ++this.#turn
    const { client, server } = await loadOpaque()
    if (turn !== this.#turn) return
    const code = drawTypedCode(this.#random)
    const serverSetup = server.createSetup()
    const { clientRegistrationState, registrationRequest } = client.startRegistration({ password: code })
    const { registrationResponse } = server.createRegistrationResponse({
      serverSetup,
      userIdentifier,
      registrationRequest,
    })
    const { registrationRecord } = client.finishRegistration({
      clientRegistrationState,
      registrationResponse,
      password: code,
      keyStretching,
    })
    this.#offered = { code, link, serverSetup, registrationRecord, attempts: new Map(), begun: 0 }
  }

  /** The link serves no more, or somebody has it. */
  close(): void {
    this.#turn++
    this.#offered = undefined
  }

  readonly operations: TypedCodeOperations = {
    // Whoever begins may guess once, and learns by the answer: beginnings are counted, not ends.
    'pair.begin': async ({ request }) => {
      // First: strangers make a node that shows nothing load nothing.
      const offered = this.#offered
      if (offered === undefined || offered.begun >= pairingLimits.typedTriesMax) throw used()
      const attempt = ++offered.begun
      const { server } = await loadOpaque()
      const { serverLoginState, loginResponse } = understood(() =>
        server.startLogin({
          serverSetup: offered.serverSetup,
          registrationRecord: offered.registrationRecord,
          startLoginRequest: request,
          userIdentifier,
        }),
      )
      offered.attempts.set(attempt, serverLoginState)
      return { attempt, response: loginResponse }
    },
    'pair.finish': async ({ attempt, finish }) => {
      const offered = this.#offered
      const serverLoginState = offered?.attempts.get(attempt)
      if (offered === undefined || serverLoginState === undefined) throw used()
      offered.attempts.delete(attempt)
      const { server } = await loadOpaque()
      const { sessionKey } = understood(() =>
        server.finishLogin({ serverLoginState, finishLoginRequest: finish }),
      )
      const key = fromBase64Url(sessionKey) as Uint8Array
      this.close()
      return { link: sealLink(this.#crypto, key, offered.link) }
    },
  }
}

/** Loaded when a code is shown first: most runs of a node never pair. */
async function loadOpaque(): Promise<typeof opaque> {
  const loaded = await import('@serenity-kit/opaque')
  await loaded.ready
  return loaded
}

/** What it throws tells a stranger nothing, and us as little. */
function understood<T>(exchange: () => T): T {
  try {
    return exchange()
  } catch (cause) {
    throw new OnehopError('PAIRING_BURNT', 'the code is another one', {
      cause,
      help: 'Compare it with what the node shows; after three tries show a new one.',
    })
  }
}

function used(): OnehopError {
  return new OnehopError('PAIRING_BURNT', 'the node shows no code, or it was tried too often', {
    help: 'Show a new one at the node: onehop pair, or its dashboard.',
  })
}
