import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { notBegun } from './scenario.ts'

/** Of the main thread, since it began: on a core, and ready but waiting for one. Linux tells it, others do not. */
function scheduled(): { readonly ranMs: number; readonly waitedMs: number } | undefined {
  try {
    const [ran = NaN, waited = NaN] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number)
    return { ranMs: ran / 1e6, waitedMs: waited / 1e6 }
  } catch {
    return undefined
  }
}

export interface CoreShare {
  readonly words: string
  /** 0 to 1; undefined where nobody tells. */
  readonly waited: number | undefined
}

/** From now on. Answers a function that says how much of the time this process's thread had a core. */
export function watchCore(): () => CoreShare {
  const [before, startMs] = [scheduled(), performance.now()]
  return () => {
    const after = scheduled()
    if (before === undefined || after === undefined)
      return { words: 'its share of a core is unknown here', waited: undefined }
    const tookMs = performance.now() - startMs
    const percent = (ms: number): string => ((100 * ms) / tookMs).toFixed(0)
    const [ran, waited] = [after.ranMs - before.ranMs, after.waitedMs - before.waitedMs]
    return {
      words: `its thread ran ${percent(ran)} % of the time and waited ${percent(waited)} % for a core`,
      waited: waited / tookMs,
    }
  }
}

/** A node that waited for most of the time shows what the machine was busy with, not what its peers cost. */
export function requireBelow(figure: number, bound: number, core: CoreShare, words: string): void {
  if (figure < bound) return
  if ((core.waited ?? 0) > 0.5) throw notBegun(`the machine is busy: ${words}`)
  assert.fail(words)
}
