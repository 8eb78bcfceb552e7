import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { methods, type MethodRule } from '../../protocol/methods.ts'

const readme = readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8')

it('is in the README as the table of methods has it', () => {
  const rows = Object.entries<MethodRule>(methods).map(([method, { asker, refusal = '', change, again }]) => {
    const cells = [`\`${method}\``, asker, refusal, change, change === 'nothing' ? '' : again]
    return `| ${cells.join(' | ')} |`
  })
  expect(readme).toContain(rows.join('\n'))
})

it('says what all others hear wherever not anyone is answered, and only there', () => {
  for (const { asker, refusal } of Object.values<MethodRule>(methods))
    expect(refusal === undefined).toBe(asker === 'anyone')
})

it('has nothing that a repetition changes where nothing is changed at all', () => {
  for (const { change, again } of Object.values<MethodRule>(methods))
    expect(change === 'nothing' && again !== 'nothing').toBe(false)
})
