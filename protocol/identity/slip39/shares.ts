/** SLIP-0039: a secret in shares of words, of which some are enough. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { decrypt, encrypt } from './cipher.ts'
import { joinSecret, splitSecret } from './shamir.ts'
import { decodeShare, encodeShare, type Share, type ShareProblem } from './share.ts'

/** Why shares do not give back a secret. */
export type JoinProblem =
  | { readonly share: number; readonly because: ShareProblem }
  | { readonly because: 'mixed' | 'twice' | 'count' | 'rounds' | 'damaged' }

/** Beyond this opening would take a minute and more; nobody's shares ask for it. */
const exponentMax = 5

/** One group of so many, of whom `threshold`, two at least, are enough. */
export function splitIntoShares(
  crypto: Pick<CryptoProvider, 'random'>,
  secret: Uint8Array,
  { threshold, count }: { readonly threshold: number; readonly count: number },
): string[][] {
  const [high, low] = crypto.random(2) as unknown as [number, number]
  const settings = { id: ((high & 0x7f) << 8) | low, isExtendable: true, exponent: 0 }
  const points = splitSecret(crypto, threshold, count, encrypt(secret, '', settings))
  return points.map(({ x, y }) =>
    encodeShare({
      ...settings,
      group: 0,
      groupThreshold: 1,
      groupCount: 1,
      member: x,
      memberThreshold: threshold,
      value: y,
    }),
  )
}

/** Needs as many shares as are enough, of as many groups as are, and none besides. */
export function joinShares(all: readonly (readonly string[])[], password = ''): Uint8Array | JoinProblem {
  const shares: Share[] = []
  for (const [i, words] of all.entries()) {
    const share = decodeShare(words)
    if ('problem' in share) return { share: i, because: share }
    shares.push(share)
  }
  const [first] = shares
  if (first === undefined) return { because: 'count' }
  if (!shares.every((share) => isOfOneSet(first, share))) return { because: 'mixed' }
  if (first.exponent > exponentMax) return { because: 'rounds' }

  const groups = new Map<number, Share[]>()
  for (const share of shares) groups.set(share.group, [...(groups.get(share.group) ?? []), share])
  const points: { x: number; y: Uint8Array }[] = []
  for (const [group, members] of groups) {
    const [one] = members as [Share]
    if (members.some(({ memberThreshold }) => memberThreshold !== one.memberThreshold))
      return { because: 'mixed' }
    if (new Set(members.map(({ member }) => member)).size < members.length) return { because: 'twice' }
    if (members.length !== one.memberThreshold) return { because: 'count' }
    const y = joinSecret(members.map(({ member: x, value }) => ({ x, y: value })))
    if (y === undefined) return { because: 'damaged' }
    points.push({ x: group, y })
  }
  if (points.length !== first.groupThreshold) return { because: 'count' }
  const sealed = joinSecret(points)
  return sealed === undefined ? { because: 'damaged' } : decrypt(sealed, password, first)
}

function isOfOneSet(a: Share, b: Share): boolean {
  return (
    a.id === b.id &&
    a.isExtendable === b.isExtendable &&
    a.exponent === b.exponent &&
    a.groupThreshold === b.groupThreshold &&
    a.groupCount === b.groupCount &&
    a.value.length === b.value.length
  )
}
