import type { NodeProcess } from './node-process.ts'
import { until } from './waiting.ts'

const cutWithinMs = 10_000

/** Nobody on one side hears anybody on the other: each refuses the others by its own deny list. */
export async function cut(
  one: readonly NodeProcess[],
  other: readonly NodeProcess[],
  signal: AbortSignal,
): Promise<void> {
  const deny = async (node: NodeProcess, nodes: readonly NodeProcess[]): Promise<unknown> =>
    node.admin('admin.deny.set', { nodes: nodes.map(({ key }) => key) }, { signal })
  await Promise.all([...one.map((node) => deny(node, other)), ...other.map((node) => deny(node, one))])
  const others = new Set(other.map(({ id }) => id))
  for (const node of one) {
    await until(`${node.plan.name} is cut off`, { withinMs: cutWithinMs, signal }, async () => {
      const { peers } = await node.admin('admin.status', { limit: 1 }, { signal })
      return !peers.some(
        ({ node: key, connected }) => connected && others.has(Buffer.from(key).toString('hex')),
      )
    })
  }
}

export async function heal(nodes: readonly NodeProcess[], signal: AbortSignal): Promise<void> {
  await Promise.all(nodes.map((node) => node.admin('admin.deny.set', { nodes: [] }, { signal })))
}
