/** Some boxes at a switch, and one person who lives at the first with copies at others. */
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { openStateFolder } from '../../daemon/state-folder.ts'
import { moveIn } from '../crash/crashes.ts'
import { History } from '../sim/history.ts'
import { createSimPerson, type SimPerson } from '../sim/writer.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { until } from '../support/until.ts'
import { Box } from './box.ts'

/** One more than the copies need: who loses a seat is replaced. */
export const boxCount = 5
/** Beside the home. */
export const copies = 3

export interface World extends AsyncDisposable {
  readonly boxes: readonly [Box, ...Box[]]
  readonly person: SimPerson
  readonly history: History
}

const metWithinMs = 30_000

export interface WorldOptions {
  readonly folder: string
  readonly isImpatient: boolean
  readonly signal: AbortSignal
  /** Of all keys: who holds what follows from these. */
  readonly seed: number
}

export async function openWorld({ folder, isImpatient, signal, seed }: WorldOptions): Promise<World> {
  await using opened = new AsyncDisposableStack()
  const random = createSeededRandom(seed)
  const indexes = Array.from({ length: boxCount }, (_, i) => i)
  const boxes = await Promise.all(indexes.map(async (index) => opened.use(await Box.open(folder, index))))
  for (const { state } of boxes) await openStateFolder(state, random)
  const [home, ...others] = boxes as [Box, ...Box[]]
  const settings = [
    'hosting.offerTo="anyone"',
    'hosting.heartbeatMs=500',
    'hosting.reconcileEveryMs=5000',
    ...(isImpatient ? ['hosting.suspectAfterMs=2000', 'hosting.replaceAfterMs=4000'] : []),
  ]
  await home.start(settings)
  await Promise.all(others.map((box) => box.start([...settings, `network.bootstrap=["${home.address}"]`])))
  // Who stands by must be heard of before the owner signs who may.
  await until(async () => {
    signal.throwIfAborted()
    const { peers } = await home.call('admin.status', { limit: 1 })
    return peers.filter(({ connected }) => connected).length === others.length
  }, metWithinMs)
  const person = createSimPerson(await loadCrypto({ random }))
  await moveIn(home, person, copies)
  const running = opened.move()
  return {
    boxes: [home, ...others],
    person,
    history: new History(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
