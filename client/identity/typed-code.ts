/** The way to a pairing link without a camera: eleven digits that the node shows. */
import { fromBase64Url } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { openLink, readTypedCode } from '../../protocol/pairing/typed-code.ts'
import { defaultCrypto } from '../random.ts'
import type { CallOptions, Transport } from '../transport.ts'

/** As the node has it. */
const keyStretching = { 'argon2id-custom': { iterations: 1, memory: 8, parallelism: 1 } }

/**
 * Takes part in the exchange and answers the link that `pair` takes. Whoever answers in the node's place learns neither the
 * digits nor the link. Throws BAD_REQUEST for what are no eleven digits, PAIRING_BURNT for others than the node shows.
 */
export async function linkFromCode(
  transport: Pick<Transport, 'call'>,
  typed: string,
  {
    crypto = defaultCrypto(),
    ...options
  }: CallOptions & { readonly crypto?: CryptoProvider | undefined } = {},
): Promise<string> {
  const password = readTypedCode(typed)
  // Half a megabyte, which only who types a code needs.
  const { client, ready } = await import('@serenity-kit/opaque')
  await ready
  const { clientLoginState, startLoginRequest } = client.startLogin({ password })
  const begun = await transport.call('pair.begin', { request: startLoginRequest }, options)
  const finished = answered(() =>
    client.finishLogin({ clientLoginState, loginResponse: begun.response, password, keyStretching }),
  )
  if (finished === undefined) throw otherCode()
  const finish = finished.finishLoginRequest
  const { link } = await transport.call('pair.finish', { attempt: begun.attempt, finish }, options)
  return openLink(crypto, fromBase64Url(finished.sessionKey) as Uint8Array, link)
}

function answered<T>(exchange: () => T): T {
  try {
    return exchange()
  } catch (cause) {
    throw new OnehopError('BAD_MESSAGE', 'what answers is no node that shows a code', { cause })
  }
}

function otherCode(): OnehopError {
  return new OnehopError('PAIRING_BURNT', 'the node shows another code', {
    help: 'Compare the digits. After three tries the node has to show new ones.',
  })
}
