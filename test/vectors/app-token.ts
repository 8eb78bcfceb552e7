/** Makes app-token.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { signAppGrant, type AppGrant } from '../../protocol/api/app-token.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { concatBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import { seededCrypto, writtenMs } from '../support/people.ts'
import { plain } from './record.ts'
import { framing, invalidCases, raw, type InvalidCase, type Wire } from './wire.ts'

export interface AppTokenVectors {
  readonly about: string
  readonly valid: readonly {
    readonly name: string
    readonly bytes: string
    /** Of the device. */
    readonly seed: string
    readonly value: unknown
  }[]
  readonly unsigned: readonly { readonly name: string; readonly bytes: string }[]
  readonly invalid: readonly InvalidCase[]
}

export function appTokenVectors(): AppTokenVectors {
  const crypto = seededCrypto(0xa99)
  const [seed, otherSeed, node] = [crypto.random(32), crypto.random(32), crypto.random(32)]
  const [id, identity] = [crypto.random(32), crypto.random(32)]
  const device = crypto.signingPublicKey(seed)
  const grant: AppGrant = {
    node,
    id,
    identity,
    device,
    app: 'example.microblog',
    label: 'Reader',
    origin: 'https://reader.example',
    scopes: [
      { collection: 'posts', access: 'read' },
      { collection: 'likes', access: 'write' },
    ],
    expiresMs: writtenMs,
  }
  const valid: Record<string, AppGrant> = {
    'two collections, for a site': grant,
    'the whole app, for a program': {
      ...grant,
      origin: undefined,
      scopes: [{ collection: undefined, access: 'write' }],
    },
    'a site with a port': { ...grant, origin: 'http://192.0.2.7:8080' },
    'as many collections as there may be': {
      ...grant,
      scopes: Array.from({ length: apiLimits.tokenScopesMax }, (_, i) => ({ collection: `c${i}`, access: 'read' })),
    },
  }
  const items: readonly unknown[] = [
    ...[contexts.appToken, 1, node, id, identity, device, grant.app, grant.label, grant.origin],
    [
      ['posts', 0],
      ['likes', 1],
    ],
    grant.expiresMs,
  ]
  const document = encode(items)
  const signature = crypto.sign(signedMessage(contexts.appToken, document), seed)
  const unsigned: Record<string, Uint8Array> = {
    'another key signs': signAppGrant(crypto, grant, otherSeed),
    'a signature of zeros': encode([document, new Uint8Array(64)]),
    'a longer time than was signed': encode([encode(items.with(10, writtenMs + 1)), signature]),
    'another node than signed': encode([encode(items.with(2, id)), signature]),
    'more than was signed': encode([encode(items.with(9, [[null, 1]])), signature]),
    'signed for another purpose': encode([
      document,
      crypto.sign(signedMessage(contexts.session, document), seed),
    ]),
    'signed without its context': encode([document, crypto.sign(document, seed)]),
  }
  const signed = (bytes: Uint8Array): Wire =>
    raw(encode([bytes, crypto.sign(signedMessage(contexts.appToken, bytes), seed)]))
  const changed = (at: number, value: unknown): Wire => signed(encode(items.with(at, value)))
  return {
    about:
      'what people grant to apps; bytes in hex. Unsigned ones are grants, but not of the device that they name. ' +
      'Whether the device is an owner, and whether a grant is over its time, is not seen in it',
    valid: Object.entries(valid).map(([name, value]) => ({
      name,
      bytes: toHex(signAppGrant(crypto, value, seed)),
      seed: toHex(seed),
      value: plain(value),
    })),
    unsigned: Object.entries(unsigned).map(([name, bytes]) => ({ name, bytes: toHex(bytes) })),
    invalid: invalidCases({
      ...framing(signAppGrant(crypto, grant, seed)),
      'another context': changed(0, contexts.session),
      'version of tomorrow': changed(1, 2),
      'a node of 31 bytes': changed(2, node.subarray(1)),
      'no id': changed(3, null),
      'an identity in hex': changed(4, toHex(identity)),
      'a device of 33 bytes': changed(5, new Uint8Array(33)),
      'an app without a name': changed(6, ''),
      'a label of 65 bytes': changed(7, 'x'.repeat(65)),
      'no label': changed(7, null),
      'an origin with a path': changed(8, 'https://reader.example/'),
      'an origin in capitals': changed(8, 'https://Reader.example'),
      'an origin with the port of its scheme': changed(8, 'https://reader.example:443'),
      'an origin with a user': changed(8, 'https://a@reader.example'),
      'an origin of another scheme': changed(8, 'file://reader.example'),
      'the origin null, as sandboxed pages have it': changed(8, 'null'),
      'an origin of no letters': changed(8, ''),
      'no collections': changed(9, []),
      'a collection too many': changed(
        9,
        Array.from({ length: apiLimits.tokenScopesMax + 1 }, () => ['posts', 0]),
      ),
      'an access that nobody knows': changed(9, [['posts', 2]]),
      'an access in words': changed(9, [['posts', 'read']]),
      'a collection without a name': changed(9, [['', 0]]),
      'an expiry in words': changed(10, '2026'),
      'one item too many': signed(encode([...items, null])),
      'one item too few': signed(encode(items.slice(0, -1))),
      'a document with a byte behind it': signed(concatBytes(document, new Uint8Array(1))),
      'a document that is not wrapped in bytes': raw(encode([items, signature])),
      'no signature': raw(encode([document])),
      'a signature of 63 bytes': raw(encode([document, signature.subarray(1)])),
    }),
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(appTokenVectors(), undefined, 1)}\n`
  writeFileSync(new URL('app-token.json', import.meta.url), text)
}
