/** Makes http-signature.json, as record.ts makes record.json: signed requests, good ones and ones that are refused. */
import { writeFileSync } from 'node:fs'
import { signRequest } from '../../protocol/api/http-signature.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import { seededCrypto } from '../support/people.ts'

export interface SignedCase {
  readonly name: string
  readonly method: string
  readonly authority: string
  readonly path: string
  readonly query: string
  readonly fields: Readonly<Record<string, readonly string[]>>
  /** As text; every body here is JSON. */
  readonly body: string
}

export interface RefusedCase extends SignedCase {
  /** A part of what the refusal says. */
  readonly says: string
}

export interface HttpSignatureVectors {
  readonly about: string
  readonly owner: string
  readonly deviceSeed: string
  readonly device: string
  readonly createdS: number
  readonly valid: readonly SignedCase[]
  readonly invalid: readonly RefusedCase[]
}

const crypto = seededCrypto(0x9421)
const owner = crypto.random(32)
const device = deviceFromSeed(crypto, crypto.random(32))
const node = crypto.random(32)
const createdS = 1_768_478_400
const nonce = 'q2yTQyZ7oGzVxYw1'
const keyId = `${toHex(owner)}:${toHex(device.key)}`

const target = { method: 'POST', authority: 'localhost:4180', path: '/api/v1/feed.list', query: '' }
const body = `{"owner":"${toHex(owner)}","app":"example.microblog","collection":"posts"}`

function signed(name: string, changes: Partial<SignedCase> & { readonly node?: Uint8Array } = {}): SignedCase {
  const { node: bound, ...request } = { ...target, body, ...changes }
  const claim = { owner, device: device.key, createdS, nonce, node: bound }
  const fields = signRequest(crypto, request, utf8(request.body), claim, device.seed)
  return { name, ...request, fields: Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, [value]])) }
}

const good = signed('a call')
const input = good.fields['signature-input']?.[0] as string
const signature = good.fields['signature']?.[0] as string

function refused(name: string, says: string, changes: Partial<SignedCase>): RefusedCase {
  return { ...good, ...changes, name, says }
}

/** With fields of the good one changed; null takes one out. */
function withFields(name: string, says: string, changes: Readonly<Record<string, string | string[] | null>>): RefusedCase {
  const fields = Object.entries({ ...good.fields, ...changes }).flatMap(([key, value]) =>
    value === null ? [] : [[key, typeof value === 'string' ? [value] : value] as const],
  )
  return refused(name, says, { fields: Object.fromEntries(fields) })
}

const withInput = (name: string, says: string, from: string, to: string): RefusedCase => {
  if (!input.includes(from)) throw new Error(`${from} is not in ${input}`)
  return withFields(name, says, { 'signature-input': input.replace(from, to) })
}

