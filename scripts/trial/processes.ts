import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { end, NodeProcess } from './node-process.ts'
import { eightNodes, type NodePlan } from './plan.ts'

/** All processes of one trial: whatever happens, none is left behind unless they are let go on purpose. */
export class Processes {
  readonly folder: string
  readonly #children = new Set<ChildProcess>()
  #nodes: readonly NodeProcess[] = []

  constructor(folder: string) {
    this.folder = folder
  }

  /** In the order of the plan, those that were killed among them. */
  get nodes(): readonly NodeProcess[] {
    return this.#nodes
  }

  get running(): readonly NodeProcess[] {
    return this.#nodes.filter(({ isRunning }) => isRunning)
  }

  get homes(): readonly NodeProcess[] {
    return this.running.filter(({ plan }) => plan.home !== undefined)
  }

  named(name: string): NodeProcess {
    const found = this.#nodes.find(({ plan }) => plan.name === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  /** The node that hosts the people of this home; undefined once it was killed. */
  home(index: number): NodeProcess | undefined {
    return this.running.find(({ plan }) => plan.home === index)
  }

  /** The last of the plan first: its address is the one that the others are told. */
  async startAll(): Promise<void> {
    const plans = [...eightNodes]
    const seed = await this.#start(plans.pop() as NodePlan, [])
    const others = await Promise.all(plans.map((plan) => this.#start(plan, [seed.bootstrap])))
    this.#nodes = [...others, seed]
  }

  /** Not one of the eight: who starts it ends it, or the trial does in the end. */
  async startOther(plan: NodePlan, bootstrap: readonly string[]): Promise<NodeProcess> {
    return this.#start(plan, bootstrap)
  }

  /** The same node on the state that it left. */
  async restart(name: string): Promise<NodeProcess> {
    const before = this.named(name)
    const others = this.running.find(({ plan }) => plan.name !== name)
    const node = await this.#start(before.plan, others === undefined ? [] : [others.bootstrap])
    this.#nodes = this.#nodes.map((one) => (one === before ? node : one))
    return node
  }

  /** All eight again after the disks were read; the one whose address the others are told comes first. */
  async restartAll(): Promise<void> {
    for (const { plan } of this.#nodes.toReversed()) await this.restart(plan.name)
  }

  /** Names of those that did not end by themselves when asked. */
  async stopAll(): Promise<string[]> {
    const ended = await Promise.all(
      this.running.map(async (node) => ((await node.stop()) ? undefined : node.plan.name)),
    )
    await Promise.all([...this.#children].map((child) => end(child, 'SIGTERM', 2_000)))
    return ended.filter((name) => name !== undefined)
  }

  /** Processor seconds that all nodes used so far; 0 where the system does not tell. */
  cpuS(): number {
    return [...this.#children].reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0)
  }

  /** At once, without waiting: for the way out. */
  killAll(): void {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL')
  }

  /** They go on by themselves when this process ends. */
  letGo(): void {
    for (const child of this.#children) child.unref()
    this.#children.clear()
  }

  async #start(plan: NodePlan, bootstrap: readonly string[]): Promise<NodeProcess> {
    return NodeProcess.start(plan, this.folder, bootstrap, (child) => {
      this.#children.add(child)
      child.on('exit', () => this.#children.delete(child))
    })
  }
}

/** Clock ticks a second, the same on every Linux that Node runs on. */
const ticksPerS = 100

function cpuSecondsOf(pid: number | undefined): number {
  try {
    // After the name, which may hold spaces: state is field 3, user and system time are 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / ticksPerS
  } catch {
    return 0
  }
}
