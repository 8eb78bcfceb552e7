/** Ten peers that flood a node in which a person lives, while she reads. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { openHouse } from '../support/house.ts'
import { until } from '../support/until.ts'
import { requireBelow, watchCore, type CoreShare } from './core-share.ts'
import { startTalker } from './talker.ts'
import { notBegun, type Scenario } from './scenario.ts'

interface Said {
  readonly sent: number
  readonly cut: number
  /** The most that one of the peers held at once. */
  readonly held: number
}

/** More than one peer may have of one family. */
const streamsOfPeer = 12

/**
 * The peers run on the node's own machine, which those of a real flood do not: they get what it leaves of the cores. At the
 * same priority three busy processes on two cores made the node wait for one half of the time, and that is what was
 * measured. They send no less for it, as the node that runs takes more from them.
 */
const besideTheNode = ['nice', '-n', '10']

/** Bounded by time and by pages: so long, then on until so many are read. */
async function flood(
  ms: number,
  pagesMin: number,
  within: readonly string[] = [],
): Promise<{ latencies: number[]; sent: number; cut: number; core: CoreShare }> {
  await using house = await openHouse()
  const { ada, daemon } = house
  const phone = await house.as(ada)
  const [writer] = ada.writers
  const write = (text: string): Uint8Array =>
    writer?.sign('posts', new Uint8Array(0), 'put', { text }, Date.now()).bytes as Uint8Array
  await phone('record.put', { records: Array.from({ length: 50 }, (_, i) => write(`post ${i}`)) })
  const forged = write('forged')
  forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
  const address = daemon.addresses.find((one) => /\/tcp\/\d+$/.test(one)) as string
  const peers = (first: number) =>
    startTalker<Said>(
      within,
      'flood-peers.ts',
      String(first),
      '5',
      daemon.node.id,
      address,
      toHex(forged),
      String(streamsOfPeer),
    )
  await using one = peers(20)
  await using other = peers(30)
  const isFlooded = (): boolean => (one.said.sent ?? 0) > 500 && (other.said.sent ?? 0) > 500
  await until(() => isFlooded() || one.hasEnded || other.hasEnded, 30_000).catch(() => {
    throw notBegun(
      `no flood within 30 s, ${one.said.sent ?? 0} and ${other.said.sent ?? 0} requests: the machine is busy`,
    )
  })
  assert.equal(one.hasEnded || other.hasEnded, false, 'the peers ended by themselves')
  const latencies: number[] = []
  const core = watchCore()
  const startMs = performance.now()
  const sum = (key: keyof Said): number => (one.said[key] ?? 0) + (other.said[key] ?? 0)
  const sentBefore = sum('sent')
  // On a busy machine the peers take a while to open more streams than they may have.
  const isDone = (): boolean => {
    const runMs = performance.now() - startMs
    return runMs >= ms && latencies.length >= pagesMin && (sum('cut') > 0 || runMs > 30_000)
  }
  while (!isDone()) {
    const askedMs = performance.now()
    await phone('view.get', { owner: ada.owner, app: microblog.id, view: 'person' })
    latencies.push(performance.now() - askedMs)
    await sleep(20)
  }
  // Whoever holds all of them has got through; whoever could not open them has not tried.
  const held = Math.max(one.said.held ?? 0, other.said.held ?? 0)
  if (sum('cut') === 0 && held < streamsOfPeer)
    throw notBegun(
      `no peer opened more than ${held} of ${streamsOfPeer} streams within 30 s: the machine is busy`,
    )
  const sorted = latencies.toSorted((a, b) => a - b)
  return { latencies: sorted, sent: sum('sent') - sentBefore, cut: sum('cut'), core: core() }
}

const attack =
  'ten peers send requests of all kinds and broken streams as fast as they can, while a phone reads'

export const floodAttacks: readonly Scenario[] = [
  {
    name: 'flood',
    attack,
    stoppedBy:
      'peers take turns of 5 ms with everything else, and wait; streams beyond their number are reset',
    async run() {
      const { cut } = await flood(1_000, 10)
      assert.equal(cut > 0, true)
    },
  },
  {
    name: 'flood-p99',
    attack: `${attack} for twenty seconds`,
    stoppedBy: 'the same: 99 of 100 pages come within a second',
    isLong: true,
    async run() {
      const { latencies, sent, cut, core } = await flood(20_000, 200, besideTheNode)
      const at = (share: number): number => latencies[Math.floor(latencies.length * share)] as number
      const [p50, p99] = [at(0.5), at(0.99)]
      const figure = `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms of ${latencies.length} pages; meanwhile ${sent} requests, ${cut} streams cut; ${core.words}`
      requireBelow(p99, 1_000, core, figure)
      return figure
    },
  },
]
