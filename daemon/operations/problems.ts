import { apiLimits } from '../../protocol/api/limits.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { candidateOf } from '../../protocol/placement/candidate.ts'
import { failTogether, type Candidate } from '../../protocol/placement/rendezvous.ts'
import type { Seat } from '../../protocol/placement/replica-set.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { Store } from '../../storage/types.ts'
import { recentlyMended } from '../damage/mended.ts'
import type { Config } from '../config.ts'
import type { Hosted, Hosting } from '../hosting.ts'
import type { Scrub } from '../damage/scrub.ts'
import type { Identities } from '../identities.ts'
import type { Network } from '../net/rpc.ts'
import type { LeaseGrowth } from '../leases/growth.ts'
import type { LeaseRenewals } from '../leases/renewals.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'

type Problem = ReplyOf<'admin.status'>['problems'][number]

export interface ProblemParts {
  readonly config: Config
  readonly network: Network
  readonly neighbours: Neighbours
  readonly replicaSets: ReplicaSets
  readonly hosted: readonly Hosted[]
  readonly identities: Pick<Identities, 'get'>
  readonly clock: Pick<Clock, 'monotonicMs' | 'nowMs'>
  readonly growth: Pick<LeaseGrowth, 'short'>
  readonly renewals: Pick<LeaseRenewals, 'refused'>
  readonly hosting: Pick<Hosting, 'usedBytes'>
  readonly store: Pick<Store, 'stats' | 'documents'>
  readonly scrub: Pick<Scrub, 'damaged'> | undefined
  /** Of the disk that holds the state; undefined where nobody can tell. */
  readonly freeBytes: number | undefined
}

/**
 * With less, a busy hour may fill the disk: the database has a buffer of 64 MiB in its log, another on its way into a
 * file, and merges as much again before it deletes anything. The fourth part is for opening it anew, and for the person.
 */
const freeBytesMin = 256 * 2 ** 20

/** A relay that is not reached for this long is told. */
const relayAwayMs = 30_000

/** Of what was promised, in use: told while a little is still free. */
const fullShare = 0.9

/** Shards with few copies for which it is looked who could take one. */
const shortMax = 64

/** People whose logs are looked at for what they say of this node. */
const residentsMax = 64

/** A box works as it should though somebody has few copies, as a first box in a street always begins, or lives here no more. */
const harmless: readonly string[] = ['FEW_COPIES', 'SHUT_OUT', 'LEASE_ENDS', 'COPY_FULL', 'STORE_MENDED']

/** What a person should do something about, in words. Nothing that mends itself within a heartbeat or two. */
export function findProblems(parts: ProblemParts): Problem[] {
  const all = [
    failingStore,
    damagedStore,
    mendedStore,
    littleSpace,
    wrongClock,
    alone,
    noRelay,
    shutOut,
    fewCopies,
    leaseEnds,
    fullCopies,
    awayReplicas,
  ].flatMap((find) => find(parts))
  return all.slice(0, apiLimits.problemsMax)
}

export function isHealthy(problems: readonly Problem[]): boolean {
  return problems.every(({ code }) => harmless.includes(code))
}

function failingStore({ store, clock }: ProblemParts): Problem[] {
  const { failure } = store.stats()
  if (failure === undefined) return []
  const { code, message, help } = failure.error
  const sinceMs = Math.floor(clock.monotonicMs() - failure.sinceMs)
  const text = `Nothing can be written: ${message}.`.slice(0, 1024)
  return [problem(code, text, help, sinceMs)]
}

/** Bytes that rotted on the disk: what a restart mends nobody should have to find out by chance. */
function damagedStore({ scrub }: ProblemParts): Problem[] {
  if (scrub?.damaged === undefined) return []
  return [
    problem(
      'STORE_CORRUPT',
      `The database has a damaged file (${scrub.damaged}).`,
      'Look at the disk (dmesg), then onehop stop and onehop start: what can be read is gathered, and the other holders bring the rest.',
    ),
  ]
}

/** What could not be read comes back from the other holders; who has none of these should know. */
function mendedStore({ store, clock }: ProblemParts): Problem[] {
  const kept = recentlyMended(store, clock)
  if (kept === undefined) return []
  const text = `The database was damaged and has been mended. What it was is in ${kept}.`
  return [
    problem(
      'STORE_MENDED',
      text.slice(0, 1024),
      'Other holders bring back what could not be read: see the copies below. Look at the disk (dmesg), and delete that folder once all is there.',
    ),
  ]
}

