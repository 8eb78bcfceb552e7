import { openApp } from '../app.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { columns, safeText } from '../output.ts'
import { shortId } from '../units.ts'
import { coverageWords, searchOptions, searchRequest } from './search.ts'

export const explain: Command = {
  name: 'explain',
  summary: 'how a search is answered: who was asked, at which level, how long it took',
  operands: ['TEXT'],
  options: searchOptions,
  examples: [['onehop explain jazz --scope /geo/africa', 'the plan, step by step']],
  async run(call) {
    const { output } = call
    const request = searchRequest(call)
    await using opened = await openApp(call)
    const found = await opened.app.explain(request)
    const { plan, level, total, coverage, statistics } = found
    if (output.json) {
      output.line({
        level,
        total,
        hits: found.hits.length,
        plan,
        coverage,
        statistics,
        referrals: found.referrals,
        problems: found.problems,
      })
      return exitCodes.ok
    }
    output.data(
      columns([
        ['step', 'outcome', 'scope', 'node', 'hits', 'ms'].map(output.bold),
        ...plan.map((step) => [
          `${'  '.repeat(step.depth)}${step.action}`,
          step.outcome,
          safeText(step.scope),
          step.node === undefined ? '' : shortId(step.node),
          String(step.hits),
          String(step.elapsedMs),
        ]),
      ]),
    )
    for (const { node, scope } of found.referrals)
      output.data(`could be asked: ${shortId(node)} for ${safeText(scope)}`)
    output.words(`\n${coverageWords(found, output, call.context.clock.nowMs())}`)
    return exitCodes.ok
  },
}
