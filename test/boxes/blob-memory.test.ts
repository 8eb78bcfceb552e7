import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const child = resolve(import.meta.dirname, '../support/blob-memory-child.ts')
const fileMb = 32
/** Four chunks under way on both sides, as plain, sealed, encoded and as sockets hold them: 8 MB; and half of it again. */
const growthMbMax = 12

// Collecting stops the world, and every chunk is synced: longer than others on a busy machine.
test(
  'a file of 32 MB goes up and down in 12 MB of memory, node and app together',
  { timeout: 300_000 },
  () => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ['--expose-gc', '--no-warnings', child, String(fileMb)],
      { encoding: 'utf8' },
    )
    expect(status, stderr).toBe(0)
    const told = JSON.parse(stdout) as Record<string, Record<string, { bytes: number; looks: number }>>
    for (const [form, ways] of Object.entries(told)) {
      expect(Object.keys(ways)).toEqual(['streamUp', 'fileUp', 'down'])
      for (const [way, { bytes, looks }] of Object.entries(ways)) {
        expect(looks, `${form} ${way}`).toBeGreaterThanOrEqual(3)
        expect(bytes / 2 ** 20, `${form} ${way}`).toBeLessThan(growthMbMax)
      }
    }
  },
)
