import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { crash } from '../crash/crashes.ts'
import { fillDisk, mountsHere } from '../crash/disk-full.ts'

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
