/** What a branch of a log weighs against another since they parted. */
import { toHex } from '../bytes.ts'
import type { SignedEntry } from './types.ts'

export interface Weight {
  /** Of its highest-ranked signer: lower is higher. */
  readonly rank: number
  /** That signer gives up its own place in it. */
  readonly revokesItself: boolean
  readonly revokes: boolean
  readonly onlyAdds: boolean
}

const unranked = Number.MAX_SAFE_INTEGER
const additions: ReadonlySet<string> = new Set(['addDevice', 'vouch', 'addMember'])

export function weigh(
  entries: readonly SignedEntry[],
  rankOf: (entry: SignedEntry) => number | undefined,
): Weight {
  const ranks = entries.map((entry) => rankOf(entry) ?? unranked)
  const rank = Math.min(unranked, ...ranks)
  const top = entries[ranks.indexOf(rank)]
  return {
    rank,
    revokesItself: top !== undefined && entries.some((entry) => isActor(top, entry) && givesUp(entry, rank)),
    revokes: entries.some(({ body }) => body.kind === 'revokeDevice' || body.kind === 'removeMember'),
    onlyAdds: entries.every(({ body }) => additions.has(body.kind)),
  }
}

/** In a person's log keys act, in a group's the members, by whichever of their devices. */
function isActor(top: SignedEntry, { author, signer }: SignedEntry): boolean {
  return toHex(author ?? signer) === toHex(top.author ?? top.signer)
}

/** The recovery key gives up its place by naming another. */
function givesUp({ author, signer, body }: SignedEntry, rank: number): boolean {
  switch (body.kind) {
    case 'revokeDevice':
      return toHex(body.device) === toHex(signer)
    case 'rotate':
      return rank === 0
    case 'removeMember':
      return author !== undefined && toHex(body.identity) === toHex(author)
    default:
      return false
  }
}
