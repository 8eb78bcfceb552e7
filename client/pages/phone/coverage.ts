import type { Coverage } from '../../../protocol/search/query.ts'
import { spanInWords } from '../parts/words.ts'
import { scopeInWords } from './places.ts'

/** How complete and how fresh an answer is: "Complete, 3 s old", "Europe did not answer". */
export function coverageInWords(
  coverage: Coverage,
  nowMs: number,
): { readonly summary: string; readonly complete: boolean } {
  const { complete, missing, sources, sourcesCurrent, asOfMs } = coverage
  const age = asOfMs === 0 ? undefined : nowMs - asOfMs
  const old = age === undefined ? '' : age < 1000 ? ', just now' : `, ${spanInWords(age)} old`
  if (complete) return { summary: `Complete${old}`, complete }
  if (missing.length > 0) {
    const places = missing.map(scopeInWords)
    const named = places.length > 3 ? [...places.slice(0, 3), `${places.length - 3} more`] : places
    return { summary: `${new Intl.ListFormat('en').format(named)} did not answer${old}`, complete }
  }
  return {
    summary: `${sourcesCurrent} of ${sources} sources up to date${old}`,
    complete,
  }
}
