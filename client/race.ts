import { equalBytes } from '../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import { clientLimits } from './limits.ts'
import type { Transport } from './transport.ts'

export interface Racer {
  readonly url: string
  /** The key that it must have; undefined for a bootstrap address. */
  readonly node: Uint8Array | undefined
}

/** A member that answered. */
export interface Runner extends Racer {
  readonly node: Uint8Array
  readonly latencyMs: number
  /** Its clock less ours. */
  readonly offsetMs: number
}

export interface RaceOutcome {
  /** Nearest first. Not in it: who had not answered when the race ended. */
  readonly runners: readonly Runner[]
  readonly failed: ReadonlyMap<string, OnehopError>
}

/** Asks one node who it is, and measures how long that takes. */
export async function probe(
  transport: Pick<Transport, 'call'>,
  racer: Racer,
  clock: Clock,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Runner> {
  const startMs = clock.monotonicMs()
  const info = await transport.call('node.info', {}, { timeoutMs, signal })
  const latencyMs = clock.monotonicMs() - startMs
  if (racer.node !== undefined && !equalBytes(racer.node, info.node)) {
    throw new OnehopError('UNREACHABLE', `${racer.url} is another node now`)
  }
  // Half the way there, half back: as near as one exchange can say.
  const offsetMs = Math.round(info.clockMs + latencyMs / 2 - clock.nowMs())
  return { url: racer.url, node: info.node, latencyMs, offsetMs }
}

/**
 * All at once. Ends when all have answered or failed, or a while after the first answer: whoever is slower than that is
 * no warm second. Rejects with the last failure when nobody answers.
 */
export async function raceMembers(
  racers: readonly Racer[],
  dial: (racer: Racer) => Pick<Transport, 'call'>,
  clock: Clock,
  signal?: AbortSignal,
): Promise<RaceOutcome> {
  const runners: Runner[] = []
  const failed = new Map<string, OnehopError>()
  const over = Promise.withResolvers<void>()
  let stopTail = (): void => {}

  const runs = racers.map(async (racer) => {
    try {
      const runner = await probe(dial(racer), racer, clock, clientLimits.raceMs, signal)
      runners.push(runner)
      if (runners.length === 1) stopTail = clock.after(clientLimits.raceTailMs, over.resolve)
    } catch (error) {
      failed.set(racer.url, asOnehopError(error))
    }
  })
  await Promise.race([Promise.all(runs), over.promise])
  stopTail()
  if (runners.length === 0) {
    throw (
      [...failed.values()].at(-1) ??
      new OnehopError('UNREACHABLE', 'no address of any node is known', {
        help: 'Give the address of a node: http://HOST:PORT.',
      })
    )
  }
  return { runners: runners.toSorted((a, b) => a.latencyMs - b.latencyMs), failed: new Map(failed) }
}
