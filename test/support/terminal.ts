/** The built command at a terminal of its own: `script` of util-linux gives it one. */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'

/** Why there is no such terminal here; undefined when there is. */
export function terminalMissing(): string | undefined {
  const { stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' })
  return /util-linux/.test(stdout ?? '') ? undefined : 'no script of util-linux here'
}

export interface Terminal extends AsyncDisposable {
  readonly child: ChildProcess
  /** All that was shown, without colours. */
  shown(): string
  type(text: string): void
  readonly ended: Promise<number | null>
}

export function openTerminal(command: readonly string[], environment: NodeJS.ProcessEnv): Terminal {
  const line = command.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
  // exec: a shell between would hear Ctrl-C too and end with an exit code of its own.
  const child = spawn('script', ['-qfec', `exec ${line}`, '/dev/null'], {
    env: { ...environment, TERM: 'xterm' },
  })
  let text = ''
  child.stdout.on('data', (part: Buffer) => (text += part.toString()))
  child.stderr.on('data', (part: Buffer) => (text += part.toString()))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    shown: () => stripVTControlCharacters(text),
    type: (keys) => void child.stdin.write(keys),
    ended,
    async [Symbol.asyncDispose]() {
      // Ctrl-C twice does not wait; what it runs ends with its terminal.
      if (child.exitCode === null) child.stdin.write('\u0003\u0003')
      await ended
    },
  }
}
