/** An aggregator that lies to an app. Nobody checks it on the way: the app does. */
import assert from 'node:assert/strict'
import { connect } from '../../client/index.ts'
import { microblog } from '../../client/microblog.ts'
import type { Transport } from '../../client/transport.ts'
import { decodeSearchAnswer, encodeSearchAnswer, type SearchAnswer } from '../../protocol/search/query.ts'
import type { MeshNode } from '../support/mesh.ts'
import { Theft } from '../support/theft.ts'
import type { Scenario } from './scenario.ts'

type Hit = SearchAnswer['hits'][number]

/** Speaks to a node of the mesh, and changes what its search answers. */
function throughLiar(
  { mesh }: Theft,
  node: MeshNode,
  lie: (hits: readonly Hit[]) => readonly Hit[],
): Transport {
  const transport: Transport = {
    address: 'memory',
    binds: false,
    async call(operation, request) {
      const reply = await mesh.wait(node.call(operation, request, { kind: 'anyone' }))
      if (operation !== 'search.query') return reply
      const answer = decodeSearchAnswer((reply as { answer: Uint8Array }).answer)
      const changed = encodeSearchAnswer({ ...answer, hits: lie(answer.hits) })
      return { answer: changed } as unknown as typeof reply
    },
    open: () => Promise.reject(new Error('no live queries here')),
    live: async () => transport,
    close: async () => {},
  }
  return transport
}

function lying(
  name: string,
  attack: string,
  stoppedBy: string,
  lie: (hits: readonly Hit[]) => readonly Hit[],
  named: RegExp,
): Scenario {
  return {
    ...{ name, attack, stoppedBy },
    async run() {
      const theft = await Theft.begin()
      await using mesh = theft.mesh
      const { home, phone } = theft
      await mesh.wait(phone.put(home, 'posts', { title: 'jazz again and again' }))
      await mesh.until(async () => (await theft.found('jazz')).length === 2, 60_000)
      const aggregator = mesh.nodes[6] as MeshNode
      const problems = async (change: (hits: readonly Hit[]) => readonly Hit[]) => {
        const transport = throughLiar(theft, aggregator, change)
        await using app = await connect({ schema: microblog, transport })
        return (await app.search({ scope: '/geo', text: 'jazz', collection: 'posts' })).problems
      }
      assert.deepEqual(await problems((hits) => hits), [])
      assert.match((await problems(lie)).join('\n'), named)
    },
  }
}

export const aggregatorAttacks: readonly Scenario[] = [
  lying(
    'altered-hit',
    'an aggregator changes a word in a record that it found',
    'the app verifies each hit by its author’s log and names the first that fails',
    ([first, ...others]) => {
      const record = Uint8Array.from((first as Hit).record)
      const at = Buffer.from(record).indexOf('jazz')
      record[at] = (record[at] as number) ^ 1
      return [{ ...(first as Hit), record }, ...others]
    },
    /hit 1: .*section/,
  ),
  lying(
    'forged-score',
    'an aggregator raises the score of the hit that pays it',
    'the app computes the ranking again from the signed records and the statistics',
    (hits) => {
      const [first, second] = hits as [Hit, Hit]
      return [{ ...second, score: first.score + 1_000 }, first]
    },
    /hit 1: scores \d+, not \d+/,
  ),
  lying(
    'moved-hit',
    'an aggregator puts a hit above a better one',
    'the app looks at the order: higher score, then lower id',
    (hits) => hits.toReversed(),
    /out of order/,
  ),
]
