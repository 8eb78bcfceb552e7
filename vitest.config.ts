import { defineConfig } from 'vitest/config'

interface Part {
  /** Longest that one test may take before it is called hung, beside others on a busy machine; no test asserts a time. */
  readonly timeoutMs: number
  /** Several boxes at once and browsers share two cores, and some look at the whole machine: one file at a time. */
  readonly serial: boolean
  /** `./scripts/test` runs it beside those that compute: it waits most of the time, or has one core at work. */
  readonly isBeside: boolean
}

/** One project per folder of test/, in the order they run. */
export const parts: Readonly<Record<string, Part>> = {
  unit: { timeoutMs: 60_000, serial: false, isBeside: false },
  contract: { timeoutMs: 60_000, serial: false, isBeside: false },
  mesh: { timeoutMs: 120_000, serial: false, isBeside: false },
  /** One box or two, and commands that are typed. */
  process: { timeoutMs: 120_000, serial: false, isBeside: false },
  boxes: { timeoutMs: 120_000, serial: true, isBeside: true },
  browser: { timeoutMs: 120_000, serial: true, isBeside: true },
  sim: { timeoutMs: 120_000, serial: false, isBeside: true },
  house: { timeoutMs: 120_000, serial: true, isBeside: true },
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: Object.entries(parts).map(([name, { timeoutMs, serial }], order) => ({
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        environment: 'node',
        setupFiles: ['test/support/equal-bytes.ts'],
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
        fileParallelism: !serial,
        sequence: { groupOrder: order },
      },
    })),
  },
})
