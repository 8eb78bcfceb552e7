import type { Clock } from '../../protocol/ports.ts'
import type { Operations } from './operations.ts'

export interface NodeFacts {
  readonly node: Uint8Array
  readonly version: string
  readonly roles: () => readonly string[]
  readonly region: string | undefined
  readonly clock: Pick<Clock, 'nowMs'>
  /** Changes as the network comes and goes. */
  readonly addresses: () => readonly string[]
}

export function createNodeInfo(facts: NodeFacts): Pick<Operations, 'node.info'> {
  const { node, version, roles, region, clock, addresses } = facts
  return {
    async 'node.info'() {
      return {
        node,
        version,
        clockMs: clock.nowMs(),
        addresses: addresses(),
        roles: roles(),
        region: region ?? null,
      }
    },
  }
}
