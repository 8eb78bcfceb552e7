import { toHex } from '../../protocol/bytes.ts'
import type { PairingStatus } from '../../protocol/api/messages.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import type { Command, Context } from '../command.ts'
import { runningName } from '../daemon.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'
import type { ExitCode } from '../exit-code.ts'
import { columns, safeText } from '../output.ts'
import type { Output } from '../output.ts'
import { peerAddresses } from '../peer-address.ts'
import { profileNames } from '../profile-names.ts'
import { counted, formatBytes, formatCount, formatDuration, shortId } from '../units.ts'

type Status = ReplyOf<'admin.status'> & {
  readonly denied: readonly Uint8Array[]
  /** As other nodes take it in network.bootstrap. */
  readonly reachedAt: readonly string[]
}

const shownDefault = 10

export const status: Command = {
  name: 'status',
  summary: 'who is hosted, their copies, neighbours, storage, and what is wrong',
  operands: [],
  options: {
    all: { type: 'boolean', help: `everybody who is hosted, not the first ${shownDefault}` },
  },
  examples: [
    ['onehop status', 'exits 4 when something is wrong, 5 when something waits for you'],
    ['onehop status --json | jq .problems', 'the same for programs'],
  ],
  async run({ flags, context, output }) {
    const daemon = await context.daemon()
    const { signal } = context
    const limit = flags.on('all') ? 200 : shownDefault
    const found = await daemon.call('admin.status', { limit }, { signal })
    const hosted = [...found.hosted]
    let after = flags.on('all') ? found.next : null
    while (after !== null) {
      const page = await daemon.call('admin.status', { limit, after }, { signal })
      hosted.push(...page.hosted)
      after = page.next
    }
    const { pairing } = await daemon.call('admin.pair.show', {}, { signal })
    const { nodes: denied } = await daemon.call('admin.deny.list', {}, { signal })
    const reachedAt = peerAddresses(found.node, found.addresses)
    const named = await withNames(context, daemon, hosted)
    const whole = { ...found, hosted: named, next: after, denied, reachedAt }
    const exit = exitOf(whole, pairing)
    const { pid, http, phone } = daemon.runtime
    if (output.json) output.line({ ...whole, pid, http, phone, pairing: { state: pairing.state }, exit })
    else output.data(describe(whole, pairing, daemon, await runningName(daemon.call, signal), output))
    return exit
  },
}

/** Of those who live here what the node calls them, else their profile. */
async function withNames(
  context: Context,
  { runtime }: Daemon,
  hosted: Status['hosted'],
): Promise<Status['hosted']> {
  const isUnnamed = ({ person, label }: Status['hosted'][number]): boolean => person && !label
  const unnamed = hosted.filter(isUnnamed).map(({ identity }) => identity)
  const names = await profileNames(context, runtime.http, unnamed)
  return hosted.map((one) =>
    isUnnamed(one) ? { ...one, label: names.get(toHex(one.identity)) ?? one.label } : one,
  )
}

function exitOf({ healthy }: Status, { state }: PairingStatus): ExitCode {
  if (!healthy) return exitCodes.unhealthy
  return waitsForPerson(state) ? exitCodes.needsAction : exitCodes.ok
}

function waitsForPerson(state: PairingStatus['state']): boolean {
  return state === 'locked' || state === 'code' || state === 'awaiting-admission'
}

