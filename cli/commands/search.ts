import { toHex } from '../../protocol/bytes.ts'
import { isScope } from '../../protocol/scope.ts'
import { appOptions, openApp } from '../app.ts'
import type { OpenApp } from '../app.ts'
import type { Call, Command, Option } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { fieldText, itemJson } from '../item-output.ts'
import { safeText } from '../output.ts'
import type { Output } from '../output.ts'
import { counted, formatCount, formatDuration, shortId } from '../units.ts'

export const searchOptions = {
  ...appOptions,
  scope: { type: 'string', value: 'SCOPE', help: 'where, such as /geo/europe/gb' },
  collection: { type: 'string', value: 'NAME', help: 'in this collection alone' },
  limit: { type: 'string', value: 'N', help: 'how many hits (10)' },
  all: { type: 'boolean', help: 'every word must be there' },
} as const satisfies Readonly<Record<string, Option>>

const limitDefault = 10
const limitMax = 100

export type Found = Awaited<ReturnType<OpenApp['app']['search']>>

/** What `search` and `explain` ask, from the same options. */
export function searchRequest({ operands, flags }: Call) {
  const scope = flags.text('scope')
  if (scope === undefined)
    throw new UsageError('--scope is missing', 'Such as --scope /geo/europe; /geo is the world.')
  if (!isScope(scope))
    throw new UsageError(
      `--scope takes a path in lower case, not ${JSON.stringify(scope)}`,
      'Such as --scope /geo/africa/ng/lagos; /geo is the world.',
    )
  const limit = flags.count('limit') ?? limitDefault
  if (limit < 1 || limit > limitMax) throw new UsageError(`--limit takes 1 to ${limitMax}`)
  const collection = flags.text('collection')
  return {
    scope,
    text: operands[0] ?? '',
    limit,
    match: flags.on('all') ? ('all' as const) : ('any' as const),
    ...(collection === undefined ? {} : { collection }),
  }
}

export const search: Command = {
  name: 'search',
  summary: 'search a region or a topic',
  operands: ['TEXT'],
  options: searchOptions,
  examples: [
    ['onehop search "solar power" --scope /geo/africa', 'a continent'],
    [
      `onehop search '"night market" harb* -rain' --scope /geo/africa/ng`,
      'words together, a beginning, what is unwanted; lagoss~ finds Lagos',
    ],
    ['onehop search jazz --scope /geo --collection posts --json', 'the world, for programs'],
  ],
  async run(call) {
    const { output } = call
    const request = searchRequest(call)
    await using opened = await openApp(call)
    const { app, schema } = opened
    const found = await app.search(request)
    if (output.json) {
      for (const { item, score, scope } of found.hits)
        output.line({ ...itemJson(schema, item), score, scope })
    } else {
      for (const { item, scope } of found.hits) {
        const texts = Object.values(item.value as object).filter((value) => typeof value === 'string')
        output.data(
          `${output.bold(fieldText(texts[0] ?? ''))}\n  ${output.dim(`${safeText(scope)}  ${item.collection} of ${shortId(item.owner)}`)}`,
        )
      }
      output.words(`\n${coverageWords(found, output, call.context.clock.nowMs())}`)
    }
    return exitCodes.ok
  },
}

export function coverageWords(found: Found, output: Output, nowMs: number): string {
  const { coverage, total, hits, level, problems, plan } = found
  const isAlone =
    coverage.sources === 0 && plan.some(({ action, outcome }) => action === 'find' && outcome === 'none')
  const parts = [
    `${formatCount(hits.length)} of ${counted(total, 'hit')}, answered at ${safeText(level)} by ${toHex(found.answeredBy).slice(0, 12)}.`,
    coverage.complete
      ? output.green(`Complete: all ${counted(coverage.sources, 'source')} current.`)
      : isAlone
        ? output.yellow(`No node that indexes ${safeText(level)} is known here: only this one was searched.`)
        : output.yellow(
            `Not complete: ${formatCount(coverage.sourcesCurrent)} of ${counted(coverage.sources, 'source')} current.`,
          ),
  ]
  if (coverage.missing.length > 0 && !isAlone)
    parts.push(`Missing: ${coverage.missing.map(safeText).join(', ')}.`)
  const ageMs = nowMs - coverage.asOfMs
  if (coverage.asOfMs > 0 && ageMs > 60_000) parts.push(`As of ${formatDuration(ageMs)} ago.`)
  for (const problem of problems) parts.push(output.red(`Did not verify: ${safeText(problem)}.`))
  return parts.join('\n')
}