function littleSpace({ config, freeBytes }: ProblemParts): Problem[] {
  if (config.store === 'memory' || freeBytes === undefined || freeBytes >= freeBytesMin) return []
  const [free, least] = [freeBytes, freeBytesMin].map((bytes) => Math.floor(bytes / 2 ** 20))
  return [
    problem(
      'LITTLE_SPACE',
      `The disk has ${free} MiB left; the store wants ${least}.`,
      'Free some space, or move the state folder to a larger disk. Until then writes may soon be refused.',
    ),
  ]
}

/** A box without a battery starts in another year when it finds no time server. */
function wrongClock({ neighbours, clock }: ProblemParts): Problem[] {
  const nowMs = clock.nowMs()
  const aheadMs = neighbours
    .clocksMs()
    .map((otherMs) => nowMs - otherMs)
    .toSorted((a, b) => a - b)
  const apart = aheadMs.filter((ms) => Math.abs(ms) > limits.clockAheadMsMax)
  if (apart.length * 2 <= aheadMs.length) return []
  const ms = apart[Math.floor(apart.length / 2)] as number
  const off = `${timeWords(Math.abs(ms))} ${ms > 0 ? 'ahead of' : 'behind'}`
  const message =
    aheadMs.length === 1
      ? `The clock of this box is ${off} that of the only other node it hears: one of the two is wrong.`
      : `The clock of this box is ${off} most that it hears (${apart.length} of ${aheadMs.length}).`
  return [
    problem(
      'CLOCK_WRONG',
      message,
      'Set it (timedatectl set-ntp true). Until then what apps write may be refused or come late, and nothing that is over is cleared away.',
    ),
  ]
}

