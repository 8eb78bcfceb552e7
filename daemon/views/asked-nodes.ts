import { AsyncLocalStorage } from 'node:async_hooks'
import type { Rpc } from '../net/rpc.ts'

interface Tally {
  requests: number
}

const tallies = new AsyncLocalStorage<Tally>()

/**
 * The same requests, counted for whoever asked for the work that made them: the number of other nodes that a page
 * cost is measured, whatever the code beneath does.
 */
export function countingRpc(rpc: Rpc): Rpc {
  return {
    self: rpc.self,
    handle: (method, handler) => rpc.handle(method, handler),
    request(to, method, body, options) {
      const tally = tallies.getStore()
      if (tally !== undefined) tally.requests++
      return rpc.request(to, method, body, options)
    },
    connected: () => rpc.connected(),
    onPeer: (listener) => rpc.onPeer(listener),
  }
}

/** Runs the work and tells how many requests to other nodes it has made by the end. */
export async function countRequests<T>(
  work: (requests: () => number) => Promise<T>,
): Promise<{ value: T; requests: number }> {
  const tally: Tally = { requests: 0 }
  const value = await tallies.run(tally, () => work(() => tally.requests))
  return { value, requests: tally.requests }
}
