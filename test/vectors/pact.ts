/** Makes pact.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { toBase64Url, toHex, utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import { invitationLimits, invitationLink, type Invitation } from '../../protocol/placement/invitation.ts'
import { encodePact, packPact, signPact, type Pact } from '../../protocol/placement/pact.ts'
import { writtenMs } from '../support/people.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { plain } from './record.ts'
import { framing, invalidCases, raw, type InvalidCase, type Wire } from './wire.ts'

interface Good {
  readonly name: string
  readonly bytes: string
  readonly value: unknown
}

export interface PactVectors {
  readonly about: string
  readonly seeds: { readonly inviter: string; readonly invited: string }
  readonly valid: readonly Good[]
  readonly unsigned: readonly { readonly name: string; readonly bytes: string }[]
  readonly invalid: readonly InvalidCase[]
  readonly invitations: {
    readonly valid: readonly (Omit<Good, 'bytes'> & { readonly link: string })[]
    readonly invalid: readonly { readonly name: string; readonly code: string; readonly link: string }[]
  }
}

export function pactVectors(): PactVectors {
  const random = createSeededRandom(0x9ac7)
  const crypto = nodeCrypto((length) => random.bytes(length))
  const [inviterSeed, invitedSeed, secret] = [random.bytes(32), random.bytes(32), random.bytes(16)]
  const [inviter, invited] = [inviterSeed, invitedSeed].map((seed) => crypto.signingPublicKey(seed))
  if (inviter === undefined || invited === undefined) throw new Error('two keys')
  const gb = 2 ** 30
  const pact: Pact = { inviter, invited, inviterBytes: 10 * gb, invitedBytes: 10 * gb, madeMs: writtenMs }
  const packed = (of: Pact, seeds = [inviterSeed, invitedSeed]): Uint8Array => {
    const document = encodePact(of)
    const [one, other] = seeds.map((seed) => signPact(crypto, document, seed))
    return packPact(document, one as Uint8Array, other as Uint8Array)
  }
  const most = Number.MAX_SAFE_INTEGER
  const valid: Record<string, Pact> = {
    'ten gigabytes each way': pact,
    'a gift of the inviter': { ...pact, invitedBytes: 0 },
    'the largest numbers': { ...pact, inviterBytes: most, invitedBytes: most, madeMs: most },
  }
  const items: readonly unknown[] = [contexts.pact, 1, inviter, invited, pact.inviterBytes, pact.invitedBytes, pact.madeMs]
  const signed = (document: Uint8Array): Wire =>
    raw(
      encode([document, signPact(crypto, document, inviterSeed), signPact(crypto, document, invitedSeed)]),
    )
  const changed = (at: number, value: unknown): Wire => signed(encode(items.with(at, value)))
  const document = encodePact(pact)
  const zeros = new Uint8Array(64)
  const unsigned = {
    'the invited signs for both': packed(pact, [invitedSeed, invitedSeed]),
    'the inviter signs for both': packed(pact, [inviterSeed, inviterSeed]),
    'the inviter did not sign': packPact(document, zeros, signPact(crypto, document, invitedSeed)),
    'the invited did not sign': packPact(document, signPact(crypto, document, inviterSeed), zeros),
    'signed for another purpose': packPact(
      document,
      ...([inviterSeed, invitedSeed].map((seed) =>
        crypto.sign(signedMessage(contexts.lease, document), seed),
      ) as [Uint8Array, Uint8Array]),
    ),
  }
  const invitation: Invitation = {
    ...{ node: inviter, secret, addresses: ['/ip4/192.0.2.7/tcp/4181'] },
    ...{ inviterBytes: 10 * gb, invitedBytes: 5 * gb, name: 'Ada’s box', lifetimeS: 604_800 },
  }
  const invitations: Record<string, Invitation> = {
    'for a week': invitation,
    'from a node without a name or an address': { ...invitation, name: '', addresses: [] },
    'a gift': { ...invitation, invitedBytes: 0 },
  }
  const { node, addresses, inviterBytes, invitedBytes, name, lifetimeS } = invitation
  const fragment: readonly unknown[] = [1, node, secret, addresses, inviterBytes, invitedBytes, name, lifetimeS]
  const scheme = 'onehop-invitation:'
  const link = (value: unknown): string => `${scheme}${toBase64Url(encode(value))}`
  const bad = (refused: string, value: string) => ({ name: refused, code: 'BAD_MESSAGE', link: value })
  return {
    about:
      'what two neighbours agree on, and the invitation that leads to it; bytes in hex. Unsigned ones are pacts, but not of ' +
      'the two whom they name',
    seeds: { inviter: toHex(inviterSeed), invited: toHex(invitedSeed) },
    valid: Object.entries(valid).map(([title, value]) => ({
      name: title,
      bytes: toHex(packed(value)),
      value: plain(value),
    })),
    unsigned: Object.entries(unsigned).map(([title, bytes]) => ({ name: title, bytes: toHex(bytes) })),
    invalid: invalidCases({
      ...framing(packed(pact)),
      'another context': changed(0, contexts.lease),
      'version of tomorrow': changed(1, 2),
      'an inviter of 31 bytes': changed(2, inviter.subarray(1)),
      'nobody invited': changed(3, null),
      'fewer than no bytes': changed(4, -1),
      'half a byte': changed(5, 0.5),
      'no date': changed(6, null),
      'one item too many': signed(encode([...items, null])),
      'one item too few': signed(encode(items.slice(0, -1))),
      'one signature': raw(encode([document, signPact(crypto, document, inviterSeed)])),
      'a signature of 63 bytes': raw(encode([document, zeros.subarray(1), zeros])),
    }),
    invitations: {
      valid: Object.entries(invitations).map(([title, value]) => ({
        name: title,
        link: invitationLink(value),
        value: plain(value),
      })),
      invalid: [
        bad('a page', 'http://192.0.2.7:4180/phone/'),
        bad('nothing', ''),
        bad('no base64url', `${scheme}AA=`),
        bad('no CBOR', `${scheme}${toBase64Url(utf8('hello'))}`),
        bad('a secret of 15 bytes', link(fragment.with(2, secret.subarray(1)))),
        bad('a node in hex', link(fragment.with(1, toHex(node)))),
        bad('an address that is no text', link(fragment.with(3, [1]))),
        bad('a lifetime of nothing', link(fragment.with(7, 0))),
        bad('a lifetime of a century', link(fragment.with(7, invitationLimits.lifetimeSMax + 1))),
        bad('of version 0', link(fragment.with(0, 0))),
        bad('one item too many', link([...fragment, null])),
        { name: 'of a later version', code: 'UNSUPPORTED', link: link([2, 'whatever']) },
        { name: 'too long', code: 'TOO_LARGE', link: `${scheme}${'A'.repeat(5_000)}` },
      ],
    },
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(pactVectors(), undefined, 1)}\n`
  writeFileSync(new URL('pact.json', import.meta.url), text)
}
