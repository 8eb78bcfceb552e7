import { asOnehopError } from '../../protocol/errors.ts'
import { scopeContains, scopeDepth, scopeHierarchy } from '../../protocol/scope.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { sumStatistics, type Statistics } from '../../protocol/search/bm25.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import { mergeRanked } from '../../protocol/search/merge.ts'
import { type KnownAggregator, nextStep } from '../../protocol/search/plan.ts'
import {
  type Coverage,
  decodeSearchAnswer,
  encodeSearchQuery,
  type PlanStepTaken,
  type SearchAnswer,
  type SearchHit,
  type SearchQuery,
} from '../../protocol/search/query.ts'
import {
  decodeStatistics,
  encodeStatistics,
  encodeStatisticsRequest,
  type StatisticsRequest,
} from '../../protocol/search/statistics-message.ts'
import { decodeBytes } from '../../storage/stored-record.ts'
import { withDeadline } from '../net/deadline.ts'
import type { NodeId } from '../net/rpc.ts'
import { type Aggregator, recordFor } from './aggregator.ts'
import { type Directory, nodeBytes } from './directory.ts'
import { searchNodeLimits } from './limits.ts'
import type { OwnShards } from './own-shards.ts'
import type { SearchParts } from './parts.ts'
import type { Send } from './uplink.ts'

export interface QueriesParts extends Pick<SearchParts, 'rpc' | 'clock' | 'log' | 'crypto'> {
  readonly directory: Directory
  readonly aggregator: Aggregator
  readonly ownShards: OwnShards
  readonly send: Send
  /** Remembers who can show the identity logs of an answer's owners. */
  readonly witness: (node: NodeId, answer: SearchAnswer) => void
}

type Found = Omit<SearchAnswer, 'plan'>

/** Carries plans out (protocol/search/plan.ts decides): here, at one other node, or at the children that exist. */
export class Queries {
  readonly #parts: QueriesParts

  constructor(parts: QueriesParts) {
    this.#parts = parts
  }

  /** From an app when `from` is undefined: then this node's own shards are a last resort. */
  answer(query: SearchQuery, from: NodeId | undefined, signal: AbortSignal): Promise<SearchAnswer> {
    const { clock } = this.#parts
    return withDeadline(clock, searchNodeLimits.queryTimeoutMs, signal, (deadline) =>
      this.#plan(query, from, deadline, signal),
    )
  }

  /** Counts of what this node indexes within the scope. */
  statistics(request: StatisticsRequest): Uint8Array {
    const index = this.#parts.aggregator.index(scopeHierarchy(request.scope))
    const names = request.clauses.map(({ name }) => name)
    return encodeStatistics(index?.statistics(request, request.clauses) ?? sumStatistics([], names))
  }

