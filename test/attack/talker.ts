import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

/** A script of this folder as a process of its own, which says what happens as lines of JSON and ends with its input. */
export interface Talker<Said> extends AsyncDisposable {
  /** What it said last of everything. */
  readonly said: Partial<Said>
  /** By itself, which none does. */
  readonly hasEnded: boolean
}

/** `within` stands before the command, as what leads into another network. */
export function startTalker<Said>(
  within: readonly string[],
  script: string,
  ...args: readonly string[]
): Talker<Said> {
  const [program = '', ...rest] = [...within, process.execPath, resolve(import.meta.dirname, script), ...args]
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // it has ended, which is looked at below
  let said: Partial<Said> = {}
  createInterface({ input: child.stdout }).on('line', (line) => {
    said = { ...said, ...(JSON.parse(line) as Partial<Said>) }
  })
  return {
    get said() {
      return said
    },
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
