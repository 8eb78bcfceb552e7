/** The neighbourhood at a size for every day: the same eight processes and phases, few people. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'onehop-neighbourhood-test-'))
const trialMs = 250_000

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(...options: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['scripts/trial/main.ts', ...options], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? 1, stdout, stderr }
}

test(
  'eight processes do the whole job, and every figure is as it must be',
  { timeout: trialMs },
  async () => {
    const file = join(folder, 'out.json')
    const { code, stdout, stderr } = await run('--people', '100', '--json', file)
    expect(existsSync(file), stderr).toBe(true)
    const figures = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    expect(figures['failures'], stderr).toEqual([])
    expect(code).toBe(0)
    expect(figures).toMatchObject({
      ok: true,
      nodes: 8,
      users: 100,
      copiesPerShardMin: 4,
      replicaMismatches: 0,
      nearest: { chosenIsNearest: true },
      privacy: { plaintextFound: 0, publicTextFound: true },
      page: {
        requests: 1,
        requestsBetweenNodes: 0,
        imageRequestsBetweenNodes: 0,
        picturesMissing: 0,
        feedMismatches: 0,
      },
      kill: { recordsMissing: 0 },
      partition: { recordsLost: 0 },
      island: { localOk: true, worldSaysMissing: true, recordsLost: 0 },
    })
    expect(stdout).toContain('All figures are as they must be.')
  },
)

test('a wrong option is a matter of usage', async () => {
  const { code, stderr } = await run('--people', 'many')
  expect(code).toBe(2)
  expect(stderr).toContain('--people needs a whole number')
})
