/** How often a process tells the disk to keep what it was given, as the system counts it: strace, where there is one. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const calls = 'fsync,fdatasync,sync_file_range,msync,syncfs'

export interface SyncedCalls {
  /** What a child is to be started through. */
  readonly through: readonly string[]
  count(): number
}

/** Undefined where strace is missing, or not let. `file`: where it writes. */
export function syncedCalls(file: string): SyncedCalls | undefined {
  // The filter lets all other calls pass at full speed, which a process that is looked at from outside would not have.
  const strace = (to: string): string[] => [
    'strace',
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-e',
    `trace=${calls}`,
    '-o',
    to,
  ]
  const [program = '', ...args] = strace(file)
  if (spawnSync(program, [...args, 'true']).status !== 0) return undefined
  return {
    through: strace(file),
    // A call that another thread's cut in two is told of twice.
    count: () =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => /^\d+ +\w+\(/.test(line)).length,
  }
}
