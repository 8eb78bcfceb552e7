import { packageVersion } from './version.ts'

const help = `onehop: a peer-to-peer edge node

Usage: onehop COMMAND [OPTIONS]
       onehop --version
`

/** Runs one command and resolves with the process's exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === '--version') {
    process.stdout.write(`${packageVersion()}\n`)
    return 0
  }
  process.stderr.write(help)
  return argv[0] === '--help' ? 0 : 2
}
