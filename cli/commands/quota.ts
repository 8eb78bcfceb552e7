import { toHex } from '../../protocol/bytes.ts'
import type { Command } from '../command.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import { pickId, prefixMin } from '../node-name.ts'
import { readBytes } from '../quantity.ts'
import { formatBytes, shortId } from '../units.ts'

const pageSize = 200

export const quota: Command = {
  name: 'quota',
  summary: 'how much somebody who lives here may keep',
  operands: ['PERSON', 'SIZE'],
  options: {},
  examples: [
    [
      'onehop quota 0a2c6d7e 20GB',
      'records and pictures; their neighbours are asked for as much as is needed',
    ],
  ],
  notes: [
    `PERSON is the id as onehop status prints it, or the first digits of that (${prefixMin} at least); a group as well.`,
    'Less than they have takes nothing away: what comes is refused. Who comes to live here begins with hosting.leaseBytes.',
  ].join('\n'),
  async run({ operands: [text = '', size = ''], context, output }) {
    const quotaBytes = readBytes(size, 'SIZE')
    const { signal } = context
    const daemon = await context.daemon()
    const naming = { what: 'person who lives here', help: 'onehop status --all lists them.' }
    const identity = await pickId(text, naming, () => people(daemon, signal))
    const { usedBytes } = await daemon.call('admin.host.quota', { identity, quotaBytes }, { signal })
    if (output.json) output.line({ identity, quotaBytes, usedBytes })
    else
      output.words(
        `${output.green('Set')}: ${shortId(identity)} may keep ${formatBytes(quotaBytes)} here, and has ${formatBytes(usedBytes)}.`,
      )
    return exitCodes.ok
  },
}

async function people({ call }: Daemon, signal: AbortSignal): Promise<string[]> {
  const ids: string[] = []
  let after: Uint8Array | null | undefined
  while (after !== null) {
    const request = { only: 'people' as const, limit: pageSize, ...(after === undefined ? {} : { after }) }
    const page = await call('admin.status', request, { signal })
    ids.push(...page.hosted.map(({ identity }) => toHex(identity)))
    after = page.next
  }
  return ids
}
