import { defineConfig } from 'vitest/config'

interface Part {
  /** Longest that one test may take before it is called hung, beside others on a busy machine; no test asserts a time. */
  readonly timeoutMs: number
  /** Several boxes at once and browsers share two cores, and some look at the whole machine: one file at a time. */
  readonly serial: boolean
}

/** One project per folder of test/, in the order they run. */
export const parts: Readonly<Record<string, Part>> = {
  unit: { timeoutMs: 60_000, serial: false },
  contract: { timeoutMs: 60_000, serial: false },
  mesh: { timeoutMs: 120_000, serial: false },
  sim: { timeoutMs: 120_000, serial: false },
  /** One box or two, and commands that are typed. */
  process: { timeoutMs: 120_000, serial: false },
  boxes: { timeoutMs: 120_000, serial: true },
  browser: { timeoutMs: 120_000, serial: true },
  house: { timeoutMs: 120_000, serial: true },
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
