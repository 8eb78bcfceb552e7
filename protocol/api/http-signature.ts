/**
 * Requests that a device signs one by one, for apps that speak plain HTTP and keep no session (RFC 9421). Which
 * components and parameters such a signature must have is ours to say: see README.md, Signed requests.
 *
 * A signature base begins with `"`, every signed document of ours with its context, so one never passes for another.
 */
import { serializeDictionary } from 'structured-headers'
import { fromHex, toHex } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import type { DeviceKey, IdentityId } from '../record/types.ts'
import { contentDigest, isDigestOf } from './content-digest.ts'
import { apiLimits } from './limits.ts'
import { signatureBase } from './signature-base.ts'
import type { HttpRequest } from './signature-base.ts'
import { formatSignatureInput, parseSignature, parseSignatureInput } from './signature-fields.ts'
import type { SignatureParameters } from './signature-fields.ts'

export type { HttpRequest } from './signature-base.ts'

export interface RequestSignature {
  readonly owner: IdentityId
  readonly device: DeviceKey
  readonly createdS: number
  readonly expiresS: number | undefined
  readonly nonce: string
  /** The one node that it is good for; undefined for whichever answers under this authority. */
  readonly node: Uint8Array | undefined
  readonly coversBody: boolean
  /** What was signed, and by that signature. */
  readonly base: Uint8Array
  readonly signature: Uint8Array
}

export interface SignatureClaim {
  readonly owner: IdentityId
  readonly device: DeviceKey
  readonly createdS: number
  /** 16 to 64 visible characters, new for each request. */
  readonly nonce: string
  readonly node?: Uint8Array | undefined
}

const required = ['@method', '@authority', '@path', '@query'] as const
const digestField = 'content-digest'
const label = 'onehop'
const tagPrefix = 'onehop:'
const unauthenticated = (message: string): OnehopError => new OnehopError('UNAUTHENTICATED', message)

/** The fields to send with the request. Content-Digest is among them where there is a body. */
export function signRequest(
  crypto: Pick<CryptoProvider, 'sign' | 'sha256'>,
  request: Omit<HttpRequest, 'field'>,
  body: Uint8Array,
  claim: SignatureClaim,
  deviceSeed: Uint8Array,
): Record<string, string> {
  const { owner, device, createdS, nonce, node } = claim
  const fields: Record<string, string> =
    body.length === 0 ? {} : { [digestField]: contentDigest(crypto, body) }
  const covered = [...required, ...Object.keys(fields)]
  const { member, text } = formatSignatureInput(
    covered,
    new Map<string, string | number>([
      ['created', createdS],
      ['nonce', nonce],
      ['keyid', `${toHex(owner)}:${toHex(device)}`],
      ['alg', 'ed25519'],
      ...(node === undefined ? [] : [['tag', `${tagPrefix}${toHex(node)}`] as const]),
    ]),
  )
  const field = (name: string): string[] | undefined =>
    fields[name] === undefined ? undefined : [fields[name]]
  const signature = new Uint8Array(
    crypto.sign(signatureBase({ ...request, field }, covered, text), deviceSeed),
  )
  return {
    ...fields,
    'signature-input': serializeDictionary(new Map([[label, member]])),
    signature: serializeDictionary(new Map([[label, [signature, new Map()]]])),
  }
}

/** Whether a request says that it is signed. One that says so must be signed well. */
export function isSigned(field: HttpRequest['field']): boolean {
  return field('signature-input') !== undefined || field('signature') !== undefined
}

/**
 * What the request claims, complete and in its form; nothing is verified yet. Throws UNAUTHENTICATED naming what is
 * wrong or missing.
 */
export function readSignature(request: HttpRequest): RequestSignature {
  const [input, signature] = ['signature-input', 'signature'].map((name) => {
    const lines = request.field(name)
    if (lines?.[0] === undefined) throw unauthenticated(`the request has no ${name} field`)
    if (lines.length > 1) throw unauthenticated(`the request has ${name} twice`)
    return lines[0]
  }) as [string, string]
  const { label: found, covered, parameters, text } = parseSignatureInput(input)
  for (const name of required)
    if (!covered.includes(name)) throw unauthenticated(`the signature does not cover "${name}"`)
  const { owner, device } = readKeyId(parameters)
  const read = readParameters(parameters)
  return {
    ...read,
    owner,
    device,
    coversBody: covered.includes(digestField),
    base: signatureBase(request, covered, text),
    signature: parseSignature(signature, found),
  }
}

