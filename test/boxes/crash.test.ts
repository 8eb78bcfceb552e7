import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { Box } from '../crash/box.ts'
import { crash, moveIn } from '../crash/crashes.ts'
import { fillDisk, mountsHere } from '../crash/disk-full.ts'
import { createSimPerson } from '../sim/writer.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')

/** `npm run crash -- --cycles 500` is the whole of it. */
test('boxes killed twenty times in the middle of their work lose nothing that they acknowledged', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-crash-'))
  try {
    const { lost, acknowledged } = await crash({ folder, cycles: 20, seed: 20, note: () => {} })
    expect(lost).toEqual([])
    expect(acknowledged).toBeGreaterThan(100)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 300_000)

test.runIf(mountsHere())(
  'a box whose disk fills up refuses, reads on, and goes on by itself',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onehop-disk-full-'))
    try {
      const { problems, acknowledged, refused } = await fillDisk({ folder, rounds: 3, note: () => {} })
      expect(problems).toEqual([])
      expect(refused).toBeGreaterThan(0)
      expect(acknowledged).toBeGreaterThan(1_000)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  120_000,
)

test.runIf(mountsHere())(
  'a box whose disk turned read-only while it was off says so, and goes on once it takes writes again',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onehop-read-only-'))
    const mount = (...options: readonly string[]): void =>
      void execFileSync('mount', ['-t', 'tmpfs', ...options, 'tmpfs', folder])
    mount('-o', 'size=64m')
    const box = await Box.make(folder, 0)
    try {
      const person = createSimPerson(await loadCrypto())
      await box.start()
      await moveIn(box, person, 0)
      const { owner } = person
      const written = person.writers[0]?.sign('posts', new Uint8Array(0), 'put', { text: 'here' }, Date.now())
      await box.call('record.put', { records: [written?.bytes as Uint8Array] })
      await box.end('SIGTERM')
      mount('-o', 'remount,ro')
      const { status, stderr } = spawnSync(process.execPath, [
        bin,
        'start',
        '--no-pair',
        '--state',
        box.state,
      ])
      expect([status, stderr.toString()]).toEqual([
        1,
        expect.stringMatching(/STORE_UNWRITABLE[^]*mounted read-only[^]*--state DIR/),
      ])
      mount('-o', 'remount,rw')
      await box.start()
      const ids = [written?.record.id as Uint8Array]
      expect(await box.call('record.status', { owner, ids })).toMatchObject({ copies: [1] })
    } finally {
      await box.end('SIGKILL')
      execFileSync('umount', ['--lazy', folder])
      rmSync(folder, { recursive: true, force: true })
    }
  },
  120_000,
)