function timeWords(ms: number): string {
  const [count, unit] = (
    [
      [86_400_000, 'day'],
      [3_600_000, 'hour'],
      [60_000, 'minute'],
    ] as const
  )
    .map(([unitMs, name]) => [Math.floor((ms + 30_000) / unitMs), name] as const)
    .find(([whole]) => whole > 0) ?? [0, 'minute']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

function alone({ config, network }: ProblemParts): Problem[] {
  if (config.network.bootstrap.length === 0 || network.rpc.connected().length > 0) return []
  const message = 'No other node answers, though some were named.'
  return [problem('ALONE', message, "Check network.bootstrap in the config, and this box's connection.")]
}

/** By people who are still served here: they cannot come to live at it again, which no other word of the node's would say. */
function shutOut({ hosted, identities, network }: ProblemParts): Problem[] {
  const residents = hosted.filter(({ person }) => person).slice(0, residentsMax)
  const gone = residents.filter(
    ({ owner }) => identities.get(owner)?.devices.get(network.rpc.self)?.revoked !== undefined,
  )
  if (gone.length === 0) return []
  const who = gone.length === 1 ? 'Somebody who lived here has' : `${gone.length} people who lived here have`
  return [
    problem(
      'SHUT_OUT',
      `${who} revoked the key of this node in their identity, for good.`,
      'To live at this box again, start it with another --state folder: that makes it another node.',
    ),
  ]
}

/** A copy that will go: its owner signs another in its place. */
function leaseEnds({ hosted, renewals, clock }: ProblemParts): Problem[] {
  const residents = new Set(hosted.filter(({ person }) => person).map(({ owner }) => toHex(owner)))
  const ending = renewals.refused.filter(({ owner }) => residents.has(toHex(owner)))
  if (ending.length === 0) return []
  const nodes = [...new Set(ending.map(({ host }) => host.slice(0, 12)))]
  const firstMs = Math.min(...ending.map(({ expiresMs }) => expiresMs))
  const days = Math.max(0, Math.floor((firstMs - clock.nowMs()) / 86_400_000))
  const when = days === 0 ? 'within a day' : `in ${days} ${days === 1 ? 'day' : 'days'}`
  return [
    problem(
      'LEASE_ENDS',
      `Node ${nodes.slice(0, 4).join(', ')} renews no more what it promised: the first copy ends ${when}.`,
      'Find another neighbour (onehop invite), then onehop place. Until then the copy is there.',
    ),
  ]
}

/** What is written from now on has fewer copies; what is there keeps them. */
function fullCopies({ hosted, hosting, growth }: ProblemParts): Problem[] {
  const residents = new Set(hosted.filter(({ person }) => person).map(({ owner }) => toHex(owner)))
  const full = growth.short.filter(
    ({ owner, bytes }) => residents.has(toHex(owner)) && hosting.usedBytes(owner) > bytes * fullShare,
  )
  if (full.length === 0) return []
  const nodes = [...new Set(full.map(({ host }) => host.slice(0, 12)))]
  return [
    problem(
      'COPY_FULL',
      `Node ${nodes.slice(0, 4).join(', ')} has no more room for ${full.length === 1 ? 'a copy' : `${full.length} copies`} of what lives here.`,
      'Agree on more with its owner (onehop invite), or find another neighbour, then onehop place.',
    ),
  ]
}

/** One that does not answer yet may be starting. */
function noRelay({ network, clock }: ProblemParts): Problem[] {
  const nowMs = clock.monotonicMs()
  return network.missingRelays().flatMap(({ relay, refusal, sinceMs }) => {
    const forMs = Math.floor(nowMs - sinceMs)
    if (refusal === undefined && forMs < relayAwayMs) return []
    return [
      problem(
        'NO_RELAY',
        `Node ${relay.slice(0, 12)}… gives this node no place as its relay: ${refusal ?? 'it cannot be reached'}.`.slice(
          0,
          1024,
        ),
        'Nobody reaches this node through it. Check network.relays in the config, and network.relay at that node.',
        forMs,
      ),
    ]
  })
}

function fewCopies({ config, neighbours, replicaSets, hosted }: ProblemParts): Problem[] {
  const short = hosted.filter(({ owner, person }) => {
    const set = replicaSets.get(owner)?.newest
    return person && config.hosting.copies > 0 && set !== undefined && set.members.length <= set.copies
  })
  if (short.length === 0) return []
  const people = hosted.filter(({ person }) => person).length
  const who =
    people === 1
      ? 'The person who lives here has'
      : `${short.length} of ${people} people and groups who live here ${short.length === 1 ? 'has' : 'have'}`
  const message = `${who} fewer copies than they asked for.`
  return [
    problem(
      'FEW_COPIES',
      message,
      moreCopies(
        neighbours,
        short.slice(0, shortMax).map(({ owner }) => replicaSets.get(owner)?.newest.members ?? []),
        Math.min(config.hosting.firstLeaseBytes, config.hosting.leaseBytes),
      ),
    ),
  ]
}

/** Their owners sign who holds what: the node seats nobody by itself. */
function moreCopies(neighbours: Neighbours, sets: readonly (readonly Seat[])[], bytes: number): string {
  const asks = (whom: string): string =>
    `onehop place asks ${whom}, as does the phone page when it is opened.`
  const held = sets.map((seats) => seats.map((seat) => candidateOf(seat)))
  const offering = neighbours.candidates(bytes)
  const isNew = (one: Candidate): boolean =>
    held.some((holders) => holders.every(({ node }) => !equalBytes(node, one.node)))
  const willing = offering.filter((one) =>
    held.some((holders) => !holders.some((holder) => failTogether(one, holder))),
  ).length
  if (willing > 0)
    return `${willing} connected ${willing === 1 ? 'neighbour offers' : 'neighbours offer'} space: ${asks(willing === 1 ? 'it' : 'them')}`
  const who = offering.some(isNew)
    ? 'Neighbours who offer space have the operator or the network of one that holds them: copies there would go with it'
    : 'No other neighbour who is connected offers space (onehop invite asks a friend for some)'
  return `${who}. Once another one does, ${asks('it')}`
}

function awayReplicas({ neighbours, replicaSets, hosted }: ProblemParts): Problem[] {
  const members = new Set<string>()
  for (const { owner } of hosted) for (const node of replicaSets.members(owner)) members.add(node)
  const away = [...members].filter((node) => neighbours.isSuspect(node))
  return away.map((node) =>
    problem(
      'REPLICA_AWAY',
      `Node ${node.slice(0, 12)}… keeps copies and has not answered for a while.`,
      'Another takes its seat after hosting.replaceAfterMs; nothing needs to be done if that is near.',
      Math.floor(neighbours.awayMs(node)),
    ),
  )
}

function problem(code: string, message: string, help: string, sinceMs = 0): Problem {
  return { code, message, help, sinceMs }
}
