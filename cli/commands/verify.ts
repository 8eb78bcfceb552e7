import type { StateReport } from '../../daemon/damage/verify.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { columns } from '../output.ts'
import { createProgressLine } from '../progress-line.ts'
import { counted, formatBytes, formatCount } from '../units.ts'

export const verify: Command = {
  name: 'verify',
  summary: 'check everything on the disk of a node that is stopped, and mend its indexes',
  operands: [],
  options: { 'look-only': { type: 'boolean', help: 'tell what is wrong, and change nothing' } },
  examples: [
    ['onehop verify', 'after onehop stop: a power cut, or a disk that reported errors'],
    ['onehop verify --look-only --json', 'for programs; exits 4 when something is wrong'],
  ],
  notes: [
    'The files of the database against their own sums, each record, identity, replica set, lease and pact against its signature, lists,',
    'counts and fingerprints against the records, each piece of a file against its hash. What is derived from records is made anew from',
    'them. What is damaged is put into the folder quarantine beside the store, never thrown away; once the node runs again, the other',
    'holders bring it back. It runs on a node that is stopped, as indexes can be made anew only while nobody writes.',
  ].join('\n'),
  async run({ flags, context, output }) {
    const { signal, clock } = context
    const { config } = context.config()
    const looksOnly = flags.on('look-only')
    // Here alone: what a node is made of is a second of loading.
    const { verifyState } = await import('../../daemon/damage/verify.ts')
    const progress = createProgressLine(output, clock)
    const report = await verifyState({
      state: config.state,
      ...{ clock, looksOnly, signal },
      crypto: await context.crypto(),
      onShard: (shards, records) =>
        progress.show(() => `${counted(shards, 'shard')}, ${counted(records, 'record')} checked`),
    })
    progress.end()
    const isWell = report.faults.length === 0 && report.damagedStore === undefined
    if (output.json) output.line({ ...flat(report), healthy: isWell })
    else {
      const { store, blobs } = report
      output.words(
        `Checked ${counted(store.records, 'record')} (${formatBytes(store.bytes)}) in ${counted(store.shards, 'shard')}, and ${counted(blobs.chunks, 'piece')} of ${counted(blobs.blobs, 'file')}.`,
      )
      if (report.faults.length > 0)
        output.data(columns(report.faults.map(([what, count]) => [output.red(formatCount(count)), what])))
      for (const line of outcome(report, looksOnly, isWell)) output.words(line)
    }
    return isWell || !looksOnly ? exitCodes.ok : exitCodes.unhealthy
  },
}

function outcome(report: StateReport, looksOnly: boolean, isWell: boolean): string[] {
  if (isWell) return ['All is well.']
  if (looksOnly) return ['Nothing was changed. onehop verify mends what can be mended.']
  const { store, quarantined, quarantine, damagedStore } = report
  return [
    ...(damagedStore === undefined
      ? []
      : [
          `The database could not be opened. It was copied to ${damagedStore}, and what could be read is in a new one.`,
        ]),
    ...(store.rebuilt === 0 ? [] : [`Made anew: the indexes of ${counted(store.rebuilt, 'shard')}.`]),
    ...(quarantined === 0
      ? []
      : [
          `Put aside in ${quarantine}: ${counted(quarantined, 'thing')} that nobody signed so. Other holders bring them back.`,
        ]),
    'Start the node now: onehop start.',
  ]
}

function flat({ store, blobs, faults, ...rest }: StateReport): object {
  const { faults: _, ...sizes } = store
  return { ...sizes, ...blobs, faults: Object.fromEntries(faults), ...rest }
}
