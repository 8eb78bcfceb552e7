/**
 * LevelDB's own repair, in a process of its own: at some damage its checks end the process that they run in. What it gathers is read
 * through, and merged into one level: until then an older version of an entry may lie before the newer.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire as requireAt } from 'node:module'

const repairing = `
const { ClassicLevel } = require(process.argv[1])
async function mend(path) {
  await ClassicLevel.repair(path)
  const level = new ClassicLevel(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  await level.compactRange(new Uint8Array(0), new Uint8Array(64).fill(0xff))
  for await (const entry of level.iterator()) if (entry.length !== 2) throw new Error('no entry')
  await level.close()
}
mend(process.argv[2]).catch(() => process.exit(1))
`

const opening = `
new (require(process.argv[1]).ClassicLevel)(process.argv[2]).open().catch((cause) =>
  process.exit(String(cause.cause?.code) === 'LEVEL_LOCKED' ? 2 : 1))
`

/** False where it did not come through. */
export async function repairLevel(level: string): Promise<boolean> {
  return (await run(repairing, level)) === 0
}

/** What happens to whoever opens it. */
export async function tryOpening(level: string): Promise<'opens' | 'refuses' | 'locked' | 'ends'> {
  const code = await run(opening, level)
  if (code === null) return 'ends'
  return code === 0 ? 'opens' : code === 2 ? 'locked' : 'refuses'
}

/** Its code; null where it was ended. */
async function run(code: string, level: string): Promise<number | null> {
  const library = requireAt(import.meta.url).resolve('classic-level')
  const child = spawn(process.execPath, ['-e', code, library, level], { stdio: 'ignore' })
  const [exit] = (await once(child, 'exit')) as [number | null]
  return exit
}