export function httpSignatureVectors(): HttpSignatureVectors {
  return {
    about:
      'requests signed as README.md says; invalid ones are refused with UNAUTHENTICATED, by their form or because ' +
      'the signature is not of this request',
    owner: toHex(owner),
    deviceSeed: toHex(device.seed),
    device: toHex(device.key),
    createdS,
    valid: [
      good,
      signed('for one node alone', { node }),
      signed('without a body', { method: 'GET', path: '/phone/', body: '' }),
      signed('with a query', { query: '?a=%2F&b' }),
      signed('to a name with capitals and the port of http', { authority: 'Box.Home.Example:80' }),
    ],
    invalid: [
      refused('another method', 'did not sign', { method: 'PUT' }),
      refused('another host', 'did not sign', { authority: 'localhost:4181' }),
      refused('another path', 'did not sign', { path: '/api/v1/blob.begin' }),
      refused('a query that was added', 'did not sign', { query: '?a' }),
      refused('another body', 'SHA-256 of the body', { body: body.replace('posts', 'likes') }),
      refused('no body', 'SHA-256 of the body', { body: '' }),
      withFields('another digest', 'did not sign', {
        'content-digest': 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
      }),
      withFields('a covered field that is missing', 'no "content-digest"', { 'content-digest': null }),
      withFields('Signature-Input alone', 'no signature field', { signature: null }),
      withFields('Signature alone', 'no signature-input field', { 'signature-input': null }),
      withFields('Signature-Input twice', 'twice', { 'signature-input': [input, input] }),
      withFields('two signatures', 'one signature', { 'signature-input': `${input}, other=();created=1` }),
      withFields('labels that differ', 'labels', { signature: signature.replace('onehop', 'other') }),
      withFields('no dictionary', 'not a dictionary of RFC 8941', { 'signature-input': '"@method"' }),
      withFields('a token for a list', 'no list', { 'signature-input': 'onehop=post' }),
      withFields('63 bytes', '64 bytes', { signature: `onehop=:${'A'.repeat(84)}:` }),
      withFields('text for a signature', '64 bytes', { signature: 'onehop="a"' }),
      withFields('a signature of zeros', 'did not sign', { signature: `onehop=:${'A'.repeat(86)}==:` }),
      withFields('too long', 'too long', { 'signature-input': `${input};tag="${'x'.repeat(2048)}"` }),
      withInput('another time', 'did not sign', `created=${createdS}`, `created=${createdS + 1}`),
      withInput('another nonce', 'did not sign', nonce, nonce.toLowerCase()),
      withInput('another owner', 'did not sign', keyId, `${'00'.repeat(32)}:${toHex(device.key)}`),
      withInput('created twice', 'something twice', ';nonce=', `;created=${createdS};nonce=`),
      withInput('nonce twice', 'something twice', ';keyid=', `;nonce="${nonce}";keyid=`),
      withInput('a component twice', 'covered twice', '("@method"', '("@method" "@method"'),
      withInput('two spaces between components', 'spelling', '" "@path"', '"  "@path"'),
      withInput('a component with a parameter', 'has parameters', '"@method"', '"@method";req'),
      withInput('a component in capitals', 'no name of a component', '"content-digest"', '"Content-Digest"'),
      withInput('a component that cannot be checked', 'not among', '"@query"', '"@query" "@scheme"'),
      withInput('@signature-params covered', 'not among', '"@query"', '"@query" "@signature-params"'),
      withInput('a field that the request lacks', 'no "date"', '"@query"', '"@query" "date"'),
      withInput('no method', 'does not cover "@method"', '"@method" ', ''),
      withInput('no authority', 'does not cover "@authority"', '"@authority" ', ''),
      withInput('no path', 'does not cover "@path"', '"@path" ', ''),
      withInput('no query', 'does not cover "@query"', '"@query" ', ''),
      refused('a body that is not covered', 'does not cover "content-digest"', {
        fields: signed('', { body: '' }).fields,
      }),
      withInput('no time', 'when it was created', `;created=${createdS}`, ''),
      withInput('a time that is no integer', 'whole seconds', `created=${createdS}`, `created=${createdS}.5`),
      withInput('a time before 1970', 'whole seconds', `created=${createdS}`, 'created=-1'),
      withInput('no nonce', 'nonce', `;nonce="${nonce}"`, ''),
      withInput('a short nonce', 'nonce', nonce, nonce.slice(1)),
      withInput('a long nonce', 'nonce', nonce, 'a'.repeat(65)),
      withInput('a nonce with a space', 'nonce', nonce, `${nonce} `),
      withInput('no key', 'keyid', `;keyid="${keyId}"`, ''),
      withInput('half a key', 'keyid', keyId, toHex(owner)),
      withInput('a key in capitals', 'keyid', keyId, keyId.toUpperCase()),
      withInput('three keys', 'keyid', keyId, `${keyId}:${toHex(owner)}`),
      withInput('no algorithm', 'alg', ';alg="ed25519"', ''),
      withInput('another algorithm', 'alg', 'ed25519', 'hmac-sha256'),
      withInput('a tag of somebody else', 'tag', ';alg=', ';tag="app-123";alg='),
      withInput('a parameter that nobody knows', 'nobody knows', ';alg=', ';level=1;alg='),
    ],
  }
}

if (import.meta.main)
  writeFileSync(
    new URL('http-signature.json', import.meta.url),
    `${JSON.stringify(httpSignatureVectors(), undefined, 2)}\n`,
  )
