import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type KnownAggregator, nextStep, type PlanStep, type PlanView } from '../../protocol/search/plan.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import { scopeContains } from '../../protocol/scope.ts'

const lagos = '/geo/africa/ng/lagos'
const view = (rest: Partial<PlanView>): PlanView => ({
  scope: lagos,
  hops: 2,
  covers: [],
  known: [],
  failed: new Set(),
  absent: new Set(),
  ...rest,
})

describe('the plan', () => {
  it('answers here when this node covers the scope, whoever else does', () => {
    expect(nextStep(view({ covers: ['/geo', lagos], known: [{ node: 'a', scope: lagos }] }))).toEqual({
      action: 'here',
      level: lagos,
      filtered: false,
    })
  })

  it('asks the aggregator it knows, the next one when that fails, then looks for one', () => {
    const known = [
      { node: 'a', scope: lagos },
      { node: 'b', scope: lagos },
    ]
    expect(nextStep(view({ known }))).toMatchObject({ action: 'ask', node: 'a', filtered: false })
    expect(nextStep(view({ known, failed: new Set('a') }))).toMatchObject({ action: 'ask', node: 'b' })
    expect(nextStep(view({ known, failed: new Set('ab') }))).toEqual({ action: 'find', level: lagos })
  })

  it('then goes to the nearest ancestor with a filter', () => {
    const known = [
      { node: 'w', scope: '/geo' },
      { node: 'c', scope: '/geo/africa' },
    ]
    const absent = new Set([lagos])
    expect(nextStep(view({ known, absent }))).toEqual({ action: 'find', level: '/geo/africa/ng' })
    absent.add('/geo/africa/ng')
    expect(nextStep(view({ known, absent }))).toEqual({
      action: 'ask',
      node: 'c',
      level: '/geo/africa',
      filtered: true,
    })
    expect(nextStep(view({ known, absent, covers: ['/geo/africa'] }))).toMatchObject({
      action: 'here',
      filtered: true,
    })
  })

  it('then asks the highest scopes below, each once, bounded in width', () => {
    const scope = '/geo'
    const absent = new Set([scope])
    const known = [
      { node: 'lagos', scope: lagos },
      { node: 'africa', scope: '/geo/africa' },
      { node: 'africa too', scope: '/geo/africa' },
      { node: 'paris', scope: '/geo/europe/fr/paris' },
      { node: 'elsewhere', scope: '/topic/jazz' },
    ]
    expect(nextStep(view({ scope, absent, known }))).toEqual({
      action: 'scatter',
      children: [known[1], known[3]],
      missing: [],
    })
    const many = Array.from({ length: 40 }, (_, n) => ({ node: `n${n}`, scope: `/geo/land-${n}` }))
    const wide = nextStep(view({ scope, absent, known: many })) as PlanStep & { action: 'scatter' }
    expect(wide.children).toHaveLength(searchLimits.scatterWidthMax)
    expect(wide.missing).toHaveLength(40 - searchLimits.scatterWidthMax)
  })

  it('sends nothing on without hops, and says who is nearest', () => {
    const known = [
      { node: 'w', scope: '/geo' },
      { node: 'k', scope: '/geo/africa/ng/kano' },
      { node: 't', scope: '/topic/jazz' },
    ]
    expect(nextStep(view({ hops: 0, known }))).toEqual({ action: 'refer', to: [known[1], known[0]] })
  })

  it('comes to an end whatever fails', () => {
    const scopes = [
      '/geo',
      '/geo/africa',
      '/geo/africa/ng',
      lagos,
      '/geo/europe',
      '/geo/africa/ng/lagos/ikeja',
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...scopes),
        fc.array(
          fc.record({
            node: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
            scope: fc.constantFrom(...scopes),
          }),
        ),
        fc.array(fc.constantFrom(...scopes)),
        fc.array(fc.record({ node: fc.constantFrom('x', 'y', 'z'), scope: fc.constantFrom(...scopes) }), {
          maxLength: 3,
        }),
        (scope, advertised, covers, inDht) => {
          let known: readonly KnownAggregator[] = advertised
          const failed = new Set<string>()
          const absent = new Set<string>()
          for (let steps = 0; ; steps++) {
            expect(steps).toBeLessThan(searchLimits.planStepsMax)
            const step = nextStep({ scope, hops: 2, covers, known, failed, absent })
            if (step.action === 'here') {
              expect(scopeContains(step.level, scope)).toBe(true)
              return
            }
            if (step.action === 'refer') return
            if (step.action === 'find') {
              known = [...known, ...inDht.filter((found) => found.scope === step.level)]
              absent.add(step.level)
            } else if (step.action === 'ask') failed.add(step.node)
            else for (const { node } of step.children) failed.add(node)
          }
        },
      ),
    )
  })
})
