import { expect, it, vi } from 'vitest'
import { requireBelow } from '../attack/core-share.ts'
import { Untried } from '../attack/scenario.ts'

it('what a busy machine made slow was not tried; what is slow of itself failed', () => {
  vi.stubEnv('CI', '')
  const late = (waited: number | undefined) => () => requireBelow(1_104, 1_000, { words: '', waited }, 'p99')
  expect(late(0.61)).toThrow(Untried)
  for (const waited of [0.4, undefined]) {
    expect(late(waited)).toThrow('p99')
    expect(late(waited)).not.toThrow(Untried)
  }
  expect(() => requireBelow(999, 1_000, { words: '', waited: 0.9 }, 'p99')).not.toThrow()
  vi.unstubAllEnvs()
})
