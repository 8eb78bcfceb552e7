import { writeFileSync } from 'node:fs'
import { stripVTControlCharacters, styleText } from 'node:util'
import { type Figures, rounded } from './figures.ts'
import type { Processes } from './processes.ts'
import type { Trial } from './trial.ts'

export interface Outcome {
  readonly ok: boolean
  /** What is not as it must be, in words. */
  readonly failures: readonly string[]
  readonly trial: Trial
}

/** What a person reads, and what a program does. */
export const report = { json, table, kept }

function json({ ok, failures, trial }: Outcome): Record<string, unknown> {
  const { figures, dataset, progress } = trial
  return {
    ok,
    ...figures,
    failures,
    data: dataset.source,
    seconds: Object.fromEntries(progress.seconds.map(({ name, seconds }) => [name, seconds])),
    cpuSeconds: Object.fromEntries(progress.seconds.map(({ name, cpuSeconds }) => [name, cpuSeconds])),
    totalS: rounded(progress.elapsedS()),
    versions: { node: process.versions.node, platform: `${process.platform}-${process.arch}` },
  }
}

const painted = process.stdout.isTTY && (process.env.NO_COLOR ?? '') === ''
const paint = (style: 'bold' | 'dim' | 'green' | 'red', text: string): string =>
  painted ? styleText(style, text, { validateStream: false }) : text

type Row = readonly [label: string, value: string, note: string]

function table({ ok, failures, trial }: Outcome): string {
  const { figures, dataset, progress } = trial
  const rows = rowsOf(figures)
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => shownWidth(row[column] as string)), 0))
  const lines = rows.map(([label, value, note]) =>
    `  ${label.padEnd(widths[0] ?? 0)}  ${paint('bold', value.padStart(widths[1] ?? 0))}  ${paint('dim', note)}`.trimEnd(),
  )
  const seconds = progress.seconds.map(({ name, seconds: s }) => `${name} ${s.toFixed(1)}`).join(', ')
  const verdict = ok
    ? paint('green', 'All figures are as they must be.')
    : [paint('red', 'FAILED'), ...failures.map((failure) => `  ${failure}`)].join('\n')
  return `\n${[
    paint('bold', 'A neighbourhood of eight nodes'),
    `  ${dataset.source}`,
    '',
    ...lines,
    '',
    paint('dim', `  seconds: ${seconds}; ${progress.elapsedS().toFixed(0)} in all`),
    '',
    verdict,
  ].join('\n')}\n`
}

function rowsOf(figures: Partial<Figures>): Row[] {
  const rows: Row[] = []
  const add = (label: string, value: string | undefined, note = ''): void => {
    if (value !== undefined) rows.push([label, value, note])
  }
  const { page, kill, partition, island, dht, nearest, privacy } = figures
  add('nodes ready', unit(figures.nodesReadyS, 's'), `${figures.nodes ?? 0} processes that knew one address`)
  add('people', count(figures.users))
  add(
    'records written',
    count(figures.recordsWritten),
    `${count(figures.recordsPerS) ?? '?'} a second, verified and synced`,
  )
  add('copies per shard', count(figures.copiesPerShardMin), 'at least, the home among them')
  add('replicas that differ', count(figures.replicaMismatches), 'shards, compared on the disks at the end')
  if (page !== undefined) {
    add('home page p50', unit(page.p50Ms, 'ms'), `p99 ${page.p99Ms} ms, ${page.pages} pages over HTTP`)
    add('requests for a page', count(page.requests), `and between nodes ${page.requestsBetweenNodes}`)
    add(
      'pictures on them',
      count(page.pictures),
      `${page.picturesMissing} missing, requests for them between nodes ${page.imageRequestsBetweenNodes}`,
    )
    add('feeds unlike the model', count(page.feedMismatches))
  }
  for (const { scope, level, queries, hits, identicalToCentral, freshP50Ms } of figures.search ?? []) {
    const same = identicalToCentral ? 'as one central index' : 'UNLIKE a central index'
    const fresh = `fresh after ${Math.round(freshP50Ms)} ms`
    add(`search ${scope}`, `${count(hits)} hits`, `${queries} queries, ${same}, by ${level}, ${fresh}`)
  }
  if (dht !== undefined)
    add(
      'people found in the DHT',
      `${dht.found}/${dht.lookups}`,
      `p50 ${dht.p50Ms} ms, by a ninth node; ${dht.queued} still queued`,
    )
  if (nearest !== undefined)
    add('nearest member chosen', nearest.chosenIsNearest ? 'yes' : 'NO', 'knowing nothing but an id')
  if (privacy !== undefined)
    add(
      'private notes in the open',
      count(privacy.plaintextFound),
      `of ${privacy.privateRecords} on all disks`,
    )
  if (kill !== undefined) {
    add(
      'a home is killed: next read',
      unit(kill.firstReadMs, 'ms'),
      `client moved in ${nearest?.movedMs ?? '?'} ms`,
    )
    add('  records missing', count(kill.recordsMissing))
    add('  all copies back', unit(kill.copiesRestoredS, 's'))
  }
  if (partition !== undefined) {
    add('a home is cut off: lost', count(partition.recordsLost), 'records, written on both sides')
    add('  equal again', unit(partition.convergedS, 's'), 'after healing')
  }
  if (island !== undefined) {
    add('a continent is cut off', island.localOk ? 'goes on' : 'STOPS', 'pages, posts, pairing, local search')
    add('  the world says so', island.worldSaysMissing ? 'yes' : 'NO', 'in the coverage of its answers')
    add('  records lost', count(island.recordsLost))
  }
  return rows
}

function count(value: number | undefined): string | undefined {
  return value?.toLocaleString('en-US')
}

function unit(value: number | undefined, name: string): string | undefined {
  return value === undefined ? undefined : `${value} ${name}`
}

function shownWidth(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length
}

/** Where to look, and how to end what goes on. */
/** Says whom it ends, and nothing when all have ended. */
const stopScript = `#!/bin/sh
end() { if kill "$2" 2>/dev/null; then echo "ending $1 (process $2)"; fi; }
`

function kept(processes: Processes): string {
  const rows = processes.running.map(
    ({ plan, dashboard, phone, pid }) =>
      `  ${plan.name.padEnd(9)} dashboard ${dashboard}\n${' '.repeat(12)}phone     ${phone}   (process ${pid})`,
  )
  const ends = processes.running.map(({ plan, pid }) => `end ${plan.name} ${pid}\n`).join('')
  const script = `${processes.folder}/stop`
  writeFileSync(script, `${stopScript}${ends}`, { mode: 0o700 })
  return `\nThe nodes go on. Their state is in ${processes.folder}\n${rows.join('\n')}\n  end them with: ${script}\n`
}