  async #plan(
    query: SearchQuery,
    from: NodeId | undefined,
    deadline: AbortSignal,
    signal: AbortSignal,
  ): Promise<SearchAnswer> {
    const { directory, aggregator, clock } = this.#parts
    const steps: PlanStepTaken[] = []
    const failed = new Set<NodeId>(from === undefined ? [] : [from])
    const absent = new Set<string>()
    // One part of a scattered query: whatever of the scope this node indexes.
    if (from !== undefined && query.hops === 0 && query.statistics !== undefined) {
      const found = this.#here(query, query.scope)
      return {
        ...found,
        plan: [this.#step('here', 'answered', query.scope, undefined, found.hits.length, 0)],
      }
    }
    while (steps.length < searchLimits.planStepsMax / 4) {
      const known = directory
        .list(query.app)
        .map(({ node, advert }): KnownAggregator => ({ node, scope: advert.scope }))
        .filter(({ scope }) => scopeHierarchy(scope) === scopeHierarchy(query.scope))
      const covers = aggregator.covers(query.app)
      for (const scope of covers) known.push({ node: this.#parts.rpc.self, scope })
      const next = nextStep({ scope: query.scope, hops: query.hops, covers, known, failed, absent })
      const startedMs = clock.monotonicMs()
      const took = (): number => (query.explain ? Math.round(clock.monotonicMs() - startedMs) : 0)
      switch (next.action) {
        case 'here': {
          const found = this.#here(query, next.level)
          steps.push(this.#step('here', 'answered', next.level, undefined, found.hits.length, took()))
          return { ...found, plan: steps }
        }
        case 'ask': {
          const answer = await this.#ask(next.node, { ...query, hops: query.hops - 1 }, deadline)
          const isAnswer =
            answer !== undefined && (answer.plan.length === 0 || answer.plan.at(-1)?.action !== 'refer')
          const outcome = answer === undefined ? 'failed' : isAnswer ? 'answered' : 'none'
          steps.push(this.#step('ask', outcome, next.level, next.node, answer?.hits.length ?? 0, took()))
          if (!isAnswer || answer === undefined) {
            signal.throwIfAborted()
            failed.add(next.node)
            break
          }
          const below = answer.plan.map((step) => ({
            ...step,
            depth: Math.min(step.depth + 1, searchLimits.hopsMax),
          }))
          return { ...answer, plan: [...steps, ...below].slice(0, searchLimits.planStepsMax) }
        }
        case 'find': {
          const isFound =
            !deadline.aborted && (await directory.find(query.app, next.level, deadline).catch(() => false))
          signal.throwIfAborted()
          steps.push(this.#step('find', isFound ? 'answered' : 'none', next.level, undefined, 0, took()))
          // Found, but only nodes that failed already: no ground to go on.
          const isUsable = directory
            .list(query.app)
            .some(({ node, advert }) => advert.scope === next.level && !failed.has(node))
          if (!isUsable) absent.add(next.level)
          break
        }
        case 'scatter': {
          const found = await this.#scatter(query, next.children, next.missing, deadline)
          for (const { node } of next.children) if (!found.answered.has(node)) failed.add(node)
          const outcome = found.answered.size === 0 ? 'failed' : 'partial'
          steps.push(this.#step('scatter', outcome, query.scope, undefined, found.answer.hits.length, took()))
          if (found.answered.size === 0) break
          return { ...found.answer, plan: steps }
        }
        case 'refer':
          return this.#refer(query, next.to, steps, from === undefined, took)
      }
    }
    return this.#refer(query, [], steps, from === undefined, () => 0)
  }

  #here(query: SearchQuery, level: string): Found {
    const { aggregator, rpc } = this.#parts
    const index = aggregator.index(scopeHierarchy(query.scope))
    const parsed = parseQuery(query.text, query.analyser)
    const names = parsed.clauses.map(({ name }) => name)
    const statistics =
      query.statistics ?? index?.statistics(query, parsed.clauses) ?? sumStatistics([], names)
    const { hits, total } = index?.search(parsed, statistics, query, query) ?? { hits: [], total: 0 }
    const coverage = aggregator.coverage(query.app, query.scope)
    return {
      hits: hits.flatMap(({ item, score }): SearchHit[] => {
        const found = aggregator.document(scopeHierarchy(query.scope), item)
        return found === undefined
          ? []
          : [{ record: recordFor(found.record, query.scope), score, scope: found.scope }]
      }),
      total,
      statistics,
      // Sections that climb to the asked scope, but not as high as this index, never came here.
      coverage: level === query.scope ? coverage : { ...coverage, complete: false },
      level,
      answeredBy: nodeBytes(rpc.self),
      referrals: [],
    }
  }

  async #ask(node: NodeId, query: SearchQuery, signal: AbortSignal): Promise<SearchAnswer | undefined> {
    try {
      const timeoutMs = searchNodeLimits.askTimeoutMs
      const reply = await this.#parts.send(node, 'search/query', encodeSearchQuery(query), {
        signal,
        timeoutMs,
      })
      const answer = decodeSearchAnswer(reply)
      this.#parts.witness(node, answer)
      return answer
    } catch (error) {
      this.#parts.log.debug('search.ask-failed', { node, code: asOnehopError(error).code })
      return undefined
    }
  }

  /** Statistics of all children first; then each scores with their sum, and the lists merge into one. */
  async #scatter(
    query: SearchQuery,
    children: readonly KnownAggregator[],
    leftOut: readonly string[],
    signal: AbortSignal,
  ): Promise<{ answer: Found; answered: Set<NodeId> }> {
    const { rpc } = this.#parts
    const { clauses } = parseQuery(query.text, query.analyser)
    const names = clauses.map(({ name }) => name)
    // A node counts what it holds once, however many of the scopes it aggregates.
    const nodes = [...new Map(children.map((child) => [child.node, child])).values()]
    const request = encodeStatisticsRequest({ ...query, clauses })
    const counted = await Promise.all(
      nodes.map(async ({ node }): Promise<[NodeId, Statistics] | undefined> => {
        try {
          const timeoutMs = searchNodeLimits.askTimeoutMs / 2
          const reply = await this.#parts.send(node, 'search/statistics', request, { signal, timeoutMs })
          return [node, decodeStatistics(reply)]
        } catch (error) {
          this.#parts.log.debug('search.statistics-failed', { node, code: asOnehopError(error).code })
          return undefined
        }
      }),
    )
    const parts = new Map(counted.filter((one) => one !== undefined))
    const statistics = query.statistics ?? sumStatistics([...parts.values()], names)
    const answers = new Map<NodeId, SearchAnswer>()
    await Promise.all(
      [...parts.keys()].map(async (node) => {
        const answer = await this.#ask(node, { ...query, hops: 0, statistics }, signal)
        if (answer !== undefined) answers.set(node, answer)
      }),
    )
    const silent = children.filter(({ node }) => !answers.has(node)).map(({ scope }) => scope)
    const merged = mergeRanked(
      [...answers.values()].map(({ hits, total }) => ({
        total,
        hits: hits.map((hit) => ({ ...hit, id: decodeBytes(hit.record).id })),
      })),
      query.limit,
    )
    const coverages = [...answers.values()].map(({ coverage }) => coverage)
    return {
      answered: new Set(answers.keys()),
      answer: {
        hits: merged.hits.map(({ record, score, scope }) => ({ record, score, scope })),
        total: merged.total,
        statistics,
        coverage: this.#together(query.scope, coverages, [...silent, ...leftOut]),
        level: children[0]?.scope ?? query.scope,
        answeredBy: nodeBytes(rpc.self),
        referrals: [],
      },
    }
  }

  /** No aggregator of the scope itself vouches that these parts are all: the scope is named as missing. */
  #together(scope: string, parts: readonly Coverage[], silent: readonly string[]): Coverage {
    const missing = new Set([...silent, ...parts.flatMap((part) => part.missing)])
    return {
      complete: false,
      sources: parts.reduce((sum, part) => sum + part.sources, silent.length),
      sourcesCurrent: parts.reduce((sum, part) => sum + part.sourcesCurrent, 0),
      asOfMs: Math.min(this.#parts.clock.nowMs(), ...parts.map((part) => part.asOfMs)),
      missing: (missing.size === 0 ? [scope] : [...missing].sort()).slice(0, searchLimits.missingScopesMax),
    }
  }

  async #refer(
    query: SearchQuery,
    to: readonly KnownAggregator[],
    steps: PlanStepTaken[],
    isOwnReader: boolean,
    took: () => number,
  ): Promise<SearchAnswer> {
    const { rpc, clock, ownShards } = this.#parts
    const parsed = parseQuery(query.text, query.analyser)
    const own = isOwnReader ? await ownShards.search(query, parsed) : undefined
    const step = own === undefined ? 'refer' : 'here'
    const outcome = own === undefined ? 'none' : 'partial'
    return {
      hits: own?.hits ?? [],
      total: own?.total ?? 0,
      statistics:
        own?.statistics ??
        query.statistics ??
        sumStatistics(
          [],
          parsed.clauses.map(({ name }) => name),
        ),
      coverage: {
        complete: false,
        sources: 0,
        sourcesCurrent: 0,
        asOfMs: clock.nowMs(),
        missing: [query.scope],
      },
      plan: [...steps, this.#step(step, outcome, query.scope, undefined, own?.hits.length ?? 0, took())],
      level: query.scope,
      answeredBy: nodeBytes(rpc.self),
      referrals: to
        .slice(0, searchLimits.scatterWidthMax)
        .map(({ node, scope }) => ({ node: nodeBytes(node), scope })),
    }
  }

  #step(
    action: PlanStepTaken['action'],
    outcome: PlanStepTaken['outcome'],
    scope: string,
    node: NodeId | undefined,
    hits: number,
    elapsedMs: number,
  ): PlanStepTaken {
    return {
      action,
      outcome,
      scope,
      node: node === undefined ? undefined : nodeBytes(node),
      depth: 0,
      hits,
      elapsedMs,
    }
  }
}

/** True when the answer came from above the scope that was asked, and so lacks what may not climb there. */
export function isFiltered(query: Pick<SearchQuery, 'scope'>, answer: Pick<SearchAnswer, 'level'>): boolean {
  return scopeDepth(answer.level) < scopeDepth(query.scope) && scopeContains(answer.level, query.scope)
}
