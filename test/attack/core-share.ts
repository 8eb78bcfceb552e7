import { readFileSync } from 'node:fs'

/** Of the main thread, since it began: on a core, and ready but waiting for one. Linux tells it, others do not. */
function scheduled(): { readonly ranMs: number; readonly waitedMs: number } | undefined {
  try {
    const [ran = NaN, waited = NaN] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number)
    return { ranMs: ran / 1e6, waitedMs: waited / 1e6 }
  } catch {
    return undefined
  }
}

/** From now on. Answers a function that says, in words, how much of the time this process's thread had a core. */
export function watchCore(): () => string {
  const [before, startMs] = [scheduled(), performance.now()]
  return () => {
    const after = scheduled()
    if (before === undefined || after === undefined) return 'its share of a core is unknown here'
    const percent = (ms: number): string => ((100 * ms) / (performance.now() - startMs)).toFixed(0)
    const [ran, waited] = [after.ranMs - before.ranMs, after.waitedMs - before.waitedMs]
    return `its thread ran ${percent(ran)} % of the time and waited ${percent(waited)} % for a core`
  }
}
