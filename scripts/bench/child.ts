/** Second processes for benches: a file run on the same Node, spoken to by messages, gone when the bench ends. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export interface Child extends AsyncDisposable {
  readonly pid: number
  send(message: unknown): void
  /** The child's next message; rejects when it ends without one. */
  next(): Promise<unknown>
}

/** `through`: a program and its arguments that run Node in turn, such as strace. */
export function startChild(
  file: string,
  args: readonly string[] = [],
  through: readonly string[] = [],
): Child {
  const [execPath = process.execPath, ...execArgv] = through.length > 0 ? [...through, process.execPath] : []
  const child: ChildProcess = fork(file, args, {
    execPath,
    execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  const messages: unknown[] = []
  const waiting: { resolve(message: unknown): void; reject(error: Error): void }[] = []
  const exited = once(child, 'exit')
  let ended: Error | undefined
  child.on('message', (message) => {
    const first = waiting.shift()
    if (first) first.resolve(message)
    else messages.push(message)
  })
  child.on('exit', (code, signal) => {
    ended = new Error(`${file} ended with ${signal ?? code}`)
    for (const { reject } of waiting.splice(0)) reject(ended)
  })
  return {
    pid: child.pid ?? 0,
    send: (message) => void child.send(message as object),
    next: () =>
      new Promise((resolve, reject) => {
        if (messages.length > 0) resolve(messages.shift())
        else if (ended) reject(ended)
        else waiting.push({ resolve, reject })
      }),
    [Symbol.asyncDispose]: async () => {
      if (ended) return
      // What runs Node would end alone; the child itself ends when nobody speaks to it.
      if (through.length > 0) child.disconnect()
      else child.kill('SIGKILL')
      await exited
    },
  }
}
