import { scopeContains, scopeDepth, scopeParent } from '../scope.ts'
import { searchLimits } from './limits.ts'

/** An aggregator that may be asked, from an advert that has not expired or from one's own registration. */
export interface KnownAggregator {
  /** 64 hex digits. */
  readonly node: string
  readonly scope: string
}

/** All that the decision rests on. The driver carries the step out, notes what came of it, and asks again. */
export interface PlanView {
  readonly scope: string
  /** Forwarding steps left. */
  readonly hops: number
  /** Scopes that this node aggregates for the app. */
  readonly covers: readonly string[]
  /** In order of preference: near, fresh and complete first. */
  readonly known: readonly KnownAggregator[]
  /** Nodes that failed or refused during this query. */
  readonly failed: ReadonlySet<string>
  /** Scopes looked up in the DHT without result, during this query or lately. */
  readonly absent: ReadonlySet<string>
}

export type PlanStep =
  /** Answer from this node's index of `level`; `filtered` when that lies above the asked scope. */
  | { readonly action: 'here'; readonly level: string; readonly filtered: boolean }
  | { readonly action: 'ask'; readonly node: string; readonly level: string; readonly filtered: boolean }
  /** Look the scope's aggregators up in the DHT: add what is found to `known`, else the scope to `absent`. */
  | { readonly action: 'find'; readonly level: string }
  /** Ask these for statistics, then for hits, and merge. `missing` are children left out for width. */
  | {
      readonly action: 'scatter'
      readonly children: readonly KnownAggregator[]
      readonly missing: readonly string[]
    }
  /** Nobody can be asked from here; these may know more. */
  | { readonly action: 'refer'; readonly to: readonly KnownAggregator[] }

/**
 * The next step for a query: here if covered; else the aggregator that is known; else look for one; else the nearest
 * ancestor with a filter; else the children that exist, bounded in width; else say where to ask. Never the leaves
 * one by one. Every step that fails takes away its own ground, so that a driver that notes results comes to an end.
 *
 * An ancestor's answer is not complete by itself: sections that climb to the asked scope but not as high as the
 * ancestor never reached it.
 */
export function nextStep(view: PlanView): PlanStep {
  const { scope } = view
  if (view.covers.includes(scope)) return { action: 'here', level: scope, filtered: false }
  if (view.hops > 0) {
    const exact = usable(view, scope)
    if (exact !== undefined) return ask(exact, false)
    if (!view.absent.has(scope)) return { action: 'find', level: scope }
  }
  let finds = 0
  for (let level = scopeParent(scope); level !== undefined; level = scopeParent(level)) {
    if (view.covers.includes(level)) return { action: 'here', level, filtered: true }
    if (view.hops === 0) continue
    const ancestor = usable(view, level)
    if (ancestor !== undefined) return ask(ancestor, true)
    if (++finds <= searchLimits.ancestorFindsMax && !view.absent.has(level)) return { action: 'find', level }
  }
  const below = childrenOf(view)
  if (view.hops > 0 && below.length > 0) {
    return {
      action: 'scatter',
      children: below.slice(0, searchLimits.scatterWidthMax),
      missing: below.slice(searchLimits.scatterWidthMax).map((child) => child.scope),
    }
  }
  return { action: 'refer', to: referrals(view) }
}

function ask({ node, scope }: KnownAggregator, filtered: boolean): PlanStep {
  return { action: 'ask', node, level: scope, filtered }
}

function usable({ known, failed }: PlanView, scope: string): KnownAggregator | undefined {
  return known.find((aggregator) => aggregator.scope === scope && !failed.has(aggregator.node))
}

/** One aggregator for each of the highest scopes below the asked one: disjoint, so that counts add up. */
function childrenOf(view: PlanView): KnownAggregator[] {
  const below = view.known
    .filter(
      ({ node, scope }) => scope !== view.scope && scopeContains(view.scope, scope) && !view.failed.has(node),
    )
    .map((aggregator, preference) => ({ aggregator, preference }))
    .sort(
      (a, z) =>
        scopeDepth(a.aggregator.scope) - scopeDepth(z.aggregator.scope) || a.preference - z.preference,
    )
  const chosen: KnownAggregator[] = []
  for (const { aggregator } of below) {
    if (!chosen.some(({ scope }) => scopeContains(scope, aggregator.scope))) chosen.push(aggregator)
  }
  return chosen
}

/** Who is nearest to the scope: those that share most of its path. */
function referrals(view: PlanView): KnownAggregator[] {
  const shared = (scope: string): number => {
    let level: string | undefined = view.scope
    while (level !== undefined && !scopeContains(level, scope)) level = scopeParent(level)
    return level === undefined ? -1 : scopeDepth(level)
  }
  return view.known
    .filter(({ node, scope }) => !view.failed.has(node) && shared(scope) >= 0)
    .sort((a, z) => shared(z.scope) - shared(a.scope))
    .slice(0, searchLimits.scatterWidthMax)
}
