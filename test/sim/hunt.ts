import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Mutant } from './mutants.ts'

export interface Hunted {
  readonly name: string
  /** Which seed noticed, and what; undefined where none did. */
  readonly by: { readonly seed: number; readonly failure: string } | undefined
  /** It could not be tried: its place is gone. */
  readonly broken: string | undefined
  readonly realS: number
}

export interface HuntOptions {
  readonly seeds: number
  readonly seconds: number
  readonly atOnce: number
  /** One story that takes longer does not end: that is noticed too. */
  readonly endsAfterMs: number
}

const plant = resolve(import.meta.dirname, 'plant.ts')

/** Each mutant in a process of its own, tried with one seed after the other until one notices. */
export async function hunt(
  mutants: readonly Mutant[],
  options: HuntOptions,
  tell: (hunted: Hunted) => void,
): Promise<Hunted[]> {
  const hunted: Hunted[] = []
  const left = [...mutants]
  const hunter = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const one = await huntOne(mutant, options)
      hunted.push(one)
      tell(one)
    }
  }
  await Promise.all(Array.from({ length: options.atOnce }, hunter))
  return hunted
}

async function huntOne({ name }: Mutant, { seeds, seconds, endsAfterMs }: HuntOptions): Promise<Hunted> {
  const startMs = performance.now()
  const child = spawn(process.execPath, [plant, name, String(seeds), String(seconds)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [said, words, isEndless] = ['', '', false]
  const timer = setTimeout(() => {
    isEndless = true
    child.kill('SIGKILL')
  }, endsAfterMs)
  // A line for each story.
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString()
    timer.refresh()
  })
  child.stderr.on('data', (data: Buffer) => (words = (words + data.toString()).slice(-2_000)))
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  const realS = (performance.now() - startMs) / 1_000
  if (isEndless) return { name, by: { seed: 0, failure: 'it does not end' }, broken: undefined, realS }
  if (code !== 0) return { name, by: undefined, broken: words.trim(), realS }
  const by = JSON.parse(said.trim().split('\n').at(-1) ?? 'null') as Hunted['by'] | null
  return { name, by: by ?? undefined, broken: undefined, realS }
}
