import type { Config } from '../../daemon/config.ts'
import type { Measured } from './measure.ts'
import { dayMs, type Profile } from './profile.ts'
import { connections } from './routing-tables.ts'
import { headOf, markdownTable, rowsOf } from './rows.ts'
import type { WriteRequests } from './write-requests.ts'
import { newBoxAfterMs, uplinkBytesPerMs } from './year.ts'

export interface PageParts {
  readonly runs: readonly Measured[]
  readonly profiles: readonly Profile[]
  readonly writes: WriteRequests
  readonly hosting: Config['hosting']
  readonly leaveShare: number
  readonly shardBytes: number
  readonly days: number
  readonly seed: number
}

/** docs/scale.md, as a whole. */
export function page(parts: PageParts): string {
  const { profiles, days, seed } = parts
  return `# Scale

Written by \`npm run scale\` (seed ${seed}): the decisions that nodes make about copies, for a hundred, ten thousand and a million
nodes, through ${days} virtual days. Measured, and in brackets what a formula says that knows nothing of the code.

${profiles.map((profile) => section(profile, parts)).join('\n\n')}

![Copies, traffic and hops, measured and by formula](scale.svg)

${formulas}

${shows(parts)}

${model(parts)}
`
}

function section(profile: Profile, { runs, writes, hosting }: PageParts): string {
  const own = runs.filter((run) => run.profile === profile.name)
  const [first] = own
  const on = (hours = 0): string =>
    hours < 24 ? `${(hours * 60).toFixed(0)} minutes` : `${(hours / 24).toFixed(1)} days`
  const off = (hours = 0): string =>
    hours < 1 ? `${(hours * 60).toFixed(0)} minutes` : `${hours.toFixed(1)} hours`
  return `## ${profile.name}

${profile.says}: ${on(first?.onHours)} on and ${off(first?.offHours)} off in the mean, on for
${profile.availability * 100} % of the time.

${markdownTable(rowsOf(own, writes, hosting.copies), own.map(headOf))}`
}

const formulas = `## The formulas

k copies beside the home (3), λ the rate at which a node leaves for good, T the time until a lost copy is there again (72 hours in which those
who miss it are on, 72/a, and filling), a the share of the time that a node is on, d the days, n the shards watched, B the bytes of a shard, N the nodes.

- **Copies alive**: seats whose node has left and is not replaced yet are independent of each other.
- **Below two copies**: all but two lost within T, and one of the two leaves.
- **Copies made anew**: r is how often a node goes off, L the share of these times that exceeds 72/a hours. And λ for the new box of
  whoever lost theirs.
- **Imbalance**: of the number of others' copies that a node holds. By chance 1/k; by what nodes offer the variance of the
  logarithm of it; by place, as one copy of each shard goes to another continent, and small ones get more of these. Where
  not all shards are watched it is estimated from those that are, and told from one in a hundred upwards.
- **A write**: a push to each of k holders; each of these knows of the home alone that it has it, and compares with the k − 1 others once
  the shard was quiet for four seconds. Counted at k + 1 real nodes on a network in memory; many shards share a message.
- **A lookup**: every answer names nodes that share one bit more with the key, and the nearest of twenty such shares log₂ 20 more. All
  twenty of the asker's own contacts are asked at once (ten paths), which is why there are more requests than hops.`

