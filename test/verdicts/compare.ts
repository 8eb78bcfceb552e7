import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { cryptoProviders } from '../support/crypto-providers.ts'
import { OddCases } from './cases.ts'
import { ruleAccepts } from './rule.ts'

type Verifier = Pick<CryptoProvider, 'name' | 'verifyStrict'>

export interface Disagreement {
  readonly index: number
  readonly kind: string
  /** Of every provider, and of the rule stated apart from them; what was thrown is a verdict too. */
  readonly verdicts: Readonly<Record<string, boolean | string>>
  readonly message: string
  readonly signature: string
  readonly key: string
  readonly replay: string
}

export interface Compared {
  readonly cases: number
  readonly accepted: number
  readonly refused: number
  readonly disagreements: readonly Disagreement[]
  readonly providers: readonly string[]
  readonly kinds: Readonly<Record<string, { readonly accepted: number; readonly refused: number }>>
}

/** More of them say nothing new. */
export const disagreementsMax = 100

/** The verdicts of all providers on cases `from` to `from + count - 1` of a seed. */
export function compareVerdicts(
  seed: number,
  from: number,
  count: number,
  providers: readonly Verifier[] = cryptoProviders.filter(({ isHere }) => isHere).map(({ make }) => make()),
): Compared {
  const odd = new OddCases(seed)
  const disagreements: Disagreement[] = []
  const kinds: Record<string, { accepted: number; refused: number }> = {}
  let accepted = 0
  for (let index = from; index < from + count; index++) {
    const { kind, message, signature, key } = odd.at(index)
    const expected = ruleAccepts(odd.points, message, signature, key)
    const verdicts: Record<string, boolean | string> = { rule: expected }
    for (const provider of providers) {
      try {
        verdicts[provider.name] = provider.verifyStrict(message, signature, key)
      } catch (error) {
        verdicts[provider.name] = String(error)
      }
    }
    const counted = (kinds[kind] ??= { accepted: 0, refused: 0 })
    counted[expected ? 'accepted' : 'refused']++
    if (expected) accepted++
    if (Object.values(verdicts).every((verdict) => verdict === expected)) continue
    if (disagreements.length === disagreementsMax) continue
    disagreements.push({
      index,
      kind,
      verdicts,
      message: toHex(message),
      signature: toHex(signature),
      key: toHex(key),
      replay: `npm run verdicts -- --seed ${seed} --from ${index} --cases 1`,
    })
  }
  const names = providers.map(({ name }) => name)
  return { cases: count, accepted, refused: count - accepted, disagreements, providers: names, kinds }
}
