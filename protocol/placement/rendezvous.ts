import { concatBytes } from '../bytes.ts'

/** A node that is willing to hold a shard, as the chooser sees it. */
export interface Candidate {
  /** Ed25519 public key, 32 bytes. */
  readonly node: Uint8Array
  /** Trust, free quota, uptime and latency folded into one positive number. */
  readonly weight: number
  /** What fails together: the operator's name. */
  readonly operator: string
  /** What fails together: the address prefixes it is reached at. */
  readonly prefixes: readonly string[]
  /** Scope of the place it stands in, such as `/geo/africa/ng/lagos`. */
  readonly region: string
}

export interface ChoiceRules {
  /** How many to choose. */
  readonly count: number
  /** The holders that stay: nobody is chosen who shares a failure domain with one of these. */
  readonly held: readonly Candidate[]
  /** Region of the home node; near ones come first. */
  readonly near: string
}

/**
 * Weighted rendezvous hashing: each node draws a score from hash(shard, node), stretched by its weight, and the
 * highest win. When a node comes or goes only the shards that it wins or held move. Then the rules: never two in
 * one failure domain, near ones first, but at least one elsewhere when there is one.
 */
export function chooseHolders(
  sha256: (bytes: Uint8Array) => Uint8Array,
  shard: Uint8Array,
  candidates: readonly Candidate[],
  rules: ChoiceRules,
): Candidate[] {
  const ranked = candidates
    .filter((candidate) => candidate.weight > 0)
    .map((candidate) => ({ candidate, score: score(sha256, shard, candidate) }))
    .toSorted((a, b) => b.score - a.score)
    .map(({ candidate }) => candidate)
  const home = vicinityOf(rules.near)
  const isNear = ({ region }: Candidate): boolean => vicinityOf(region) === home
  const near: Candidate[] = []
  const far: Candidate[] = []
  for (const candidate of ranked) (isNear(candidate) ? near : far).push(candidate)
  const farIsHeld = rules.held.some((holder) => !isNear(holder))

  const chosen: Candidate[] = []
  const take = (from: readonly Candidate[], upTo: number): void => {
    for (const candidate of from) {
      if (chosen.length >= upTo) return
      if (chosen.includes(candidate)) continue
      if ([...rules.held, ...chosen].some((other) => failTogether(candidate, other))) continue
      chosen.push(candidate)
    }
  }
  if (!farIsHeld && rules.count > 0) take(far, 1)
  take(near, rules.count)
  take(far, rules.count)
  return chosen
}

/** Same node, same operator or a shared address prefix. */
export function failTogether(a: Candidate, b: Candidate): boolean {
  return (
    a.operator === b.operator ||
    a.prefixes.some((prefix) => b.prefixes.includes(prefix)) ||
    sameNode(a.node, b.node)
  )
}

/** Near means the same scope one level below the root: for /geo, the same continent. */
function vicinityOf(region: string): string {
  let end = -1
  for (let slashes = 0; slashes < 3; slashes++) {
    end = region.indexOf('/', end + 1)
    if (end < 0) return region
  }
  return region.slice(0, end)
}

function sameNode(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** -weight / ln(u), u uniform in (0, 1): the chance to come first is proportional to the weight. */
function score(sha256: (bytes: Uint8Array) => Uint8Array, shard: Uint8Array, candidate: Candidate): number {
  const hash = sha256(concatBytes(shard, candidate.node))
  const bits = new DataView(hash.buffer, hash.byteOffset).getUint32(0) * 2 ** 21 + ((hash[4] as number) << 13)
  return -candidate.weight / Math.log((bits + 1) / (2 ** 53 + 1))
}
