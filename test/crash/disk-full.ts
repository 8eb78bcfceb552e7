/**
 * A real box on a small disk that fills up, again and again: it refuses with a code that says so, goes on reading, loses nothing that
 * it acknowledged, and takes writes again by itself once there is room, also when it was killed or started meanwhile.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { microblog } from '../../client/microblog.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { createSimPerson } from '../sim/writer.ts'
import { Box } from './box.ts'
import { moveIn } from './crashes.ts'

export interface DiskFullOptions {
  readonly folder: string
  readonly rounds: number
  readonly note: (line: string) => void
}

export interface DiskFullResult {
  readonly rounds: number
  readonly acknowledged: number
  readonly refused: number
  readonly problems: readonly string[]
  /** From the moment at which there was room again until a write was taken. */
  readonly slowestRecoveryS: number
}

const diskMb = 64
/** Left for the box in each round, less than its database makes of it by itself. */
const leftBytes = 3 * 1024 * 1024
const recoversWithinMs = 30_000
const recordsAtOnce = 50

/** Whether this process may mount a disk of its own. */
export function mountsHere(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0
}

export async function fillDisk({ folder, rounds, note }: DiskFullOptions): Promise<DiskFullResult> {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskMb}m`, 'tmpfs', disk])
  await using stack = new AsyncDisposableStack()
  stack.defer(() => void execFileSync('umount', ['--lazy', disk]))
  const crypto = await loadCrypto()
  const box = await Box.make(disk, 0)
  stack.defer(() => box.end('SIGKILL'))
  await box.start()
  const person = createSimPerson(crypto)
  await moveIn(box, person, 0)
  const [writer] = person.writers

  const acknowledged: { readonly id: Uint8Array; readonly key: Uint8Array }[] = []
  const problems: string[] = []
  let refused = 0
  let slowestRecoveryS = 0
  const ballast = join(disk, 'ballast')

  /** The code of the refusal; undefined when all were taken. */
  const write = async (): Promise<string | undefined> => {
    const written = Array.from({ length: recordsAtOnce }, () =>
      writer?.sign('posts', new Uint8Array(0), 'put', { text: 'x'.repeat(600) }, Date.now()),
    ).filter((one) => one !== undefined)
    try {
      const { results } = await box.call('record.put', { records: written.map(({ bytes }) => bytes) })
      for (const [i, { outcome }] of results.entries()) {
        const id = written[i]?.record.id
        if (outcome !== 'refused' && id !== undefined) acknowledged.push({ id, key: id })
      }
      return results.find(({ outcome }) => outcome === 'refused')?.code ?? undefined
    } catch (error) {
      refused++
      return asOnehopError(error).code
    }
  }
  const readAll = async (when: string): Promise<void> => {
    for (let start = 0; start < acknowledged.length; start += 500) {
      const some = acknowledged.slice(start, start + 500)
      const { copies } = await box.call('record.status', {
        owner: person.owner,
        ids: some.map(({ id }) => id),
      })
      const gone = copies.filter((count) => count < 1).length
      if (gone > 0) problems.push(`${when}: ${gone} acknowledged records are gone`)
    }
    const newest = acknowledged.at(-1)
    if (newest === undefined) return
    const place = { owner: person.owner, app: microblog.id, collection: 'posts', keys: [newest.key] }
    const { records } = await box.call('record.get', place)
    if (records[0] === null) problems.push(`${when}: ${toHex(newest.id)} cannot be read`)
  }

  await write()
  for (let round = 1; round <= rounds; round++) {
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(ballast, new Uint8Array(Math.max(0, bavail * bsize - leftBytes)))
    let code: string | undefined
    for (let tries = 0; tries < 200 && code === undefined; tries++) code = await write()
    if (code !== 'STORE_FULL') problems.push(`round ${round}: a full disk is told as ${code}`)
    await readAll(`round ${round}, full`)
    // Every third time it is killed while the disk is full, and starts on it.
    if (round % 3 === 0) {
      await box.end('SIGKILL')
      const started = await box.start().then(
        () => true,
        (error: unknown) => note(`round ${round}: ${String(error).slice(0, 300)}`),
      )
      if (started === true) await readAll(`round ${round}, started on a full disk`)
      else await box.end('SIGKILL')
    }
    rmSync(ballast)
    const roomMs = performance.now()
    if (!box.isRunning) await box.start()
    while ((code = await write()) !== undefined && performance.now() - roomMs < recoversWithinMs)
      await sleep(100)
    if (code !== undefined) problems.push(`round ${round}: with room again, still ${code}`)
    slowestRecoveryS = Math.max(slowestRecoveryS, (performance.now() - roomMs) / 1_000)
    await readAll(`round ${round}, with room again`)
    note(`${round} of ${rounds} rounds, ${acknowledged.length} acknowledged, ${problems.length} problems`)
  }
  return { rounds, acknowledged: acknowledged.length, refused, problems, slowestRecoveryS }
}
