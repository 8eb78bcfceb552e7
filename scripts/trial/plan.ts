import { homeTowns } from './data/towns.ts'

/** One of the eight, before it runs. */
export interface NodePlan {
  readonly name: string
  /** 127.N.0.1: an address of its own, so that rules about addresses and failure domains apply as they stand. */
  readonly host: string
  readonly region: string
  readonly aggregate: string | undefined
  /** Index of the home, in the order of the towns; undefined for aggregators. */
  readonly home: number | undefined
}

export const island = '/geo/africa'
export const root = '/geo'

/** Six homes, an aggregator for the continent that is cut off later, and one for the world, which all start from. */
export const eightNodes: readonly NodePlan[] = [
  ...homeTowns.map(({ name, scope }, home) => ({
    name: name.toLowerCase(),
    host: hostOf(home),
    region: scope,
    aggregate: undefined,
    home,
  })),
  { name: 'africa', host: hostOf(6), region: island, aggregate: island, home: undefined },
  { name: 'world', host: hostOf(7), region: root, aggregate: root, home: undefined },
]

/** Joins late, knows one address, holds nothing. */
export const ninthNode: NodePlan = {
  name: 'ninth',
  host: hostOf(8),
  region: '/geo/europe/de/bremen',
  aggregate: undefined,
  home: undefined,
}

export function isOnIsland({ region }: Pick<NodePlan, 'region'>): boolean {
  return region === island || region.startsWith(`${island}/`)
}

/** Times that take days on a real street pass in seconds here. */
export const pace = {
  heartbeatMs: 2_500,
  suspectAfterMs: 6_000,
  replaceAfterMs: 12_000,
  registerEveryMs: 5_000,
} as const

/** A lease of a trial's person, and room for all of them. */
const leaseBytes = 2 * 2 ** 20
const offerBytes = 2 ** 40

export function configOf(
  plan: NodePlan,
  state: string,
  bootstrap: readonly string[],
): Record<string, unknown> {
  const isHome = plan.home !== undefined
  return {
    state,
    name: plan.name,
    region: plan.region,
    operator: `operator-${plan.name}`,
    listen: { host: plan.host, tcp: 0, websocket: 0, http: 0 },
    network: {
      bootstrap: [...bootstrap],
      mdns: false,
      allowDial: ['127.0.0.0/8'],
      providesPerS: 0.05,
      inboundConnectionsPerS: 200,
    },
    hosting: {
      copies: 3,
      offerTo: isHome ? 'anyone' : 'nobody',
      offerBytes,
      leaseBytes,
      heartbeatMs: pace.heartbeatMs,
      suspectAfterMs: pace.suspectAfterMs,
      replaceAfterMs: pace.replaceAfterMs,
      reconcileEveryMs: 60_000,
    },
    aggregate: plan.aggregate === undefined ? [] : [{ app: '*', scope: plan.aggregate }],
    search: { registerEveryMs: pace.registerEveryMs, batchMs: 50 },
    log: 'info',
  }
}

function hostOf(index: number): string {
  return `127.${index + 21}.0.1`
}
