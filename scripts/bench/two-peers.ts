import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { microblog } from '../../client/microblog.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { Author } from './author.ts'
import { type Peer, startPeer } from './peer-process.ts'

export interface TwoPeers extends AsyncDisposable {
  /** Home of the author. */
  readonly home: Peer
  readonly other: Peer
  /** Asks the other for a copy and signs. Answers when the signed set was handed to the home. */
  place(): Promise<bigint>
}

const tries = 200

/** Two nodes in two processes that know each other, the author at home on the first, nothing copied yet. */
export async function startTwoPeers(
  folder: string,
  crypto: CryptoProvider,
  author: Author,
): Promise<TwoPeers> {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(
    await startPeer({ state: join(folder, 'home'), host: '127.71.1.1', operator: 'home', bootstrap: [] }),
  )
  const other = opened.use(
    await startPeer({
      state: join(folder, 'other'),
      host: '127.72.1.1',
      operator: 'other',
      bootstrap: [home.address],
    }),
  )
  await home.call('schema.put', { schema: microblog.bytes })
  const { results } = await home.call('admin.host.add', { hosts: [{ log: author.log, quotaBytes: 2 ** 30 }] })
  if (typeof results[0]?.code === 'string') throw new Error(`not hosted: ${results[0].message}`)
  const running = opened.move()
  return {
    home,
    other,
    async place() {
      for (let attempt = 0; attempt < tries; attempt++) {
        const { proposals } = await home.call('placement.propose', { owners: [author.id], copies: 1 })
        const [proposal] = proposals
        if (proposal === undefined || proposal.leases.length === 0) {
          await sleep(50) // they have not greeted each other yet
          continue
        }
        const signature = signReplicaSet(crypto, proposal.unsigned, author.device.seed)
        const replicaSets = [packReplicaSet(proposal.unsigned, [signature])]
        const startNs = process.hrtime.bigint()
        const committed = await home.call('placement.commit', { replicaSets })
        if (typeof committed.results[0]?.code === 'string')
          throw new Error(`not placed: ${committed.results[0].message}`)
        return startNs
      }
      throw new Error('the other node gives no lease')
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