function shows({ runs, hosting }: PageParts): string {
  const home = runs.filter(({ profile }) => profile === 'home')
  const streaming = runs.filter(({ profile }) => profile === 'streaming')
  const steps = streaming.reduce((sum, { counts }) => sum + counts.steps, 0)
  const list = (of: (run: Measured) => string): string => home.map(of).join(', ')
  return `## What it shows

- Copies, repair traffic, imbalance and writes do not depend on the number of nodes; lookups grow with its logarithm.
- **Below two copies is reached more often than it need be**: who moves in at a new box seats those holders alone that
  answer just then, and until new ones are filled there are few copies with a seat (what the others have is still on their
  disks, and is handed over when they are back; why they are not seated all the same is in \`protocol/README.md\`, *Who holds a shard*). The
  formula knows nothing of it.
- Members fill seats from the standby list alone, of which the owner's app has another one signed when fewer than two on it are
  left, once they have not been heard for ${hosting.replaceAfterMs / 3_600_000} hours.
  At the end ${list(({ stuck, watched, nodes }) => `${stuck} of ${watched.toLocaleString('en-US')} shards (${nodes.toLocaleString('en-US')} nodes)`)}
  miss a copy and can name nobody by themselves.
- **Who is never on for 72 hours in a row replaces others too**: for how long another was away is counted over all of a node's runs. With the
  sessions of the streaming peers members took ${steps} steps in all, each after some six days.
- A home that was away for 72 hours loses its seat, and gets it back when its owner's app is opened next.
- Who moves in at a new box keeps every holder that answers, which may be one more than wanted, and nobody releases it yet. That is why
  the mean exceeds k + 1.`
}

function model({ hosting, leaveShare, shardBytes, profiles }: PageParts): string {
  const days = (ms: number): string => `${ms / dayMs} days`
  const watched = profiles
    .map(({ name, watched: most }) => `${most.toLocaleString('en-US')} (${name})`)
    .join(', ')
  return `## What runs, and what is assumed

The same code as in a node: weighted rendezvous hashing and failure domains (\`protocol/placement/rendezvous.ts\`), whom a home seats
(\`seating.ts\`), who coordinates, drafts and agrees (\`mending.ts\`), how many must sign (\`replica-set.ts\`), when the owner's app asks
for more (\`client/seats.ts\` asks the same), with the times of the default config: heartbeat ${hosting.heartbeatMs / 1_000} s, suspect after
${hosting.suspectAfterMs / 3_600_000} h, replaced after ${hosting.replaceAfterMs / 3_600_000} h, ${hosting.copies} copies beside the home. Bytes are not moved and nobody signs; a request to a node that is on succeeds.

- **Sessions**: lengths of 10,037 peers of p2p-live-streaming, from the first of a peer's links to the last. Most are short and some very
  long. \`streaming\` takes them in seconds as they are. A box at home is not switched off with the film: \`home\` takes the
  shape alone, stretched to a stated mean. The data does not say how long a peer is away: times off are drawn from the
  same shape, with the mean that gives the stated share. Whoever comes back was started anew. \`--sessions FILE\`
  (seconds, one a line) and \`--availability\` take others; without the data folder a built-in list stands in, and the output says so.
- **Leaving**: ${leaveShare * 100} % of the nodes in a year, at any time, for good (\`--leave\`); all nodes of an operator at once. Another one takes the
  place, with another key. Whoever lost their home box has another one after ${days(newBoxAfterMs)}.
- **Failure domains**: one of ten nodes belongs to an operator of ten; two share an address prefix, on the average.
- **Places**: countries by their number of towns, as nobody knows where boxes will stand. Offers are 1, 10 and 100 GiB.
- **Candidates**: whom a home is connected to. A node dials whom it hears of until it has ${connections / 2} peers, and in the mean as many dial it:
  ${connections} of the contacts in its Kademlia table (up to twenty for each length of the prefix they share), those of them that are on.
- **One shard a node**, ${(shardBytes / 2 ** 20).toFixed(0)} MiB, as much as a lease is by default (\`--shard-mb\`), filled at ${(uplinkBytesPerMs * 8) / 1_000} Mbit/s. An app is opened once a day.
- **Watched** are ${watched} shards at most; all nodes exist for placement, and those are followed that are seated or stand by. A copy is
  alive while its node has a seat and has not left, reachable while that is on.
- **Latencies**: averages between countries (cardano-rtt), times how one pair of devices varies (netlatency). Tables hold nodes that are off
  as often as nodes are; each costs two seconds.

\`npm run scale -- --nodes N --days D --seed S --json\`: the same seed, the same figures.`
}
