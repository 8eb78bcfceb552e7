/** Plants one mutant before anything is loaded, and runs seeds until one notices: a line for each, and the last says which. */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { mutants } from './mutants.ts'

const [name = '', seeds = '5', seconds = '60'] = process.argv.slice(2)
const mutant = mutants.find((one) => one.name === name)
if (mutant === undefined) throw new Error(`no mutant ${name}`)
const place = pathToFileURL(resolve(import.meta.dirname, '../..', mutant.file)).href
let planted = false

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (url !== place) return loaded
    const { source } = loaded
    const text = typeof source === 'string' ? source : new TextDecoder().decode(source as Uint8Array)
    const parts = text.split(mutant.find)
    if (parts.length !== 2) throw new Error(`${mutant.file} has the place ${parts.length - 1} times`)
    planted = true
    return { ...loaded, source: parts.join(mutant.replace) }
  },
})

const { simulate } = await import('./simulation.ts')
if (!planted) throw new Error(`${mutant.file} is not part of the simulation`)
let found: { readonly seed: number; readonly failure: string } | undefined
for (let seed = 1; seed <= Number(seeds) && found === undefined; seed++) {
  try {
    const { failures } = await simulate({ seed, virtualS: Number(seconds), endAtFirst: true })
    if (failures[0] !== undefined) found = { seed, failure: failures[0] }
  } catch (error) {
    found = { seed, failure: `the simulation broke: ${String(error)}` }
  }
  process.stdout.write(`seed ${seed}\n`)
}
process.stdout.write(`${JSON.stringify(found ?? null)}\n`)
process.exit(0)