/** Whether the device signed. That it belongs to the owner is for the identity log to say. */
export function verifySignature(
  crypto: Pick<CryptoProvider, 'verifyStrict'>,
  { base, signature, device }: RequestSignature,
): boolean {
  return crypto.verifyStrict(base, signature, device)
}

/** By the clock of the node alone: it says what its time is, so that the other side can mend its own. */
export function checkTime({ createdS, expiresS }: RequestSignature, nowMs: number): void {
  const nowS = Math.floor(nowMs / 1000)
  const { signatureWindowS, signatureAheadS } = apiLimits
  const apart =
    createdS < nowS - signatureWindowS
      ? `${nowS - createdS} s ago, and is good for ${signatureWindowS}`
      : createdS > nowS + signatureAheadS
        ? `${createdS - nowS} s from now, where ${signatureAheadS} are allowed`
        : expiresS !== undefined && expiresS <= nowS
          ? `to end ${nowS - expiresS} s ago`
          : undefined
  if (apart === undefined) return
  throw new OnehopError(
    'UNAUTHENTICATED',
    `the signature was made ${apart}: here it is ${new Date(nowS * 1000).toISOString()} (${nowS})`,
    { help: 'Sign again with the time of the node (node.info tells it), or set the clock of this device.' },
  )
}

/** Whether the body is what was signed. An empty one need not be covered. */
export function checkBody(
  crypto: Pick<CryptoProvider, 'sha256'>,
  { coversBody }: RequestSignature,
  field: HttpRequest['field'],
  body: Uint8Array,
): void {
  if (!coversBody) {
    if (body.length === 0) return
    throw unauthenticated(`the request has a body, and the signature does not cover "${digestField}"`)
  }
  if (!isDigestOf(crypto, field(digestField)?.join(', ') ?? '', body))
    throw unauthenticated('Content-Digest is not the SHA-256 of the body')
}

function readKeyId(parameters: SignatureParameters): { owner: IdentityId; device: DeviceKey } {
  const keyId = parameters.get('keyid')
  const [owner, device, ...more] =
    typeof keyId === 'string' ? keyId.split(':').map((part) => fromHex(part, 32)) : []
  if (owner === undefined || device === undefined || more.length > 0)
    throw unauthenticated('keyid must be IDENTITY:DEVICE, each 64 lower-case hex digits')
  return { owner, device }
}

const known: ReadonlySet<string> = new Set(['created', 'expires', 'nonce', 'keyid', 'alg', 'tag'])

function readParameters(
  parameters: SignatureParameters,
): Pick<RequestSignature, 'createdS' | 'expiresS' | 'nonce' | 'node'> {
  for (const name of parameters.keys())
    if (!known.has(name))
      throw unauthenticated(`the signature has a parameter that nobody knows: ${name.slice(0, 64)}`)
  if (parameters.get('alg') !== 'ed25519') throw unauthenticated('alg must be "ed25519"')
  const nonce = parameters.get('nonce')
  if (typeof nonce !== 'string' || !noncePattern.test(nonce))
    throw unauthenticated('nonce must be 16 to 64 visible characters, new for each request')
  const createdS = readTime('created', parameters)
  if (createdS === undefined) throw unauthenticated('the signature does not say when it was created')
  return { createdS, expiresS: readTime('expires', parameters), nonce, node: readTag(parameters.get('tag')) }
}

const noncePattern = new RegExp(
  `^[\\u0021-\\u007e]{${apiLimits.signatureNonceMin},${apiLimits.signatureNonceMax}}$`,
)

function readTime(name: 'created' | 'expires', parameters: SignatureParameters): number | undefined {
  const value = parameters.get(name)
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw unauthenticated(`${name} must be Unix time in whole seconds`)
}

function readTag(tag: unknown): Uint8Array | undefined {
  if (tag === undefined) return undefined
  const node =
    typeof tag === 'string' && tag.startsWith(tagPrefix)
      ? fromHex(tag.slice(tagPrefix.length), 32)
      : undefined
  if (node === undefined)
    throw unauthenticated('tag must be onehop:NODE, 64 lower-case hex digits, or left out')
  return node
}