function describe(
  found: Status,
  pairing: PairingStatus,
  daemon: Daemon,
  name: string,
  output: Output,
): string {
  const { bold, dim } = output
  const { storage, outbox, dht } = found
  const facts: string[][] = [
    ['health', healthWords(found, output)],
    ['node', `${name === '' ? '' : `${name} `}${toHex(found.node)}`],
    ['running', `${formatDuration(found.uptimeMs)}, release ${found.version}, process ${daemon.runtime.pid}`],
    ['roles', found.roles.length === 0 ? 'none yet' : found.roles.join(', ')],
    ['region', found.region ?? 'not set'],
    ...found.reachedAt.map((address, i) => [i === 0 ? 'reached at' : '', address]),
    ['dashboard', daemon.dashboard],
    ['phone page', daemon.runtime.phone],
    [
      'storage',
      `${counted(storage.records, 'record')}, ${formatBytes(storage.bytes)}${
        storage.freeBytes === null ? '' : `; ${formatBytes(storage.freeBytes)} free`
      } in ${storage.folder}`,
    ],
    ['to send', outbox.queued === 0 ? 'nothing' : `${counted(outbox.queued, 'record')} waiting`],
    [
      'directory',
      `${counted(dht.peers, 'peer')}, ${formatCount(dht.provided)} provided, ${formatCount(dht.queued)} queued`,
    ],
  ]
  return [
    columns(facts.map(([label = '', value = '']) => [bold(label), value])),
    ...section(
      bold('Problems'),
      found.problems.map((problem) => problemRow(problem, output)),
    ),
    ...pairingLines(pairing, output),
    ...section(
      `${bold('Hosted')} ${dim(hostedWords(found))}`,
      hostedRows(found, output),
      'nobody yet: onehop init --user NAME, then onehop pair',
    ),
    ...(found.hosted.length < found.hostedTotal
      ? [dim(`  and ${formatCount(found.hostedTotal - found.hosted.length)} more: onehop status --all`)]
      : []),
    ...section(`${bold('Neighbours')} ${dim(String(found.peers.length))}`, peerRows(found, output), 'none'),
    ...section(
      `${bold('Denied')} ${dim(String(found.denied.length))}`,
      found.denied.slice(0, shownDefault).map((node) => [toHex(node)]),
    ),
    ...(found.denied.length > shownDefault
      ? [dim(`  and ${formatCount(found.denied.length - shownDefault)} more: onehop node`)]
      : []),
    ...section(
      bold('Aggregates'),
      found.aggregates.map(({ app, scope, documents, leaves, freshMs }) => [
        scope,
        app,
        counted(documents, 'document'),
        counted(leaves, 'source'),
        freshMs === null ? '' : `${formatDuration(freshMs)} old`,
      ]),
    ),
  ].join('\n')
}

function hostedWords({ people, hostedTotal }: Status): string {
  const others = hostedTotal - people
  const own = people === 0 ? 'nobody lives here' : `${counted(people, 'person', 'people')} of this house`
  return others === 0 ? own : `${own}, copies kept for ${counted(others, 'other')}`
}

function healthWords({ healthy, problems }: Status, { green, red }: Output): string {
  if (!healthy) return red(counted(problems.length, 'problem'))
  return problems.length === 0 ? green('well') : `${green('well')}, ${counted(problems.length, 'hint')}`
}

function section(title: string, rows: readonly (readonly string[])[], whenEmpty?: string): string[] {
  if (rows.length === 0 && whenEmpty === undefined) return []
  return ['', title, rows.length === 0 ? `  ${whenEmpty}` : columns(rows, '  ')]
}

function problemRow({ code, message, help }: Status['problems'][number], { red, dim }: Output): string[] {
  return [red(code), `${message} ${dim(help)}`]
}

function pairingLines({ state }: PairingStatus, { bold, yellow }: Output): string[] {
  const words: Partial<Record<PairingStatus['state'], string>> = {
    locked: 'locked after three failed attempts: onehop pair --unlock',
    code: 'a phone shows six digits; type them: onehop pair',
    'awaiting-admission': 'a phone waits to be admitted: onehop pair',
    waiting: 'a QR code is open: onehop pair shows it',
  }
  const line = words[state]
  return line === undefined ? [] : ['', `${bold('Pairing')}  ${waitsForPerson(state) ? yellow(line) : line}`]
}

function hostedRows({ hosted }: Status, { green, yellow, red, dim }: Output): string[][] {
  return hosted.map(({ identity, person, label, records, bytes, replicas, copies, copiesWanted }) => {
    const enough = copies >= copiesWanted
    const paint = enough ? green : copies > 1 ? yellow : red
    const trouble = replicas.filter(({ state }) => state !== 'current')
    return [
      safeText(label ?? '') || dim(person ? 'unnamed' : 'a copy'),
      dim(shortId(identity)),
      counted(records, 'record'),
      formatBytes(bytes),
      paint(copiesWanted <= 1 ? 'this copy only' : `${copies} of ${counted(copiesWanted, 'copy', 'copies')}`),
      trouble.map(({ node, state }) => `${shortId(node)} ${state}`).join(', '),
    ]
  })
}

function peerRows({ peers, denied }: Status, { green, red, dim }: Output): string[][] {
  const isDenied = new Set(denied.map(toHex))
  return peers.map(({ node, connected, latencyMs, label, addresses }) => [
    shortId(node),
    isDenied.has(toHex(node)) ? red('denied') : connected ? green('connected') : dim('away'),
    latencyMs === null ? '' : `${latencyMs} ms`,
    safeText(label ?? ''),
    dim(safeText(addresses[0] ?? '')),
  ])
}
